"""How long a failed delivery waits before it is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

JITTER = 0.2
"""The largest share of jitter in a wait, so that deliveries that failed together are not retried together."""
MAX_RETRY_AFTER = timedelta(hours=1)
_DIGITS = 9
"""More digits of seconds than this mean a longer wait than is ever obeyed."""


def wait_before_retry(*, failures: int, backoff: timedelta, dice: float, retry_after: timedelta | None) -> timedelta:
    """Return the wait after the ``failures``-th failure in a row: the backoff, doubled each time, plus jitter.

    ``dice`` lies in [0, 1). The receiver's ``retry_after`` can only lengthen the wait, to an hour at most.
    """
    doubled: timedelta = backoff * 2 ** (failures - 1)
    wait = doubled * (1 + JITTER * dice)
    return wait if retry_after is None else max(wait, min(retry_after, MAX_RETRY_AFTER))


def parse_retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """Parse a ``Retry-After`` header, seconds or an HTTP date; ``None`` if it is invalid or not in the future."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=int(text)) if len(text) <= _DIGITS else MAX_RETRY_AFTER
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return wait if wait > timedelta(0) else None
