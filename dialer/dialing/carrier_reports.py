"""Carrier reports: stores them first, then applies them in batches.

Applying is idempotent and monotonic: reports may come late, twice, out of order, or before the carrier's answer to the
request. A call only moves forward; reports that cannot move it are kept as evidence. A carrier's reports count only for
calls over its own lines, and those of a line's account only for calls over this line.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import OperationalError, transaction

from dialer.calls import call_states, context, events
from dialer.calls.call_states import Progress
from dialer.calls.context import CallContext
from dialer.calls.listener import CallEnd
from dialer.carriers.base import Report
from dialer.dialing import inbound
from dialer.dialing.completion import record_ends, suppress_who_asked
from dialer.models import CarrierEvent
from dialer.rules.statuses import ORDER, CallStatus, Outcome, Rank
from dialer.workspaces.statements import fetch, run
from webhooks.outbox import NewEvent, record_events

log = logging.getLogger(__name__)

_STATUS_OF = {
    "ringing": CallStatus.RINGING,
    "answered": CallStatus.IN_PROGRESS,
    "machine": CallStatus.IN_PROGRESS,
}
QUIET = timedelta(seconds=60)
"""A live call is looked up after so long without another report."""


@dataclass(slots=True)
class _Progress:
    """The effect of a batch of reports on one call."""

    status: CallStatus
    carrier_call_id: str = ""
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    is_machine: bool = False
    end: CallEnd | None = None


class _Stored(NamedTuple):
    """A report that waits to be applied, and the carrier and line of the call that it names."""

    id: int
    line_carrier: str
    line_id: UUID | None
    call_id: UUID | None
    carrier_call_id: str
    kind: str
    occurred_at: datetime
    facts: str
    carrier_of_call: str | None
    line_of_call: UUID | None

    @property
    def is_of_another(self) -> bool:
        """Tell whether the call belongs to a line that the reporter does not speak for."""
        if self.carrier_of_call is None:
            return False
        return self.carrier_of_call != self.line_carrier or self.line_id not in (None, self.line_of_call)


class _EventId(NamedTuple):
    id: int


def store(carrier: str, reports: Sequence[Report], *, line_id: UUID | None = None) -> int:
    """Store reports as received; returns how many were new. The reporter's event id identifies repetitions.

    ``line_id`` is the line whose account reported, ``None`` for a carrier with one account for the installation.
    """
    rows = fetch(
        _EventId,
        "store_carrier_events",
        """
        INSERT INTO dialer_carrierevent (line_carrier, line_id, event_id, call_id, carrier_call_id, kind, occurred_at,
            facts, raw, note)
        SELECT %(carrier)s, %(line)s::uuid, t.event_id, t.call_id, t.carrier_call_id, t.kind, t.occurred_at,
            t.facts::jsonb, t.raw::jsonb, ''
        FROM unnest(%(event_id)s::text[], %(call_id)s::uuid[], %(carrier_call_id)s::text[], %(kind)s::text[],
            %(occurred_at)s::timestamptz[], %(facts)s::text[], %(raw)s::text[])
            AS t(event_id, call_id, carrier_call_id, kind, occurred_at, facts, raw)
        ON CONFLICT (line_carrier, line_id, event_id) DO NOTHING RETURNING id
        """,
        {
            "carrier": carrier,
            "line": line_id,
            "event_id": [report.event_id for report in reports],
            "call_id": [report.call_id for report in reports],
            "carrier_call_id": [report.carrier_call_id for report in reports],
            "kind": [report.kind for report in reports],
            "occurred_at": [report.occurred_at for report in reports],
            "facts": [_facts(report) for report in reports],
            "raw": [json.dumps(report.raw) for report in reports],
        },
    )
    return len(rows)


def apply_stored(*, limit: int, now: datetime) -> int:
    """Apply up to ``limit`` stored reports in one transaction; returns how many.

    Several workers may run it at once: each skips the reports that another has locked.
    """
    with transaction.atomic():
        rows = fetch(
            _Stored,
            "take_carrier_events",
            """
            SELECT e.id, e.line_carrier, e.line_id, e.call_id, e.carrier_call_id, e.kind, e.occurred_at,
                e.facts::text AS facts, l.carrier AS carrier_of_call, l.id AS line_of_call
            FROM dialer_carrierevent e
            LEFT JOIN dialer_call c ON c.id = e.call_id
            LEFT JOIN dialer_line l ON l.id = c.line_id
            WHERE e.applied_at IS NULL ORDER BY e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
            """,
            {"limit": limit},
        )
        if not rows:
            return 0
        notes = _apply_or_isolate(rows, now=now)
        run(
            "mark_carrier_events_applied",
            """
            UPDATE dialer_carrierevent e SET applied_at = %(now)s, note = t.note
            FROM unnest(%(ids)s::bigint[], %(notes)s::text[]) AS t(id, note) WHERE e.id = t.id
            """,
            {"now": now, "ids": [row.id for row in rows], "notes": [notes.get(row.id, "") for row in rows]},
        )
    return len(rows)


def has_unapplied(call_id: UUID) -> bool:
    """Tell whether there are stored reports of this call that are not applied yet."""
    found: bool = CarrierEvent.objects.filter(call_id=call_id, applied_at=None).exists()
    return found


def _apply_or_isolate(rows: Sequence[_Stored], *, now: datetime) -> dict[int, str]:
    """Apply a batch; if a report breaks it, apply them one by one and note the error on the broken one."""
    try:
        with transaction.atomic():
            return _apply(rows, now=now)
    except OperationalError:
        # A deadlock or a lost connection is no report's fault: the batch is tried again.
        raise
    except Exception:
        log.exception("carrier_events.batch_failed first=%s count=%s", rows[0].id, len(rows))
    notes: dict[int, str] = {}
    for row in rows:
        try:
            with transaction.atomic():
                notes.update(_apply([row], now=now))
        except OperationalError:
            raise
        except Exception as error:
            log.exception("carrier_event.failed id=%s", row.id)
            notes[row.id] = f"failed: {type(error).__name__}"
    return notes


def _apply(rows: Sequence[_Stored], *, now: datetime) -> dict[int, str]:
    """Apply a batch: find and lock the calls, move each forward; returns notes on the reports that had no effect.

    Suppresses the numbers of people who asked not to be called first, because numbers are locked before calls.
    """
    inbound_calls = inbound.adopt(rows, now=now)
    by_call, notes = _by_call(rows, inbound_calls)
    suppress_who_asked([call_id for call_id, reports in by_call.items() if _asked_not_to_be_called(reports)], now=now)
    known = {call.id: call for call in context.locked_contexts_of(by_call)}
    progress: dict[UUID, _Progress] = {}
    for call_id, reports in by_call.items():
        call = known.get(call_id)
        if call is None:
            notes.update(dict.fromkeys((row.id for row in reports), "no such call"))
        elif call.status in (CallStatus.ENDED, CallStatus.WITHDRAWN):
            notes.update(dict.fromkeys((row.id for row in reports), f"the call is {call.status}"))
        else:
            progress[call_id] = _fold(call, reports)
    _move_forward(progress, now=now)
    record_events([event for call_id, step in progress.items() for event in _connected(known[call_id], step)], now=now)
    ends = [end for step in progress.values() if (end := _end_of(step)) is not None]
    if ends:
        record_ends(ends, now=now, locked=list(known.values()))
    return notes


def _by_call(
    rows: Sequence[_Stored], inbound_calls: Mapping[int, UUID | str]
) -> tuple[dict[UUID, list[_Stored]], dict[int, str]]:
    """Group reports by call; also returns notes on the reports without a call."""
    by_call: dict[UUID, list[_Stored]] = defaultdict(list)
    notes: dict[int, str] = {}
    for row in rows:
        whose = inbound_calls.get(row.id, row.call_id)
        if row.is_of_another:
            notes[row.id] = "is of a call over another line"
        elif isinstance(whose, UUID):
            by_call[whose].append(row)
        else:
            notes[row.id] = whose or "names no call of ours"
    return by_call, notes


def _move_forward(progress: Mapping[UUID, _Progress], *, now: datetime) -> None:
    call_states.move_forward(
        [
            Progress(
                call_id=call_id,
                status=step.status,
                carrier_call_id=step.carrier_call_id,
                ringing_at=step.ringing_at,
                answered_at=step.answered_at,
            )
            for call_id, step in progress.items()
            if step.end is None
        ],
        check_at=now + QUIET,
        now=now,
    )


def _end_of(step: _Progress) -> CallEnd | None:
    return step.end and step.end._replace(
        carrier_call_id=step.carrier_call_id,
        ringing_at=step.ringing_at,
        answered_at=step.answered_at,
    )


def _connected(call: CallContext, step: _Progress) -> list[NewEvent]:
    """Return the events for the first answer by a person; a callback that connects is also ``call.received``."""
    at = step.answered_at
    if at is None or step.is_machine or call.answered_at is not None:
        return []
    started = events.call_started(call, at=at)
    is_callback = not call.is_inbound and call.rank != Rank.NEW
    return [started, events.call_received(call, at=at)] if is_callback else [started]


def _asked_not_to_be_called(reports: Sequence[_Stored]) -> bool:
    return any(row.kind == "ended" and json.loads(row.facts).get("outcome") == Outcome.DNC_REQUEST for row in reports)


def _fold(call: CallContext, reports: Sequence[_Stored]) -> _Progress:
    step = _Progress(status=CallStatus(call.status))
    for row in reports:
        details: dict[str, Any] = json.loads(row.facts)
        step.carrier_call_id = row.carrier_call_id or step.carrier_call_id
        if row.kind == "ended":
            step.end = step.end or _end(call.id, row, details)
            continue
        status = _STATUS_OF[row.kind]
        if ORDER[status] > ORDER[step.status]:
            step.status = status
        if row.kind == "ringing":
            step.ringing_at = row.occurred_at
        else:
            step.answered_at = step.answered_at or row.occurred_at
            step.is_machine = step.is_machine or row.kind == "machine"
    return step


def _end(call_id: UUID, row: _Stored, details: Mapping[str, Any]) -> CallEnd:
    outcome = Outcome(details.get("outcome") or Outcome.NETWORK_ERROR)
    return CallEnd(
        call_id=call_id,
        outcome=outcome,
        # After an answer, only the carrier knows who hung up; otherwise the outcome is the reason.
        ended_reason=details.get("ended_reason") or ("unknown" if outcome is Outcome.ANSWERED else outcome.value),
        at=row.occurred_at,
        duration_seconds=details.get("duration_seconds"),
        transcript=details.get("transcript"),
        recording_url=details.get("recording_url"),
    )


_FACTS = ("outcome", "ended_reason", "duration_seconds", "transcript", "recording_url")
_FACTS_OF_INBOUND = (*_FACTS, "direction", "from_number", "to_number")


def _facts(report: Report) -> str:
    names = _FACTS_OF_INBOUND if report.direction == "inbound" else _FACTS
    return json.dumps({name: value for name in names if (value := getattr(report, name)) is not None})
