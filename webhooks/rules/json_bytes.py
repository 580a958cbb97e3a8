"""JSON as the bytes that are signed and sent: keys in the order given, no spaces, UTF-8 as it is."""

import json

_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(value: object) -> bytes:
    """Return the same bytes for the same value; raises ``ValueError`` where it is not JSON (NaN, infinity)."""
    return _text(value).encode()
