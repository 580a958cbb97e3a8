"""Hanging up: workers ask carriers to end live calls that somebody cancelled.

The row says when its carrier is asked next (``hang_up_at``), so a lost message only delays the request. The carrier is
asked again while no report has ended the call: its first answer may have been lost, or it may not have known the call
yet. After that the call ends as its carrier reports it.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from dialer import carriers
from dialer.carriers.base import HandedOver
from dialer.models import Line
from dialer.workspaces.ids import public_id
from dialer.workspaces.statements import fetch

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(seconds=5)
ASK_FOR = timedelta(seconds=15)
"""How long after the cancel a carrier is asked again; it is asked at least once, however late."""

REQUESTS_AT_ONCE = 8

_asking = threading.Lock()


class _Due(NamedTuple):
    id: UUID
    line_id: UUID
    carrier_call_id: str
    number: str
    caller_id: str
    dialing_at: datetime
    is_live: bool


def ask_due(*, limit: int, now: datetime) -> int:
    """Ask the carriers of due calls to hang up; returns how many calls were live.

    Sets the time of the next request before it asks, so that two workers do not ask about the same call. Only one
    thread per process runs it: a carrier that hangs must not keep all threads from placing calls.
    """
    if not _asking.acquire(blocking=False):
        return 0
    try:
        return _ask(limit=limit, now=now)
    finally:
        _asking.release()


def _ask(*, limit: int, now: datetime) -> int:
    due = [call for call in _take(limit=limit, now=now) if call.is_live]
    if not due:
        return 0
    lines = {line.pk: line for line in Line.objects.filter(pk__in={call.line_id for call in due})}
    connection.close()
    list(_pool().map(lambda call: _hang_up(lines[call.line_id], call), due))
    return len(due)


def _take(*, limit: int, now: datetime) -> list[_Due]:
    return fetch(
        _Due,
        "take_calls_to_hang_up",
        """
        WITH due AS (
            SELECT id FROM dialer_call WHERE hang_up_at <= %(now)s
            ORDER BY hang_up_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE dialer_call c SET hang_up_at = CASE
            WHEN c.status IN ('dialing', 'ringing', 'in_progress') AND c.cancel_requested_at > %(asked_since)s
            THEN %(next)s END
        FROM due WHERE c.id = due.id
        RETURNING c.id, c.line_id, c.carrier_call_id, c.number, c.caller_id, c.dialing_at,
            c.status IN ('dialing', 'ringing', 'in_progress') AS is_live
        """,
        {"now": now, "limit": limit, "next": now + ASK_AGAIN, "asked_since": now + ASK_AGAIN - ASK_FOR},
    )


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=REQUESTS_AT_ONCE, thread_name_prefix="hang-up")


def _hang_up(line: Line, call: _Due) -> None:
    handed_over = HandedOver(
        call_id=call.id,
        carrier_call_id=call.carrier_call_id,
        to=call.number,
        caller_id=call.caller_id,
        at=call.dialing_at,
    )
    try:
        carriers.of(line).hang_up(handed_over)
    except Exception:
        # A broken adapter must not keep the others from being asked.
        log.exception("call.hang_up_failed call=%s", public_id("call", call.id))
