"""Gives new times to retries whose time passed while their campaign was paused, and explains them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from callbacks import events
from callbacks.retry_settings import settings_of
from callbacks.rules.explanation import Code, step
from callbacks.rules.retry import delay_before
from dialer.calls import call_states, calls, context
from dialer.calls.call_states import Moved
from dialer.calls.context import CallContext
from dialer.rules.openings import next_possible
from dialer.rules.statuses import CallStatus
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.instants import written
from dialer.workspaces.statements import fetch, run
from webhooks.outbox import record_events

_REASON = "campaign_resumed"


def reschedule_missed(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """Move retries to their own delay from now, then to the next time at which the contact may be called.

    A retry whose window does not open again is withdrawn.
    """
    rows = [row for row in context.locked_contexts_of(call_ids) if row.status == CallStatus.QUEUED]
    terms = {row.id: context.terms_of(row) for row in rows}
    ledger = context.ledger_of(((row.workspace_id, row.phone, terms[row.id]) for row in rows), now=now)
    wanted = _wanted(rows, now=now)
    due: dict[UUID, datetime] = {}
    for row in rows:
        handed = ledger.get((row.workspace_id, row.phone), ())
        possible = next_possible(terms[row.id], at=wanted.get(row.id, now), ledger=handed)
        if possible.at is not None:
            due[row.id] = possible.at
    call_states.move(
        [
            Moved(
                call_id=row.id,
                due_at=due[row.id],
                not_after=due[row.id] + timedelta(hours=row.stale_after_hours),
                rank=row.rank,
                force=row.force,
            )
            for row in rows
            if row.id in due
        ]
    )
    _move_callbacks(due, now=now)
    calls.withdraw([row.id for row in rows if row.id not in due], why=Withdrawal.NO_OPENING, now=now)


class _Missed(NamedTuple):
    call_id: UUID
    original_outcome: str
    number: int | None


def _wanted(calls_missed: Sequence[CallContext], *, now: datetime) -> Mapping[UUID, datetime]:
    """Return the wanted time of each retry: its own delay from now, as if the call that it follows had ended now.

    So the time of the pause does not count. The caller moves the result into the calling window.
    """
    rows = fetch(
        _Missed,
        "retries_missed",
        "SELECT call_id, original_outcome, number FROM callbacks_callback WHERE call_id = ANY(%(calls)s)",
        {"calls": [call.id for call in calls_missed]},
    )
    retries = {row.call_id: (row.original_outcome, row.number) for row in rows if row.number is not None}
    return {
        call.id: now + delay_before(settings_of(call), outcome=outcome, number=number)
        for call in calls_missed
        if call.id in retries
        for outcome, number in [retries[call.id]]
    }


class _Pending(NamedTuple):
    id: int
    call_id: UUID
    scheduled_at: datetime


def _move_callbacks(due: Mapping[UUID, datetime], *, now: datetime) -> None:
    """Copy the new times of calls to their callbacks, explain the change and record its events."""
    if not due:
        return
    seen = fetch(
        _Pending,
        "callbacks_to_move",
        """
        SELECT id, call_id, scheduled_at FROM callbacks_callback
        WHERE call_id = ANY(%(calls)s) AND status = 'pending' ORDER BY id FOR NO KEY UPDATE
        """,
        {"calls": list(due)},
    )
    steps = []
    for row in seen:
        to = due[row.call_id]
        text = f"Its time passed while the campaign was paused; moved from {written(row.scheduled_at)}."
        steps.append(step(Code.CAMPAIGN_RESUMED, text, at=now, from_=row.scheduled_at, to=to))
    run(
        "callbacks_rescheduled_with_campaign",
        """
        UPDATE callbacks_callback b SET scheduled_at = t.due_at, adjusted_from = NULL, adjusted_reason = '',
            explanation = b.explanation || t.step::jsonb, updated_at = %(now)s
        FROM unnest(%(ids)s::bigint[], %(due)s::timestamptz[], %(steps)s::text[]) AS t(id, due_at, step)
        WHERE b.id = t.id
        """,
        {
            "ids": [row.id for row in seen],
            "due": [due[row.call_id] for row in seen],
            "steps": [json.dumps([explained]) for explained in steps],
            "now": now,
        },
    )
    record_events(events.of_callbacks([row.id for row in seen], "rescheduled", reason=_REASON, at=now), now=now)
