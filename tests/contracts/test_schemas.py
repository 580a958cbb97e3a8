"""Every payload has a published schema, and the schemas tell the truth."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from dialer.rules.status_callbacks import StatusUrl
from tests.contracts.schemas import SCHEMAS, faults, names, recorded, validator
from tests.contracts.story import tell_everything
from tests.world import World, world
from webhooks.rules.statuses import EVENT_TYPES, BatchType

__all__ = ["world"]

FREE = ("metadata", "structured_data", "flow", "requests", "in_call_tools", "post_call_actions")
"""What callers give and get back as it is: a schema says nothing of what is inside."""
OPTIONAL = ("callback", "replaced", "campaignId", "correlationId")
"""What is left out where there is nothing to say."""


def test_every_payload_has_a_schema_and_every_schema_a_payload() -> None:
    expected = [
        *(f"envelope/{type_}" for type_ in EVENT_TYPES),
        *(f"batch/{type_.value}" for type_ in BatchType),
        *(f"status/{url.value}" for url in StatusUrl),
    ]

    assert names() == sorted(expected)


@pytest.mark.parametrize("name", names())
def test_every_schema_is_one(name: str) -> None:
    checked = validator(name)
    checked.check_schema(checked.schema)
    checked.is_valid({})  # resolves what it refers to

    assert (SCHEMAS / f"{name}.json").read_text().endswith("\n")


@pytest.mark.django_db(transaction=True)
def test_in_a_story_in_which_everything_happens_every_event_is_told_and_fits_and_nothing_like_it_does(
    world: World,
) -> None:
    tell_everything(world)

    told: dict[str, Any] = {}
    wrong = []
    for name, payload in recorded():
        told.setdefault(name, payload)
        wrong += faults(name, payload)
    assert wrong == []
    assert set(names()) - told.keys() == set()
    for name, payload in told.items():
        for what, lie in lies(payload):
            assert faults(name, lie), f"{name} does not mind {what}"


def lies(payload: Any) -> Iterator[tuple[str, Any]]:
    """Give the payload with one thing in it wrong, and say what: missing, of another type, or too much."""
    for path in _paths(payload):
        *_, key = path
        if key not in OPTIONAL:
            yield f"{path} missing", _without(payload, path)
        yield f"{path} of another type", _with(payload, path, {"a": 1} if key not in FREE else 7)
        if isinstance(_at(payload, path), dict) and key not in FREE:
            yield f"more in {path}", _with(payload, (*path, "nonsense"), 1)
    if isinstance(payload, dict):
        yield "more at the top", {**payload, "nonsense": 1}


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, list):
        for index, item in enumerate(value[:1]):
            yield from _paths(item, (*before, index))
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*before, key)
            if key not in FREE:
                yield from _paths(item, (*before, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _with(payload: Any, path: tuple[Any, ...], value: object) -> Any:
    changed = deepcopy(payload)
    _at(changed, path[:-1])[path[-1]] = value
    return changed


def _without(payload: Any, path: tuple[Any, ...]) -> Any:
    changed = deepcopy(payload)
    del _at(changed, path[:-1])[path[-1]]
    return changed
