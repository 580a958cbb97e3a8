"""Single values that people set, read with their bounds; what does not fit says why."""

from collections.abc import Mapping
from typing import Any, cast

from dialer.rules.storable import object_error, text_error

LONGEST_NAME = 200
LEAST_CALLS_PER_SECOND = 0.001
MOST_CALLS_PER_SECOND = 10_000
MOST_CONCURRENT_CALLS = 1_000_000


class Unfit(ValueError):
    """One value breaks its bound; the message says which."""


def text(value: object, *, longest: int) -> str:
    if reason := text_error(value, longest=longest):
        raise Unfit(reason)
    return str(value).strip()


def name(value: object) -> str:
    """Read a text that must not be empty."""
    found = text(value, longest=LONGEST_NAME)
    if not found:
        message = "must not be empty"
        raise Unfit(message)
    return found


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        message = "must be true or false"
        raise Unfit(message)
    return value


def whole_number(value: object, *, within: range) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        message = "must be a whole number"
        raise Unfit(message)
    if value not in within:
        message = f"must be {within[0]:,} to {within[-1]:,}"
        raise Unfit(message)
    return value


def calls_per_second(value: object) -> float | None:
    """Read a pace; ``None`` is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = "must be a number"
        raise Unfit(message)
    if not LEAST_CALLS_PER_SECOND <= value <= MOST_CALLS_PER_SECOND:
        message = f"must be {LEAST_CALLS_PER_SECOND} to {MOST_CALLS_PER_SECOND:,}"
        raise Unfit(message)
    return float(value)


def max_concurrent_calls(value: object) -> int | None:
    """Read a number of slots; ``None`` is any."""
    return None if value is None else whole_number(value, within=range(1, MOST_CONCURRENT_CALLS + 1))


def json_object(value: object) -> Mapping[str, Any]:
    """Read a JSON object that the database can keep; ``None`` is an empty one."""
    if value is not None and (reason := object_error(value)):
        raise Unfit(reason)
    return cast("Mapping[str, Any]", value or {})
