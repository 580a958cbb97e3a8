"""Every field of a request that takes an id, as the API's schema tells: of bodies, nested ones too, and of queries."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.api.routes import Operation, operations, schema

_PATTERN = re.compile(r"\^([a-z]+)_")
_LOOKS_LIKE_AN_ID = re.compile(r"(^|_)ids?$")
EACH = "*"

IDS_OF_OTHERS = {
    "caller_ids": "numbers that calls may show",
    "external_id": "the id of a contact in the client's own system",
    "outcome_id": "a word of the client's",
}
"""Fields that are called ids and name no row of ours."""

WITHOUT_A_PATTERN = {"ids": "callback", "contact_ids": "ct", "scope_id": "camp", "object_id": "camp", "actor_id": "per"}
"""What is named by ids that the schema gives no form, by the name of the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdField:
    """A field that takes the id of a row; ``path`` leads to it, with ``*`` for each item of a list."""

    operation: Operation
    is_in_query: bool
    path: tuple[str, ...]
    prefix: str

    def __str__(self) -> str:
        where = "?" if self.is_in_query else "#"
        return f"{str(self.operation).replace(' ', ':')}{where}{'.'.join(self.path)}"

    @property
    def name(self) -> str:
        return next(part for part in reversed(self.path) if part != EACH)

    def put_into(self, body: dict[str, Any], value: object) -> dict[str, Any]:
        """Return the body with ``value`` in this field, alone where it is a list."""
        head, *rest = self.path
        if rest == [EACH]:
            return {**body, head: [value]}
        if not rest:
            return {**body, head: value}
        assert len(rest) == 1, "deeper bodies want a deeper test"
        return {**body, head: {rest[0]: value}}


def id_fields() -> list[IdField]:
    return list(_id_fields())


def _id_fields() -> Iterator[IdField]:
    for operation in operations():
        for content in operation.spec.get("requestBody", {}).get("content", {}).values():
            for path, shape in _leaves(content["schema"]):
                if (prefix := _prefix(path, shape)) and not shape.get("readOnly"):
                    yield IdField(operation=operation, is_in_query=False, path=path, prefix=prefix)
        for parameter in operation.spec.get("parameters", ()):
            path = (parameter["name"],)
            if parameter["in"] == "query" and (prefix := _prefix(path, parameter["schema"])):
                yield IdField(operation=operation, is_in_query=True, path=path, prefix=prefix)


def _leaves(shape: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if "$ref" in shape:
        shape = schema()["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    inner = [(name, each) for name, each in shape.get("properties", {}).items()]
    inner += [(EACH, shape["items"])] if "items" in shape else []
    parts = [each for kind in ("allOf", "oneOf", "anyOf") for each in shape.get(kind, ())]
    for each in parts:
        yield from _leaves(each, path)
    for name, each in inner:
        yield from _leaves(each, (*path, name))
    if not inner and not parts:
        yield path, shape


def _prefix(path: tuple[str, ...], shape: dict[str, Any]) -> str | None:
    if found := _PATTERN.match(shape.get("pattern", "")):
        return found[1]
    name = next((part for part in reversed(path) if part != EACH), "")
    if not _LOOKS_LIKE_AN_ID.search(name) or name in IDS_OF_OTHERS:
        return None
    return WITHOUT_A_PATTERN[name]  # a new field whose ids have no form must be said what it names
