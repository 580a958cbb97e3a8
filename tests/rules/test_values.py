"""Single values that people set: what fits is read, what does not says why."""

from collections.abc import Callable

import pytest

from dialer.rules import values
from dialer.rules.values import Unfit


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (values.name, " "),
        (values.name, "x" * 201),
        (values.name, 5),
        (values.boolean, 1),
        (values.boolean, "true"),
        (values.max_concurrent_calls, True),
        (values.max_concurrent_calls, 1.0),
        (values.max_concurrent_calls, 0),
        (values.max_concurrent_calls, 1_000_001),
        (values.calls_per_second, True),
        (values.calls_per_second, "1"),
        (values.calls_per_second, 0),
        (values.calls_per_second, 0.0009),
        (values.calls_per_second, 10_001),
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
        (values.max_concurrent_calls, 1, 1),
        (values.max_concurrent_calls, 1_000_000, 1_000_000),
        (values.max_concurrent_calls, None, None),
        (values.calls_per_second, 0.001, 0.001),
        (values.calls_per_second, 10_000, 10_000.0),
        (values.calls_per_second, None, None),
        (values.json_object, None, {}),
        (values.json_object, {"a": 1}, {"a": 1}),
    ],
)
def test_what_keeps_it_is_read(read: Callable[[object], object], value: object, found: object) -> None:
    assert read(value) == found
