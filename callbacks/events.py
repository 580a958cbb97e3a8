"""Events of callbacks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from callbacks.rules.statuses import CallbackStatus
from callbacks.scheduled import NewCallback
from dialer.calls.context import CallContext, parsed
from dialer.calls.events import metadata_of
from dialer.workspaces.ids import public_id
from dialer.workspaces.instants import written
from dialer.workspaces.statements import fetch
from webhooks.outbox import NewEvent


class _Fact(NamedTuple):
    id: int
    workspace_id: UUID
    type: str
    status: str
    contact_id: UUID
    campaign_id: UUID | None
    call_id: UUID
    origin_call_id: UUID | None
    number: int | None
    limit: int | None
    scheduled_at: datetime
    adjusted_from: datetime | None
    adjusted_reason: str
    notes: str
    time_zone: str
    chain_id: UUID
    persona_id: UUID
    metadata: str
    config_webhooks: str | None
    campaign_metadata: str | None
    contact_name: str
    phone: str


def of_callbacks(ids: Sequence[int], change: str, *, reason: str, at: datetime) -> list[NewEvent]:
    """Build ``callback.<change>`` for each of the callbacks as they are now, in the caller's transaction."""
    if not ids:
        return []
    rows = fetch(
        _Fact,
        "callback_facts",
        """
        SELECT b.id, b.workspace_id, b.type, b.status, b.contact_id, b.campaign_id, b.call_id, b.origin_call_id,
            b.number, b.limit, b.scheduled_at, b.adjusted_from, b.adjusted_reason, b.notes, b.time_zone,
            c.chain_id, c.persona_id, c.metadata::text AS metadata, c.config_webhooks::text AS config_webhooks,
            k.metadata::text AS campaign_metadata, p.name AS contact_name, p.phone
        FROM callbacks_callback b
        JOIN dialer_call c ON c.id = b.call_id
        JOIN dialer_contact p ON p.id = b.contact_id
        LEFT JOIN dialer_campaign k ON k.id = b.campaign_id
        WHERE b.id = ANY(%(ids)s) ORDER BY b.id
        """,
        {"ids": list(ids)},
    )
    return [_event(row, change, reason=reason, at=at) for row in rows]


def of_retry(callback_id: int, new: NewCallback, call: CallContext, *, at: datetime) -> NewEvent:
    """Build ``callback.scheduled`` for a retry that was inserted just now, after ``call``, without reading it again."""
    fact = _Fact(
        id=callback_id,
        workspace_id=call.workspace_id,
        type=new.type,
        status=CallbackStatus.PENDING,
        contact_id=call.contact_id,
        campaign_id=call.campaign_id,
        call_id=new.call.id,
        origin_call_id=new.origin_call_id,
        number=new.number,
        limit=new.limit,
        scheduled_at=new.scheduled_at,
        adjusted_from=new.adjusted_from,
        adjusted_reason=new.adjusted_reason,
        notes=new.notes,
        time_zone=new.time_zone,
        chain_id=call.chain_id,
        persona_id=call.persona_id,
        metadata=call.metadata,
        config_webhooks=call.config_webhooks,
        campaign_metadata=call.campaign_metadata,
        contact_name=call.contact_name,
        phone=call.phone,
    )
    return _event(fact, "scheduled", reason="", at=at)


def _event(row: _Fact, change: str, *, reason: str, at: datetime) -> NewEvent:
    return NewEvent(
        workspace_id=row.workspace_id,
        type=f"callback.{change}",
        occurred_at=at,
        data={
            "id": row.id,
            "type": row.type,
            "status": row.status,
            "reason": reason,
            "scheduled_at": written(row.scheduled_at),
            "time_zone": row.time_zone,
            "retry_number": row.number,
            "retry_limit": row.limit,
            "adjusted_from": written(row.adjusted_from) if row.adjusted_from else None,
            "adjusted_reason": row.adjusted_reason or None,
            "notes": row.notes,
            "job_id": public_id("call", row.origin_call_id) if row.origin_call_id else None,
            "campaign_id": public_id("camp", row.campaign_id) if row.campaign_id else None,
            "contact": {"id": public_id("ct", row.contact_id), "name": row.contact_name, "phone": row.phone},
        },
        metadata=metadata_of(row.metadata, row.campaign_metadata),
        top_level={
            "callback": {
                "id": row.id,
                "scheduled_at": row.scheduled_at.astimezone(UTC).isoformat(timespec="seconds"),
            }
        },
        chain_id=row.chain_id,
        campaign_id=row.campaign_id,
        persona_id=row.persona_id,
        call_id=row.call_id,
        # An alert is for the operators of the queue, so it ignores the call's own webhooks.
        inline_webhooks=None if change == "late" else parsed(row.config_webhooks),
    )
