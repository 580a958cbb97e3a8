"""Calls and messages in the batch profile: the items of its arrays, field by field.

Names, order and spellings follow the published contract. Ids are bare UUIDs, numbers are digits, times have
milliseconds; optional fields without a value are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from dialer.rules.statuses import Outcome
from dialer.workspaces.instants import written_with_milliseconds

COMPLETE = "Complete"
PARTIAL = "Partial"
NOT_COMPLETE = "Not Complete"

TALKS = frozenset({Outcome.ANSWERED, Outcome.DNC_REQUEST})
"""Outcomes of calls in which a person talked."""
_RANG = TALKS | {Outcome.VOICEMAIL, Outcome.NO_ANSWER, Outcome.DECLINED}
_NOTE = {
    Outcome.INVALID_NUMBER: "invalid phone",
    Outcome.NETWORK_ERROR: "network error",
    Outcome.BUSY: "busy",
    Outcome.UNKNOWN: "unknown",
    Outcome.CANCELLED: "cancelled",
}
_IN_WORDS = {
    Outcome.ANSWERED: "Customer exited before the first question",
    Outcome.DNC_REQUEST: "Customer asked not to be called",
    Outcome.VOICEMAIL: "Voicemail",
    Outcome.NO_ANSWER: "No answer",
    Outcome.BUSY: "Busy",
    Outcome.NETWORK_ERROR: "Network error",
    Outcome.INVALID_NUMBER: "Invalid number",
    Outcome.DECLINED: "Declined",
    Outcome.UNKNOWN: "Unknown",
    Outcome.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The contact of a call or message, with its campaign."""

    phone: str
    name: str = ""
    external_id: str | None = None
    campaign_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The call that decides the result of a contact, and its analysis."""

    call_id: UUID
    chain_id: UUID
    outcome: Outcome
    started_at: datetime
    has_flow: bool
    """Whether the persona asks a list of questions, so that only the analysis knows if all were answered."""
    analysis: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        if self.outcome not in TALKS:
            return NOT_COMPLETE
        flow, is_completed = self.analysis.get("flow"), self.analysis.get("flow_completed")
        if is_completed or (not self.has_flow and not flow and is_completed is None):
            return COMPLETE
        return PARTIAL if any(_has_response(step) for step in steps(flow)) else NOT_COMPLETE

    @property
    def in_words(self) -> str:
        if self.outcome is Outcome.DNC_REQUEST:
            return _IN_WORDS[self.outcome]
        words = {COMPLETE: "No further action", PARTIAL: "Customer exited part way through"}
        return words.get(self.status) or _IN_WORDS[self.outcome]


def call_complete(item_id: UUID, party: Party, result: Result, *, at: datetime) -> dict[str, object]:
    """Return the item with the final result of a contact."""
    flow = steps(result.analysis.get("flow"))
    asked = [name for step in flow if isinstance(step, Mapping) and (name := step.get("questionName"))]
    last_step = result.analysis.get("last_step_name") or (asked[-1] if asked else None)
    return {
        "id": str(item_id),
        "eventType": "CallComplete",
        "createdAt": written_with_milliseconds(at),
        "data": {
            **_correlation(party),
            "sessionId": str(result.call_id),
            "callResultId": str(result.chain_id),
            "name": party.name,
            "phone": digits(party.phone),
            **_campaign(party),
            "lastStepName": last_step,
            "startedTime": written_with_milliseconds(result.started_at),
            "flow": flow,
            "requests": steps(result.analysis.get("requests")),
            "status": result.status,
            "additionalInformation": result.in_words,
        },
    }


def call_attempted(party: Party, *, outcome: Outcome, rang: bool, at: datetime) -> dict[str, object]:
    """Return the item of one attempt; it is a success if the phone rang or somebody answered."""
    succeeded = rang or outcome in _RANG
    said = {"status": "success"} if succeeded else {"status": "failed", "note": _NOTE[outcome]}
    return {
        "time": written_with_milliseconds(at),
        "phone": digits(party.phone),
        **said,
        **_campaign(party),
        **_correlation(party),
    }


def call_received(party: Party, *, kind: str, at: datetime) -> dict[str, object]:
    """Return the item of an inbound call (``inbound``) or of a callback that connects (``outbound-callback``)."""
    return {
        "time": written_with_milliseconds(at),
        "phone": digits(party.phone),
        "type": kind,
        **_campaign(party),
        **_correlation(party),
    }


def sms(party: Party, *, from_number: str, to_number: str, text: str, at: datetime) -> dict[str, object]:
    """Return the item of a message sent or received."""
    return {
        "time": written_with_milliseconds(at),
        "from": digits(from_number),
        "to": digits(to_number),
        "message": text,
        **_campaign(party),
        **_correlation(party),
    }


def digits(number: str) -> str:
    """Return the digits of a number; a text without digits, such as a sender's name, unchanged."""
    return "".join(character for character in number if character in "0123456789") or number


def steps(value: object) -> list[Any]:
    """Return a list from an analysis; anything else does not fit the contract and becomes an empty list."""
    return list(value) if isinstance(value, list | tuple) else []


def _has_response(step: object) -> bool:
    return isinstance(step, Mapping) and bool(step.get("response") or step.get("transcript"))


def _campaign(party: Party) -> dict[str, str]:
    return {"campaignId": str(party.campaign_id)} if party.campaign_id else {}


def _correlation(party: Party) -> dict[str, str]:
    return {"correlationId": party.external_id} if party.external_id else {}
