"""Classifies attempts: delivered, to be retried, or failed for good."""

from collections.abc import Collection
from enum import StrEnum


class Failure(StrEnum):
    """Why there was no complete answer."""

    TIMEOUT = "timeout"
    """The deadline passed: in DNS, connecting, TLS, headers or body."""
    DNS = "dns"
    """The name has no address, or no server answered in time."""
    CONNECT = "connect"
    """The connection was not accepted."""
    RESET = "reset"
    """The connection ended before the answer did."""
    PROTOCOL = "protocol"
    """The answer is not HTTP."""
    BODY_CUT = "body_cut"
    """The answer is too long; the rest was not read."""
    CERTIFICATE = "certificate"
    """The TLS certificate or connection could not be trusted."""
    FORBIDDEN_ADDRESS = "forbidden_address"
    """At least one address of the name is forbidden."""
    BAD_URL = "bad_url"
    UNSIGNABLE = "unsignable"
    """The endpoint's secret does not fit its signing method."""
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 — the name of a failure
    """None of our keys decrypts the secret: a fault on our side, possibly temporary."""


class Verdict(StrEnum):
    """What happens to the delivery next."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


RETRYABLE_STATUSES = frozenset({408, 425, 429})
"""Statuses that ``retry_on`` may add to 5xx."""

_FOR_GOOD = frozenset({Failure.CERTIFICATE, Failure.FORBIDDEN_ADDRESS, Failure.BAD_URL, Failure.UNSIGNABLE})


def classify(*, status: int | None, failure: Failure | None, retry_on: Collection[int] = ()) -> Verdict:
    """Classify an attempt by its status, or by its failure if there was no status line.

    2xx counts as delivered even if the body fails, 5xx is retried, and any other status is final unless ``retry_on``
    contains it.
    """
    if status is None:
        return Verdict.FAILED if failure in _FOR_GOOD else Verdict.RETRY
    if 200 <= status < 300:  # noqa: PLR2004 — the classes of HTTP
        return Verdict.DELIVERED
    return Verdict.RETRY if 500 <= status < 600 or status in retry_on else Verdict.FAILED  # noqa: PLR2004


def error_name(*, status: int | None, failure: Failure | None) -> str:
    """Return the error of an attempt: ``http_503``, or why there was no complete answer; empty for a success."""
    if status is not None and not 200 <= status < 300:  # noqa: PLR2004
        return f"http_{status}"
    return failure.value if failure else ""
