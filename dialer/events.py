"""What other systems are told about calls and contacts: the facts as the envelope profile shows them.

Field names, nesting and spellings are those of the published webhook contracts that receivers are written for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dialer.facts import parsed
from dialer.models import Call, Suppression
from dialer.promises import FollowUp
from dialer.rules.statuses import ENVELOPE_STATUS, Direction, Outcome
from dialer.workspaces.ids import public_id
from dialer.workspaces.instants import written
from webhooks.outbox import NewEvent

Fact = Any
"""A row of :func:`dialer.facts.facts_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one call ended, beside its facts."""

    outcome: str
    ended_reason: str
    ended_at: datetime
    duration_seconds: int | None
    transcript: str | None
    recording_url: str | None


def call_started(fact: Fact, *, at: datetime) -> NewEvent:
    return _call_event(
        fact,
        "call.started",
        at=at,
        data={**_identity(fact), "started_at": written(at)},
        unique_key=f"call.started:{fact.id}",
    )


def call_received(fact: Fact, *, at: datetime) -> NewEvent:
    """Somebody rings us."""
    return _call_event(
        fact,
        "call.received",
        at=at,
        data={**_identity(fact), "type": "inbound", "received_at": written(at), "to": fact.caller_id},
        unique_key=f"call.received:{fact.id}",
    )


def call_attempted(fact: Fact, ended: Ended) -> NewEvent:
    """Every outbound attempt that was handed over, when it has ended."""
    return _call_event(
        fact,
        "call.attempted",
        at=ended.ended_at,
        data={
            **_identity(fact),
            "outcome": ended.outcome,
            "status": ENVELOPE_STATUS[Outcome(ended.outcome)],
            "ended_reason": ended.ended_reason,
            "attempted_at": written(fact.dialing_at),
            "ended_at": written(ended.ended_at),
            "duration_seconds": ended.duration_seconds or 0,
        },
        unique_key=f"call.attempted:{fact.id}",
    )


def call_ended(fact: Fact, ended: Ended, follow_up: FollowUp) -> NewEvent:
    """Tell the end with the decision about what follows."""
    top_level: dict[str, Any] = {"call_id": public_id("call", fact.id)}
    if follow_up.pending is not None:
        top_level["callback"] = {
            "id": follow_up.pending.id,
            "scheduled_at": follow_up.pending.scheduled_at.astimezone(UTC).isoformat(timespec="seconds"),
        }
    return _call_event(
        fact,
        "call.ended",
        at=ended.ended_at,
        data={
            "job_id": public_id("call", fact.id),
            "contact_id": public_id("ct", fact.contact_id),
            "status": ENVELOPE_STATUS[Outcome(ended.outcome)],
            "ended_reason": ended.ended_reason,
            "duration_seconds": ended.duration_seconds or 0,
            "transcript": ended.transcript,
            "recording_url": ended.recording_url,
            "retry": {
                "will_retry": follow_up.will_retry,
                "next_retry_at": written(follow_up.next_retry_at) if follow_up.next_retry_at else None,
                "attempt_number": fact.attempt_number,
                "max_attempts": fact.attempt_number + follow_up.attempts_left,
            },
        },
        top_level=top_level,
        unique_key=f"call.ended:{fact.id}",
    )


def call_exhausted(fact: Fact, *, result: str, reason: str, attempts: int, at: datetime) -> NewEvent:
    """The chain is over, whether it reached the contact or not; once per chain."""
    return _call_event(
        fact,
        "call.exhausted",
        at=at,
        data={
            "job_id": public_id("call", fact.id),
            "contact_id": public_id("ct", fact.contact_id),
            "campaign_id": public_id("camp", fact.campaign_id) if fact.campaign_id else None,
            "phone": fact.phone,
            "result": result,
            "reason": reason,
            "attempts": attempts,
        },
        unique_key=f"call.exhausted:{fact.chain_id}",
    )


def call_analyzed(fact: Fact, *, analysis: Mapping[str, Any], status: str, at: datetime, replaced: bool) -> NewEvent:
    data: dict[str, Any] = {
        "call": {
            "id": public_id("call", fact.id),
            "status": status,
            "summary": analysis.get("summary"),
            "outcome_id": analysis.get("outcome_id"),
            "score": analysis.get("score"),
            "structured_data": analysis.get("structured_data", {}),
        },
        "contact": {
            "id": public_id("ct", fact.contact_id),
            "name": fact.contact_name,
            "status": analysis.get("outcome_id"),
        },
        "in_call_tools": analysis.get("in_call_tools", []),
        "post_call_actions": analysis.get("post_call_actions", []),
    }
    if replaced:
        data["replaced"] = True
    return _call_event(fact, "call.analyzed", at=at, data=data)


def cancelled_before_dialling(call: Call) -> list[NewEvent]:
    """An operator stopped a call that was never handed over: it ends, and its chain with it."""
    assert call.ended_at is not None
    common: dict[str, Any] = {
        "workspace_id": call.workspace_id,
        "occurred_at": call.ended_at,
        "metadata": call.metadata or (call.campaign.metadata if call.campaign else {}),
        "chain_id": call.chain_id,
        "campaign_id": call.campaign_id,
        "persona_id": call.persona_id,
        "call_id": call.id,
        "inline_webhooks": call.config_webhooks,
    }
    identity = {"job_id": call.public_id, "contact_id": public_id("ct", call.contact_id)}
    retry = {
        "will_retry": False,
        "next_retry_at": None,
        "attempt_number": call.attempt_number,
        "max_attempts": call.attempt_number,
    }
    return [
        NewEvent(
            type="call.ended",
            data={
                **identity,
                "status": "failed",
                "ended_reason": "cancelled",
                "duration_seconds": 0,
                "transcript": None,
                "recording_url": None,
                "retry": retry,
            },
            top_level={"call_id": call.public_id},
            unique_key=f"call.ended:{call.id}",
            **common,
        ),
        NewEvent(
            type="call.exhausted",
            data={
                **identity,
                "campaign_id": public_id("camp", call.campaign_id) if call.campaign_id else None,
                "phone": call.number,
                "result": "cancelled",
                "reason": "cancelled",
                "attempts": call.attempt_number - 1,
            },
            unique_key=f"call.exhausted:{call.chain_id}",
            **common,
        ),
    ]


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


def _identity(fact: Fact) -> dict[str, Any]:
    outbound = fact.direction == Direction.OUTBOUND
    return {
        "job_id": public_id("call", fact.id),
        "conversation_id": public_id("conv", fact.id),
        "contact_id": public_id("ct", fact.contact_id),
        "persona_id": public_id("per", fact.persona_id),
        "campaign_id": public_id("camp", fact.campaign_id) if fact.campaign_id else None,
        "direction": fact.direction,
        "channel": "voice",
        "job_type": "outbound_call" if outbound else "inbound_call",
        "attempt_number": fact.attempt_number,
        "contact": {
            "id": public_id("ct", fact.contact_id),
            "name": fact.contact_name,
            "phone": fact.phone,
        },
    }


def _call_event(
    fact: Fact,
    type_: str,
    *,
    at: datetime,
    data: Mapping[str, Any],
    top_level: Mapping[str, Any] | None = None,
    unique_key: str | None = None,
) -> NewEvent:
    return NewEvent(
        workspace_id=fact.workspace_id,
        type=type_,
        occurred_at=at,
        data=data,
        metadata=metadata_of(fact.metadata, fact.campaign_metadata),
        top_level=top_level or {},
        chain_id=fact.chain_id,
        campaign_id=fact.campaign_id,
        persona_id=fact.persona_id,
        call_id=fact.id,
        unique_key=unique_key,
        inline_webhooks=parsed(fact.config_webhooks),
    )


def metadata_of(call: str | None, campaign: str | None) -> Mapping[str, Any]:
    """Return what the caller gave with the call, else with the campaign."""
    return parsed(call) or parsed(campaign) or {}
