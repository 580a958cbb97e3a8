"""Checks single values against their bounds; the error says why a value does not fit."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from dialer.workspaces.storable import object_error, text_error

LONGEST_NAME = 200


class Unfit(ValueError):
    """One value is out of bounds; the message says why."""


def text(value: object, *, longest: int) -> str:
    return verbatim(value, longest=longest).strip()


def verbatim(value: object, *, longest: int) -> str:
    """Read a text without stripping white space."""
    if reason := text_error(value, longest=longest):
        raise Unfit(reason)
    return str(value)


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


def within(allowed: range) -> Callable[[object], int]:
    """Return a function that reads a whole number in a range."""
    return lambda value: whole_number(value, within=allowed)


def number(value: object, *, least: float, most: float) -> float:
    # Only for floats: math.isfinite raises OverflowError for an integer of 400 digits.
    is_endless = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or is_endless:
        message = "must be a number"
        raise Unfit(message)
    if not least <= value <= most:
        message = f"must be {least:,} to {most:,}"
        raise Unfit(message)
    return float(value)


def json_object(value: object) -> Mapping[str, Any]:
    """Read a JSON object that the database can store; ``None`` becomes an empty one."""
    if value is not None and (reason := object_error(value)):
        raise Unfit(reason)
    return cast("Mapping[str, Any]", value or {})
