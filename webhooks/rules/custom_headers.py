"""The headers that an endpoint adds to its requests: which it may set, and how they are shown without their values."""

import re
from collections.abc import Mapping

from webhooks.rules.statuses import SigningMethod

MAX_HEADERS = 20
MAX_VALUE = 1000
MASK = "********"
"""Stands for a stored value, in answers and in edits that keep it."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e]*")
_RESERVED = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


def headers_error(headers: object, *, method: SigningMethod, prefix: str) -> str | None:
    """Return why custom headers are invalid; ``None`` if they are valid."""
    if not isinstance(headers, Mapping) or len(headers) > MAX_HEADERS:
        return f"must be an object of at most {MAX_HEADERS} headers"
    reasons = (_header_error(name, value, method, prefix) for name, value in headers.items())
    return next((reason for reason in reasons if reason), None)


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers as they are shown: names, and a mask for each value."""
    return dict.fromkeys(headers, MASK)


def unmasked(headers: Mapping[str, str], *, stored: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the stored value for each mask; raises ``KeyError`` with a name that is not stored."""
    return {name: stored[name] if value == MASK else value for name, value in headers.items()}


def _header_error(name: object, value: object, method: SigningMethod, prefix: str) -> str | None:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        return "has an invalid header name"
    lower = name.lower()
    if lower in _RESERVED or lower.startswith(f"{prefix.lower()}-"):
        return f"must not set {name}, which Ringback sets"
    if lower.startswith("proxy-") or (lower == "authorization" and method.sends_secret):
        return f"must not set {name}"
    if not isinstance(value, str) or len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
        return f"has a value of {name} that is not printable ASCII of at most {MAX_VALUE:,} characters"
    return None
