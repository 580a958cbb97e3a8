"""Checks the headers that an endpoint adds to its requests; it must not set those that Ringback sets."""

import re
from collections.abc import Mapping

from webhooks.rules.statuses import SigningMethod

MAX_HEADERS = 20
MAX_VALUE = 1000

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


def _header_error(name: object, value: object, method: SigningMethod, prefix: str) -> str | None:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        return "has an invalid header name"
    lower = name.lower()
    if lower in _RESERVED or lower.startswith(f"{prefix.lower()}-"):
        return f"must not set {name}, which Ringback sets"
    if lower.startswith("proxy-") or (lower == "authorization" and not _may_set_authorization(method)):
        return f"must not set {name}"
    if not isinstance(value, str) or len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
        return f"has a value of {name} that is not printable ASCII of at most {MAX_VALUE:,} characters"
    return None


def _may_set_authorization(method: SigningMethod) -> bool:
    return method not in (SigningMethod.BEARER, SigningMethod.BASIC_AUTH)
