"""Inserts callbacks, each beside the queued call that it promises."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from callbacks.rules.explanation import Step
from callbacks.rules.statuses import CallbackType
from dialer.calls.call_states import QueuedCall
from dialer.workspaces.statements import fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCallback:
    """A callback to insert; its call was queued earlier in the same transaction."""

    call: QueuedCall
    type: CallbackType
    scheduled_at: datetime
    time_zone: str
    timezone_source: str
    explanation: list[Step]
    origin_call_id: UUID | None = None
    original_outcome: str = ""
    number: int | None = None
    limit: int | None = None
    local_time: str = ""
    adjusted_from: datetime | None = None
    adjusted_reason: str = ""
    notes: str = ""
    assigned_persona_id: UUID | None = field(default=None)


class _Inserted(NamedTuple):
    id: int
    call_id: UUID


def insert(callbacks: Sequence[NewCallback], *, now: datetime) -> dict[UUID, int]:
    """Insert callbacks in one statement; return their ids by the id of their call.

    Raises ``IntegrityError`` for a second pending callback of one contact and campaign, which the caller must rule out.
    """
    if not callbacks:
        return {}
    rows = fetch(
        _Inserted,
        "insert_callbacks",
        """
        INSERT INTO callbacks_callback (workspace_id, type, status, contact_id, campaign_id, call_id, origin_call_id,
            original_outcome, number, "limit", scheduled_at, local_time, time_zone, timezone_source, adjusted_from,
            adjusted_reason, notes, assigned_persona_id, explanation, completed_by, created_at, updated_at)
        SELECT workspace_id, type, 'pending', contact_id, campaign_id, call_id, origin_call_id, original_outcome,
            number, lim, scheduled_at, local_time, time_zone, timezone_source, adjusted_from, adjusted_reason, notes,
            persona_id, explanation::jsonb, '', %(now)s, %(now)s
        FROM unnest(%(workspace_id)s::uuid[], %(type)s::text[], %(contact_id)s::uuid[], %(campaign_id)s::uuid[],
            %(call_id)s::uuid[], %(origin_call_id)s::uuid[], %(original_outcome)s::text[], %(number)s::int[],
            %(limit)s::int[], %(scheduled_at)s::timestamptz[], %(local_time)s::text[], %(time_zone)s::text[],
            %(timezone_source)s::text[], %(adjusted_from)s::timestamptz[], %(adjusted_reason)s::text[],
            %(notes)s::text[], %(persona_id)s::uuid[], %(explanation)s::text[])
            AS t(workspace_id, type, contact_id, campaign_id, call_id, origin_call_id, original_outcome, number, lim,
            scheduled_at, local_time, time_zone, timezone_source, adjusted_from, adjusted_reason, notes, persona_id,
            explanation)
        RETURNING id, call_id
        """,
        {
            "now": now,
            "workspace_id": [new.call.workspace_id for new in callbacks],
            "contact_id": [new.call.contact_id for new in callbacks],
            "campaign_id": [new.call.campaign_id for new in callbacks],
            "call_id": [new.call.id for new in callbacks],
            "type": [new.type.value for new in callbacks],
            "persona_id": [new.assigned_persona_id for new in callbacks],
            "explanation": [orjson.dumps(new.explanation).decode() for new in callbacks],
            **{
                name: [getattr(new, name) for new in callbacks]
                for name in (
                    "origin_call_id",
                    "original_outcome",
                    "number",
                    "limit",
                    "scheduled_at",
                    "local_time",
                    "time_zone",
                    "timezone_source",
                    "adjusted_from",
                    "adjusted_reason",
                    "notes",
                )
            },
        },
    )
    return {row.call_id: row.id for row in rows}
