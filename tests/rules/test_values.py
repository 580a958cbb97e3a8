"""Single values that people set: what fits is read, what does not says why."""

from collections.abc import Callable

import pytest

from dialer.setup import paces
from dialer.workspaces import values
from dialer.workspaces.values import Unfit


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (values.name, " "),
        (values.name, "x" * 201),
        (values.name, 5),
        (values.boolean, 1),
        (values.boolean, "true"),
        (paces.max_concurrent_calls, True),
        (paces.max_concurrent_calls, 1.0),
        (paces.max_concurrent_calls, 0),
        (paces.max_concurrent_calls, 1_000_001),
        (paces.calls_per_second, True),
        (paces.calls_per_second, "1"),
        (paces.calls_per_second, 0),
        (paces.calls_per_second, 0.0009),
        (paces.calls_per_second, 10_001),
        (paces.calls_per_second, 10**400),
        (paces.calls_per_second, float("inf")),
        (values.json_object, []),
    ],
)
def test_what_breaks_its_bound_is_refused(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(Unfit):
        read(value)


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (values.name, " Anna ", "Anna"),
        (values.boolean, False, False),
        (paces.max_concurrent_calls, 1, 1),
        (paces.max_concurrent_calls, 1_000_000, 1_000_000),
        (paces.max_concurrent_calls, None, None),
        (paces.calls_per_second, 0.001, 0.001),
        (paces.calls_per_second, 10_000, 10_000.0),
        (paces.calls_per_second, None, None),
        (values.json_object, None, {}),
        (values.json_object, {"a": 1}, {"a": 1}),
    ],
)
def test_what_keeps_it_is_read(read: Callable[[object], object], value: object, found: object) -> None:
    assert read(value) == found
