"""Events of calls and contacts, in the envelope profile.

Field names, nesting and spellings follow the published webhook contracts that receivers implement.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dialer.calls import formats
from dialer.calls.chains import NOTHING_DIALLED, Attempt, Chain
from dialer.calls.context import CallContext, parsed
from dialer.calls.listener import CallEnd, FollowUp
from dialer.models import Suppression
from dialer.rules.statuses import ENVELOPE_STATUS
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.ids import public_id
from dialer.workspaces.instants import written
from webhooks.outbox import NewEvent, NewItem


def call_started(call: CallContext, *, at: datetime) -> NewEvent:
    return _call_event(
        call,
        "call.started",
        at=at,
        data={**_identity(call), "started_at": written(at)},
        unique_key=f"call.started:{call.id}",
    )


def call_received(call: CallContext, *, at: datetime) -> NewEvent:
    """An inbound call rings, or a callback connects."""
    kind = "inbound" if call.is_inbound else "outbound-callback"
    return _call_event(
        call,
        "call.received",
        at=at,
        data={**_identity(call), "type": kind, "received_at": written(at), "to": call.caller_id},
        unique_key=f"call.received:{call.id}",
        batch=formats.received_item(call, kind=kind, at=at),
    )


def call_attempted(call: CallContext, end: CallEnd) -> NewEvent:
    """An outbound attempt that was handed over has ended."""
    assert call.dialing_at is not None
    return _call_event(
        call,
        "call.attempted",
        at=end.at,
        data={
            **_identity(call),
            "outcome": end.outcome,
            "status": ENVELOPE_STATUS[end.outcome],
            "ended_reason": end.ended_reason,
            "attempted_at": written(call.dialing_at),
            "ended_at": written(end.at),
            "duration_seconds": end.duration_seconds or 0,
        },
        unique_key=f"call.attempted:{call.id}",
        batch=formats.attempted_item(
            call, outcome=end.outcome, rang=bool(end.ringing_at or end.answered_at), began_at=call.dialing_at
        ),
        status=formats.attempted_status(call, outcome=end.outcome, began_at=call.dialing_at, ended_at=end.at),
    )


def call_ended(call: CallContext, end: CallEnd, follow_up: FollowUp) -> NewEvent:
    """A call has ended, with the decision about what follows; for an inbound call, this is also its result."""
    top_level: dict[str, Any] = {"call_id": public_id("call", call.id)}
    if follow_up.pending is not None:
        top_level["callback"] = {
            "id": follow_up.pending.id,
            "scheduled_at": follow_up.pending.scheduled_at.astimezone(UTC).isoformat(timespec="seconds"),
        }
    return _call_event(
        call,
        "call.ended",
        at=end.at,
        data={
            "job_id": public_id("call", call.id),
            "contact_id": public_id("ct", call.contact_id),
            "campaign_id": _campaign_id(call),
            "contact": _contact(call),
            "status": ENVELOPE_STATUS[end.outcome],
            "ended_reason": end.ended_reason,
            "duration_seconds": end.duration_seconds or 0,
            "transcript": end.transcript,
            "recording_url": end.recording_url,
            "retry": {
                "will_retry": follow_up.next_retry_at is not None,
                "next_retry_at": written(follow_up.next_retry_at) if follow_up.next_retry_at else None,
                "attempt_number": call.attempt_number,
                "max_attempts": call.attempt_number + follow_up.attempts_left,
            },
        },
        top_level=top_level,
        unique_key=f"call.ended:{call.id}",
        batch=formats.complete_item(call, only_call(call, end), at=end.at) if call.is_inbound else None,
    )


def call_exhausted(
    call: CallContext, chain: Chain, *, result: str, reason: str, attempts: int, at: datetime
) -> NewEvent:
    """The chain is over, whether the contact was reached or not; recorded once per chain.

    A contact has one result in arrays: if a call from the contact ended the chain, that call's.
    """
    return _call_event(
        call,
        "call.exhausted",
        at=at,
        data={
            "job_id": public_id("call", call.id),
            "contact_id": public_id("ct", call.contact_id),
            "campaign_id": _campaign_id(call),
            "phone": call.phone,
            "result": result,
            "reason": reason,
            "attempts": attempts,
        },
        unique_key=f"call.exhausted:{call.chain_id}",
        batch=None if reason == Withdrawal.INBOUND_CALL else formats.complete_item(call, chain, at=at),
        status=formats.number_done_status(call, chain, was_reached=result == "reached", at=at),
    )


def only_call(call: CallContext, end: CallEnd) -> Chain:
    """Return the chain that consists of this call only."""
    if call.dialing_at is None:
        return NOTHING_DIALLED
    attempt = Attempt(
        id=call.id,
        outcome=end.outcome,
        number=call.number,
        caller_id=call.caller_id,
        began_at=call.dialing_at,
        answered_at=end.answered_at,
        ended_at=end.at,
    )
    return Chain(attempts=(attempt,))


def call_analyzed(
    call: CallContext, *, analysis: Mapping[str, Any], status: str, at: datetime, replaced: bool
) -> NewEvent:
    data: dict[str, Any] = {
        "call": {
            "id": public_id("call", call.id),
            "status": status,
            "summary": analysis.get("summary"),
            "outcome_id": analysis.get("outcome_id"),
            "score": analysis.get("score"),
            "structured_data": analysis.get("structured_data", {}),
        },
        "contact": {
            "id": public_id("ct", call.contact_id),
            "name": call.contact_name,
            "status": analysis.get("outcome_id"),
        },
        "in_call_tools": analysis.get("in_call_tools", []),
        "post_call_actions": analysis.get("post_call_actions", []),
    }
    if replaced:
        data["replaced"] = True
    return _call_event(call, "call.analyzed", at=at, data=data)


def contacts_suppressed(suppressions: Sequence[Suppression], *, at: datetime) -> list[NewEvent]:
    return [
        NewEvent(
            workspace_id=suppression.workspace_id,
            type="contact.suppressed",
            occurred_at=at,
            data={
                "suppression_id": suppression.public_id,
                "phone": suppression.phone,
                "reason": suppression.reason,
                "source": suppression.source,
            },
        )
        for suppression in suppressions
    ]


def _identity(call: CallContext) -> dict[str, Any]:
    return {
        "job_id": public_id("call", call.id),
        "conversation_id": public_id("conv", call.id),
        "contact_id": public_id("ct", call.contact_id),
        "persona_id": public_id("per", call.persona_id),
        "campaign_id": _campaign_id(call),
        "direction": call.direction,
        "channel": "voice",
        "job_type": "inbound_call" if call.is_inbound else "outbound_call",
        "attempt_number": call.attempt_number,
        "contact": _contact(call),
    }


def _campaign_id(call: CallContext) -> str | None:
    return public_id("camp", call.campaign_id) if call.campaign_id else None


def _contact(call: CallContext) -> dict[str, str]:
    return {"id": public_id("ct", call.contact_id), "name": call.contact_name, "phone": call.phone}


def _call_event(
    call: CallContext,
    type_: str,
    *,
    at: datetime,
    data: Mapping[str, Any],
    top_level: Mapping[str, Any] | None = None,
    unique_key: str | None = None,
    batch: NewItem | None = None,
    status: Callable[[], Mapping[str, object]] | None = None,
) -> NewEvent:
    return NewEvent(
        workspace_id=call.workspace_id,
        type=type_,
        occurred_at=at,
        data=data,
        metadata=metadata_of(call.metadata, call.campaign_metadata),
        top_level=top_level or {},
        chain_id=call.chain_id,
        campaign_id=call.campaign_id,
        persona_id=call.persona_id,
        call_id=call.id,
        unique_key=unique_key,
        inline_webhooks=parsed(call.config_webhooks),
        batch=batch,
        status=status,
    )


def metadata_of(call: str | None, campaign: str | None) -> Mapping[str, Any]:
    """Return the metadata of the call, else those of the campaign."""
    return parsed(call) or parsed(campaign) or {}
