"""JSON as the bytes that are signed and sent: keys in the given order, no spaces, unescaped UTF-8."""

import json

_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(value: object) -> bytes:
    """Return the same bytes for the same value; raises ``ValueError`` if it is not JSON (NaN, infinity)."""
    return _text(value).encode()
