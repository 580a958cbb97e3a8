"""Checks whether PostgreSQL can store a text or a JSON value from outside."""

import math
from collections.abc import Mapping

MAX_DEPTH = 20
MAX_JSON_CHARACTERS = 16_384


def text_error(value: object, *, longest: int) -> str | None:
    """Return why a value cannot be stored as a text of at most ``longest`` characters; ``None`` if it can."""
    if not isinstance(value, str):
        return "must be a text"
    if len(value) > longest:
        return f"must have at most {longest:,} characters, not {len(value):,}"
    if not is_clean(value):
        return "must not contain NUL or half a surrogate pair"
    return None


def object_error(value: object) -> str | None:
    """Return why a value cannot be stored as a JSON object; ``None`` if it can."""
    if not isinstance(value, Mapping):
        return "must be an object"
    left = [MAX_JSON_CHARACTERS]
    return _json_error(value, MAX_DEPTH, left)


def _json_error(value: object, depth: int, left: list[int]) -> str | None:
    """Check a JSON value recursively; ``left`` is the remaining size, in characters of text and a few per item."""
    left[0] -= len(value) if isinstance(value, str) else 4
    if left[0] < 0:
        return f"must have at most about {MAX_JSON_CHARACTERS:,} characters"
    if depth == 0:
        return f"must be nested at most {MAX_DEPTH} deep"
    if isinstance(value, str):
        return None if is_clean(value) else "must not contain NUL or half a surrogate pair"
    if isinstance(value, float) and not math.isfinite(value):
        return "must not contain NaN or infinity"
    if isinstance(value, Mapping):
        items: list[object] = [part for pair in value.items() for part in pair]
    else:
        items = list(value) if isinstance(value, list | tuple) else []
    return next((reason for item in items if (reason := _json_error(item, depth - 1, left))), None)


def is_clean(text: str) -> bool:
    """Tell whether PostgreSQL can store a text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
