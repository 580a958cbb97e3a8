"""A sample payload of each event, with a contact, call and campaign that do not exist.

A test checks all of them against the published schemas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dialer.workspaces.instants import written, written_with_milliseconds
from webhooks.rules.statuses import BatchType

_NIL = UUID(int=0)
_PHONE = "+12025550100"
"""A number from a range reserved for fiction."""
_OURS = "+12025550199"
_DIGITS, _OUR_DIGITS = _PHONE.removeprefix("+"), _OURS.removeprefix("+")
_TEXT = "This is a test"


def _id(prefix: str) -> str:
    return f"{prefix}_{'0' * 26}"  # the nil UUID in public


_CONTACT = {"id": _id("ct"), "name": "Test Contact", "phone": _PHONE}
_CAMPAIGN = {"campaign_id": _id("camp"), "campaign_name": "Test campaign"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An event's content without its envelope; events of calls and callbacks belong to a chain."""

    data: Mapping[str, Any]
    top_level: Mapping[str, Any]
    has_chain: bool


def sample(event_type: str, *, at: datetime) -> Sample:
    """Return the sample of an event that happens ``at`` a time; raises ``KeyError`` for an unknown type."""
    now = written(at)
    family, _, change = event_type.partition(".")
    if family == "callback":
        pending = {"id": 1, "scheduled_at": at.astimezone(UTC).isoformat(timespec="seconds")}
        return Sample(data=_callback(change, now), top_level={"callback": pending}, has_chain=True)
    data = {**_calls(now), **_campaigns(now), **_others(now)}[event_type]
    top_level = {"call_id": _id("call")} if event_type == "call.ended" else {}
    return Sample(data=data, top_level=top_level, has_chain=family == "call")


def sample_item(batch_type: BatchType, item_id: UUID, *, at: datetime) -> dict[str, Any]:
    """Return a sample item of an array."""
    now = written_with_milliseconds(at)
    about = {"campaignId": str(_NIL), "correlationId": "test"}
    message = {"time": now, "message": _TEXT, **about}
    items: dict[BatchType, dict[str, Any]] = {
        BatchType.CALL_COMPLETE: {
            "id": str(item_id),
            "eventType": batch_type.value,
            "createdAt": now,
            "data": {
                **about,
                "sessionId": str(_NIL),
                "callResultId": str(_NIL),
                "name": _CONTACT["name"],
                "phone": _DIGITS,
                "lastStepName": "Test step",
                "startedTime": now,
                "flow": [],
                "requests": [],
                "status": "Complete",
                "additionalInformation": "No further action",
            },
        },
        BatchType.CALL_ATTEMPTED: {"time": now, "phone": _DIGITS, "status": "success", **about},
        BatchType.CALL_RECEIVED: {"time": now, "phone": _DIGITS, "type": "inbound", **about},
        BatchType.SMS_SENT: {**message, "from": _OUR_DIGITS, "to": _DIGITS},
        BatchType.SMS_RECEIVED: {**message, "from": _DIGITS, "to": _OUR_DIGITS},
    }
    return items[batch_type]


def _calls(now: str) -> dict[str, dict[str, Any]]:
    call = {
        "job_id": _id("call"),
        "conversation_id": _id("conv"),
        "contact_id": _id("ct"),
        "persona_id": _id("per"),
        "campaign_id": _id("camp"),
        "direction": "outbound",
        "channel": "voice",
        "job_type": "outbound_call",
        "attempt_number": 1,
        "contact": _CONTACT,
    }
    end = {"status": "completed", "ended_reason": "contact_hangup", "duration_seconds": 60}
    return {
        "call.started": {**call, "started_at": now},
        "call.attempted": {**call, "outcome": "answered", **end, "attempted_at": now, "ended_at": now},
        "call.received": {
            **call,
            "direction": "inbound",
            "job_type": "inbound_call",
            "attempt_number": 0,
            "type": "inbound",
            "received_at": now,
            "to": _OURS,
        },
        "call.ended": {
            "job_id": _id("call"),
            "contact_id": _id("ct"),
            "campaign_id": _id("camp"),
            "contact": _CONTACT,
            **end,
            "transcript": _TEXT,
            "recording_url": None,
            "retry": {"will_retry": False, "next_retry_at": None, "attempt_number": 1, "max_attempts": 4},
        },
        "call.exhausted": {
            "job_id": _id("call"),
            "contact_id": _id("ct"),
            "campaign_id": _id("camp"),
            "phone": _PHONE,
            "result": "reached",
            "reason": "conclusive",
            "attempts": 1,
        },
        "call.analyzed": {
            "call": {
                "id": _id("call"),
                "status": "completed",
                "summary": _TEXT,
                "outcome_id": None,
                "score": None,
                "structured_data": {},
            },
            "contact": {"id": _id("ct"), "name": _CONTACT["name"], "status": "completed"},
            "in_call_tools": [],
            "post_call_actions": [],
        },
    }


def _campaigns(now: str) -> dict[str, dict[str, Any]]:
    return {
        "campaign.started": {**_CAMPAIGN, "total_contacts": 1, "started_at": now},
        "campaign.paused": {**_CAMPAIGN, "reason": "test", "paused_at": now},
        "campaign.resumed": {**_CAMPAIGN, "resumed_at": now},
        "campaign.failed": {**_CAMPAIGN, "error": _TEXT, "failed_at": now},
        "campaign.ended": {
            **_CAMPAIGN,
            "end_reason": "completed",
            "stats": {
                "total_contacts": 1,
                "completed": 1,
                "no_answer": 0,
                "busy": 0,
                "failed": 0,
                "voicemail": 0,
                "suppressed": 0,
                "cancelled": 0,
            },
            "performance": {
                "connect_rate_percent": 100.0,
                "completion_rate_percent": 100.0,
                "average_call_duration_seconds": 60,
            },
        },
    }


def _others(now: str) -> dict[str, dict[str, Any]]:
    message = {
        "message_id": _id("msg"),
        "contact_id": _id("ct"),
        "campaign_id": _id("camp"),
        "message": _TEXT,
        "segments": 1,
        "contact": _CONTACT,
    }
    sent = {**message, "from": _OURS, "to": _PHONE}
    return {
        "message.sent": {**sent, "sent_at": now},
        "message.delivered": {**sent, "delivered_at": now},
        "message.failed": {**sent, "failed_at": now, "error": _TEXT},
        "message.received": {**message, "from": _PHONE, "to": _OURS, "received_at": now},
        "contact.suppressed": {"suppression_id": _id("sup"), "phone": _PHONE, "reason": "test", "source": "api"},
        "endpoint.disabled": {
            "webhook_id": _id("wh"),
            "name": "Test endpoint",
            "url": "https://example.com/hook",
            "disabled_at": now,
            "failing_since": now,
            "failures": 10,
            "last_error": "http_503",
        },
    }


_STATUS_AFTER = {
    "skipped": "skipped",
    "cancelled": "cancelled",
    "completed": "completed",
    "superseded": "superseded",
    "expired": "expired",
}


def _callback(change: str, now: str) -> dict[str, Any]:
    return {
        "id": 1,
        "type": "auto_retry",
        "status": _STATUS_AFTER.get(change, "pending"),
        "reason": "test",
        "scheduled_at": now,
        "time_zone": "UTC",
        "retry_number": 1,
        "retry_limit": 3,
        "adjusted_from": None,
        "adjusted_reason": None,
        "notes": _TEXT,
        "job_id": _id("call"),
        "campaign_id": _id("camp"),
        "contact": _CONTACT,
    }
