"""What an attempt came to: delivered, to be tried again, or failed for good."""

from collections.abc import Collection
from enum import StrEnum


class Failure(StrEnum):
    """Why there was no whole answer."""

    TIMEOUT = "timeout"
    """The deadline passed: in DNS, connecting, TLS, headers or body."""
    DNS = "dns"
    """The name has no address, or nobody said so in time."""
    CONNECT = "connect"
    """Nobody took the connection."""
    RESET = "reset"
    """The connection ended before the answer did."""
    PROTOCOL = "protocol"
    """What came is not HTTP."""
    BODY_CUT = "body_cut"
    """The answer is longer than is kept; the rest was not read."""
    CERTIFICATE = "certificate"
    """TLS could not be trusted."""
    FORBIDDEN_ADDRESS = "forbidden_address"
    """The name leads, at least in part, to where webhooks must not go."""
    BAD_URL = "bad_url"
    UNSIGNABLE = "unsignable"
    """The endpoint's secret does not fit its signing method."""
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 — the name of a failure
    """None of our keys opens the secret: our own trouble, which may pass."""


class Verdict(StrEnum):
    """What becomes of the delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


RETRYABLE_STATUSES = frozenset({408, 425, 429})
"""What ``retry_on`` may add to the 5xx."""

_FOR_GOOD = frozenset({Failure.CERTIFICATE, Failure.FORBIDDEN_ADDRESS, Failure.BAD_URL, Failure.UNSIGNABLE})


def classify(*, status: int | None, failure: Failure | None, retry_on: Collection[int] = ()) -> Verdict:
    """Judge an attempt by its status line; only where there is none, by what went wrong.

    So 2xx is delivered whatever the body does, 5xx is tried again, and everything else with a status is final unless
    ``retry_on`` names it.
    """
    if status is None:
        return Verdict.FAILED if failure in _FOR_GOOD else Verdict.RETRY
    if 200 <= status < 300:  # noqa: PLR2004 — the classes of HTTP
        return Verdict.DELIVERED
    return Verdict.RETRY if 500 <= status < 600 or status in retry_on else Verdict.FAILED  # noqa: PLR2004


def error_name(*, status: int | None, failure: Failure | None) -> str:
    """Name what an attempt's row shows as its error: ``http_503``, or why there was no whole answer; else empty."""
    if status is not None and not 200 <= status < 300:  # noqa: PLR2004
        return f"http_{status}"
    return failure.value if failure else ""
