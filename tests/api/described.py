"""Holds every answer of the API to its schema: the status, the headers it promises, and the body, field by field."""

import json
import re
from functools import lru_cache
from typing import Any

from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.api.routes import schema

_ROOT = "urn:schema"


class DescribedClient(Client):
    """A client that fails where an answer is not as the schema describes it."""

    def request(self, **request: Any) -> Any:
        answer = super().request(**request)
        wrong = faults(request["REQUEST_METHOD"], request["PATH_INFO"], answer)
        assert not wrong, f"{request['REQUEST_METHOD']} {request['PATH_INFO']} {answer.status_code}: {wrong}"
        return answer


def faults(method: str, path: str, answer: Any) -> list[str]:
    """Return what the schema does not describe of an answer; an operation that it does not list is not looked at."""
    template = _template(path)
    operation = schema()["paths"].get(template, {}).get(method.lower())
    if operation is None:
        return []
    status = str(answer.status_code)
    described = operation["responses"].get(status)
    if described is None:
        return [f"{status} is not described"]
    if "$ref" in described:
        described = _pointed_at(described["$ref"])
    missing = [f"no header {name}" for name in described.get("headers", {}) if name not in answer.headers]
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    content = described.get("content", {})
    if not content:
        return [*missing, *(["a body where none is described"] if getattr(answer, "content", b"") else [])]
    if kind not in content:
        return [*missing, f"{kind} is not described"]
    if kind != "application/json":
        return missing
    where = ("paths", template, method.lower(), "responses", status, "content", kind, "schema")
    validator = _validator(where) if "$ref" not in operation["responses"][status] else _validator_of_error(status)
    found = validator.iter_errors(json.loads(answer.content))
    return [*missing, *(f"{error.json_path}: {error.message[:300]}" for error in found)]


def faults_of_body(component: str, body: Any) -> list[str]:
    """Return why a body does not fit a component of the schema."""
    found = _validator(("components", "schemas", component)).iter_errors(body)
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


@lru_cache(maxsize=1)
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Return the paths as patterns; those with fewer parameters first, as the routes are read."""
    paths = sorted(schema()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


@lru_cache(maxsize=10_000)
def _template(path: str) -> str:
    return next((template for pattern, template in _templates() if pattern.fullmatch(path)), "")


def _pointed_at(reference: str) -> dict[str, Any]:
    found: Any = schema()
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    described: dict[str, Any] = found
    return described


@lru_cache
def _validator(where: tuple[str, ...]) -> Draft202012Validator:
    pointer = "/".join(name.replace("~", "~0").replace("/", "~1") for name in where)
    return Draft202012Validator({"$ref": f"{_ROOT}#/{pointer}"}, registry=_registry(), format_checker=FormatChecker())


def _validator_of_error(status: str) -> Draft202012Validator:
    return _validator(("components", "responses", f"Error{status}", "content", "application/json", "schema"))


@lru_cache(maxsize=1)
def _registry() -> Registry[Any]:
    closed = Resource.from_contents(_closed(schema()), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(_ROOT, closed)
    return registry


def _closed(shape: Any) -> Any:
    """Return the schema with objects that may have no other fields: those that clients are free to ignore."""
    if isinstance(shape, list):
        return [_closed(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    parts = {name: _closed(part) for name, part in shape.items()}
    is_object = shape.get("type") == "object" and isinstance(shape.get("properties"), dict)
    return {"additionalProperties": False, **parts} if is_object else parts
