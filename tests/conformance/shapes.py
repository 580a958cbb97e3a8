"""Holding a payload against a published example: the same paths, types, forms of texts, and spellings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_FORMS = (
    ("instant", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    ("instant with milliseconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    ("instant with offset", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"),
    ("UUID", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("number with its plus", r"\+[0-9]{7,15}"),
    ("digits", r"[0-9]{7,15}"),
    ("address", r"https?://.*"),
)
_ID = re.compile(r"(evt|ws|job|call|conv|ct|per|camp|grp)_[0-9a-z]+")
_SAME_ID = {"job": "call"}
"""A job is a call; its id is the call's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is asked of a payload beyond paths, types and forms; paths are dotted, and name list items by ``[]``."""

    spelled: frozenset[str] = frozenset()
    """Whose value must be the example's."""
    free: frozenset[str] = frozenset()
    """Whose contents are the caller's."""
    extra: frozenset[str] = frozenset()
    """Which a payload may have beside the example's."""


def differences(example: Any, payload: Any, rules: Rules) -> list[str]:
    """Say where a payload is not as the example."""
    return list(_walk(example, payload, "", rules))


def _walk(example: Any, payload: Any, path: str, rules: Rules) -> Iterator[str]:
    if type(example) is not type(payload):
        yield f"{path}: {type(payload).__name__} in place of {type(example).__name__}"
    elif isinstance(example, dict):
        if path not in rules.free:
            yield from _walk_object(example, payload, path, rules)
    elif isinstance(example, list):
        if len(example) != len(payload):
            yield f"{path}: {len(payload)} items in place of {len(example)}"
        for one, other in zip(example, payload, strict=False):
            yield from _walk(one, other, f"{path}[]", rules)
    elif path in rules.spelled:
        if example != payload:
            yield f"{path}: {payload!r} in place of {example!r}"
    elif isinstance(example, str) and form(example) != form(payload):
        yield f"{path}: {form(payload)} {payload!r} in place of {form(example)} {example!r}"


def _walk_object(example: dict[str, Any], payload: dict[str, Any], path: str, rules: Rules) -> Iterator[str]:
    for key in example.keys() - payload.keys():
        yield f"{_below(path, key)}: missing"
    for key in payload.keys() - example.keys():
        if _below(path, key) not in rules.extra:
            yield f"{_below(path, key)}: too much"
    for key in example.keys() & payload.keys():
        yield from _walk(example[key], payload[key], _below(path, key), rules)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def form(text: str) -> str:
    """Return what a text is by its look: an instant of some form, an id with some prefix, a number, or just a text."""
    found = next((name for name, pattern in _FORMS if re.fullmatch(pattern, text)), None)
    if found is None and (match := _ID.fullmatch(text)):
        return f"{_SAME_ID.get(match[1], match[1])}_ id"
    return found or "text"
