"""How long a failed delivery waits before it is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

JITTER = 0.2
"""At most this share is added to a wait, so that receivers that failed together are not tried together."""
MAX_RETRY_AFTER = timedelta(hours=1)
_DIGITS = 9
"""More than this many digits of seconds are longer than any wait that is heeded."""


def wait_before_retry(*, failures: int, backoff: timedelta, dice: float, retry_after: timedelta | None) -> timedelta:
    """Return the wait after the ``failures``-th failure in a row: the backoff, doubled each time, plus jitter.

    ``dice`` lies in [0, 1). What the receiver asked for (``retry_after``) can only lengthen the wait, to an hour at
    most; it never shortens it.
    """
    doubled: timedelta = backoff * 2 ** (failures - 1)
    wait = doubled * (1 + JITTER * dice)
    return wait if retry_after is None else max(wait, min(retry_after, MAX_RETRY_AFTER))


def parse_retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """Read a ``Retry-After`` header: seconds or an HTTP date; ``None`` where it is neither, or asks for no wait."""
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
