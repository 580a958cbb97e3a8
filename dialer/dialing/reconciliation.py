"""Reconciliation: looks up calls at their carrier that were handed over but have no recent report.

A call that the carrier knows by our id continues with the reports found. If the carrier does not know it, or cannot
say until the window closes, the call ends ``unknown``: it is never dialled again, but listed for a person, who may call
back or mark the contact as reached.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple, assert_never
from uuid import UUID

from django.db import connection, transaction

from dialer import carriers
from dialer.calls.listener import CallEnd
from dialer.carriers.base import CannotSay, Found, HandedOver, LookUp, NotFound
from dialer.carriers.reading import of_call
from dialer.dialing import carrier_reports
from dialer.dialing.completion import record_ends
from dialer.models import Call, Line
from dialer.rules.statuses import Outcome
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.statements import fetch, run
from dialer.workspaces.transitions import TransitionConflict

log = logging.getLogger(__name__)

RECONCILE_WINDOW = timedelta(seconds=45)
"""How long after hand-over a carrier is asked about a call that it does not know, before the call ends ``unknown``."""
RECHECK = timedelta(seconds=5)
LIVE_RECHECK = timedelta(seconds=60)
SLACK = timedelta(minutes=5)
"""A call older than its ring timeout, its longest talk and this counts as ended, whatever its carrier says."""

LOOK_UPS_AT_ONCE = 8

_checking = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    call: HandedOver
    line_id: UUID
    carrier: str
    last_end: datetime

    @property
    def is_known_to_carrier(self) -> bool:
        return bool(self.call.carrier_call_id)


def check_due(*, limit: int, now: datetime) -> int:
    """Look up live calls without a report for too long; returns how many.

    Sets the time of the next look before it asks the carrier, so that two workers do not ask about the same call. Only
    one thread per process runs it: a carrier that hangs must not keep all threads from placing calls.
    """
    if not _checking.acquire(blocking=False):
        return 0
    try:
        return _check(limit=limit, now=now)
    finally:
        _checking.release()


def _check(*, limit: int, now: datetime) -> int:
    open_calls = _take(limit=limit, now=now)
    if not open_calls:
        return 0
    lines = {line.pk: line for line in Line.objects.filter(pk__in={call.line_id for call in open_calls})}
    connection.close()
    answers = list(_pool().map(lambda each: _look_up(lines[each.line_id], each.call), open_calls))
    for each, answer in zip(open_calls, answers, strict=True):
        try:
            _settle(each, answer, now=now)
        except Exception as error:
            # One broken call must not stop the others; its deadline decides in the end.
            log.exception("call.not_settled call=%s", each.call.call_id)
            _settle(each, CannotSay(reason=type(error).__name__), now=now)
    return len(open_calls)


def mark_handled(call_id: UUID, *, workspace_id: UUID, verb: str, actor: Actor, reason: str, now: datetime) -> None:
    """Take an ``unknown`` call off the list of calls that need a person; raises ``TransitionConflict`` for others."""
    with transaction.atomic():
        call = Call.objects.in_workspace(workspace_id).get(pk=call_id)
        changed = Call.objects.filter(pk=call_id, outcome=Outcome.UNKNOWN.value, handled_at=None).update(handled_at=now)
        if not changed:
            from_ = "handled" if call.handled_at else call.outcome or call.status
            raise TransitionConflict(what="the call", from_=from_, to="handled")
        record(actor, [Change.of(call, "call", verb, reason=reason)], now=now)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=LOOK_UPS_AT_ONCE, thread_name_prefix="look-up")


class _Taken(NamedTuple):
    id: UUID
    line_id: UUID
    carrier: str
    number: str
    caller_id: str
    dialing_at: datetime
    carrier_call_id: str
    answered_at: datetime | None
    ring_timeout_seconds: int
    max_duration_seconds: int


def _take(*, limit: int, now: datetime) -> Sequence[_Open]:
    with transaction.atomic():
        rows = fetch(
            _Taken,
            "take_calls_to_check",
            """
            WITH due AS (
                SELECT id FROM dialer_call
                WHERE status IN ('dialing', 'ringing', 'in_progress') AND check_at <= %(now)s
                ORDER BY check_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE dialer_call c SET check_at = %(next)s
            FROM due, dialer_line l WHERE c.id = due.id AND l.id = c.line_id
            RETURNING c.id, c.line_id, l.carrier, c.number, c.caller_id, c.dialing_at, c.carrier_call_id, c.answered_at,
                l.ring_timeout_seconds, l.max_duration_seconds
            """,
            {"now": now, "limit": limit, "next": now + RECHECK},
        )
    return [
        _Open(
            call=HandedOver(
                call_id=row.id,
                carrier_call_id=row.carrier_call_id,
                to=row.number,
                caller_id=row.caller_id,
                at=row.dialing_at,
            ),
            line_id=row.line_id,
            carrier=row.carrier,
            last_end=(row.answered_at or row.dialing_at + timedelta(seconds=row.ring_timeout_seconds))
            + timedelta(seconds=row.max_duration_seconds)
            + SLACK,
        )
        for row in rows
    ]


def _look_up(line: Line, call: HandedOver) -> LookUp:
    try:
        return carriers.of(line).look_up(call)
    except Exception as error:
        # A broken adapter counts as no answer; the deadline decides.
        log.exception("call.look_up_failed call=%s", call.call_id)
        return CannotSay(reason=type(error).__name__)


def _settle(looked_up: _Open, answer: LookUp, *, now: datetime) -> None:
    call_id = looked_up.call.call_id
    is_over = now > looked_up.last_end
    is_lost = now > looked_up.call.at + RECONCILE_WINDOW
    match answer:
        case Found():
            # The carrier's answer is not trusted: it may affect only the call that was looked up.
            line_id = looked_up.line_id if carriers.has_account_per_line(looked_up.carrier) else None
            is_news = carrier_reports.store(looked_up.carrier, of_call(call_id, answer.reports), line_id=line_id) > 0
            if answer.is_live and not is_over:
                _check_again(call_id, at=now + LIVE_RECHECK)
            elif not is_news and not carrier_reports.has_unapplied(call_id):
                # All reports of the carrier are applied and did not end the call.
                _end_unknown(call_id, now=now)
        case NotFound():
            if is_lost:
                _end_unknown(call_id, now=now)
        case CannotSay():
            if is_over or (is_lost and not looked_up.is_known_to_carrier):
                _end_unknown(call_id, now=now)
        case _:
            assert_never(answer)


def _check_again(call_id: UUID, *, at: datetime) -> None:
    run(
        "check_later",
        """
        UPDATE dialer_call SET check_at = %(at)s
        WHERE id = %(id)s AND status IN ('dialing', 'ringing', 'in_progress')
        """,
        {"id": call_id, "at": at},
    )


def _end_unknown(call_id: UUID, *, now: datetime) -> None:
    log.warning("call.unknown call=%s", call_id)
    record_ends([CallEnd(call_id=call_id, outcome=Outcome.UNKNOWN, ended_reason="unknown", at=now)], now=now)
