"""Retries that fell due while their campaign was paused: their new times, and what they then say."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from callbacks import events
from callbacks.rules.explanation import Code, step
from callbacks.rules.retry import delay_before
from callbacks.rules.settings import resolved
from dialer.calls import context
from dialer.calls.listener import Move
from dialer.workspaces.instants import written
from dialer.workspaces.statements import fetch, run
from webhooks.outbox import record_events

_REASON = "campaign_resumed"


class _Missed(NamedTuple):
    call_id: UUID
    original_outcome: str
    number: int | None


def wanted_again(call_ids: Sequence[UUID], *, now: datetime) -> Mapping[UUID, datetime]:
    """Say from when each retry is wanted: its own delay from now on, as if the call that it follows had ended now.

    So the pause counts as no time, and days stay what the rule made of them: minutes after a call, then the window.
    """
    rows = fetch(
        _Missed,
        "retries_missed",
        "SELECT call_id, original_outcome, number FROM callbacks_callback WHERE call_id = ANY(%(calls)s)",
        {"calls": list(call_ids)},
    )
    retries = {row.call_id: (row.original_outcome, row.number) for row in rows if row.number is not None}
    return {
        call.id: now
        + delay_before(
            resolved(
                call=context.parsed(call.call_schedule) or {},
                campaign=context.parsed(call.campaign_schedule) or {},
                workspace=context.parsed(call.workspace_schedule) or {},
                campaign_policy=context.parsed(call.campaign_policy),
                workspace_policy=context.parsed(call.workspace_policy),
            ),
            outcome=outcome,
            number=number,
        )
        for call in context.contexts_of(retries)
        for outcome, number in [retries[call.id]]
    }


class _Pending(NamedTuple):
    id: int
    call_id: UUID
    scheduled_at: datetime


def move_with_campaign(moves: Sequence[Move], *, now: datetime) -> None:
    """Give retries the time to which a resumed campaign moved their calls, explain it and tell it."""
    if not moves:
        return
    due = {move.call_id: move.due_at for move in moves}
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
