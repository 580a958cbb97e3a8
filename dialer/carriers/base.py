"""What every carrier can do, in the words of the domain; a vendor's words stop at its adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable
from uuid import UUID


class ReportNotAuthentic(Exception):
    """The report is not signed by the carrier, or too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRequest:
    """One call to be placed; ``call_id`` is the carrier's key for it, at most one is ever accepted."""

    call_id: UUID
    public_id: str
    to: str
    caller_id: str
    ring_timeout: timedelta
    max_duration: timedelta
    persona_endpoint: str


class Health(StrEnum):
    """What an answer, or its absence, says of the carrier itself."""

    ALIVE = "alive"  # it answers, whatever it says
    OUT_OF_REACH = "out_of_reach"  # refused connection, no answer in time, an error of its own
    REJECTED = "rejected"  # it does not know our credentials
    UNSAID = "unsaid"  # nothing: the failure was on our side, or may have been


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The carrier has the call."""

    carrier_call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The carrier will never place this call; ``outcome`` is one of the domain's."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Refused before it was taken (rate, capacity, trunk, nobody there): no attempt was made, it may be asked again."""

    reason: str
    retry_after: timedelta
    health: Health = Health.ALIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The answer may mean either; only a look at the carrier can tell."""

    reason: str
    health: Health = Health.UNSAID


Answer = Accepted | Refused | Busy | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A carrier's report about a call; ``event_id`` is the carrier's id of it and makes a repetition known.

    Every report of an inbound call says who rang which number: any of them may be the first that arrives, and the
    carrier knows none of our ids.
    """

    kind: Literal["ringing", "answered", "machine", "ended"]
    event_id: str
    call_id: UUID | None
    carrier_call_id: str
    occurred_at: datetime
    outcome: str | None = None
    ended_reason: str | None = None
    duration_seconds: int | None = None
    transcript: str | None = None
    recording_url: str | None = None
    direction: Literal["outbound", "inbound"] = "outbound"
    from_number: str | None = None
    to_number: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The carrier knows the call: what it reported or would report, and whether it goes on."""

    reports: Sequence[Report]
    is_live: bool


@dataclass(frozen=True, slots=True)
class NotFound:
    """The carrier does not know the call now; a request under way may still arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotSay:
    """The carrier cannot be asked at this time."""

    reason: str


LookUp = Found | NotFound | CannotSay


class Carrier(Protocol):
    """An adapter; instances are cheap and safe to use from several threads. No method retries by itself."""

    credential_names: ClassVar[frozenset[str]]
    """What the credentials of a line may hold. An address is none of it: whoever may write a line would choose where
    our requests go, and what secret goes with them."""

    def place(self, request: PlaceRequest) -> Answer: ...

    def look_up(self, call_id: UUID) -> LookUp:
        """Return what the carrier knows of the call, with reports of this call and of no other."""
        ...

    def hang_up(self, call_id: UUID) -> None: ...

    def parse_reports(self, headers: Mapping[str, str], body: bytes) -> list[Report]:
        """Return the reports in a request; raises :class:`ReportNotAuthentic`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """One text message to be sent; ``message_id`` is the carrier's key for it, at most one is ever accepted."""

    message_id: UUID
    public_id: str
    to: str
    caller_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The carrier has the message, and made so many short ones of it where it says so."""

    carrier_message_id: str
    segments: int | None = None


SendAnswer = Sent | Refused | Busy | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReport:
    """What became of a message that we sent, or one that somebody sent us: that has the carrier's own id only."""

    kind: Literal["delivered", "failed", "received"]
    message_id: UUID | None
    carrier_message_id: str
    occurred_at: datetime
    reason: str = ""
    from_number: str = ""
    to_number: str = ""
    body: str = ""


@runtime_checkable
class Messenger(Protocol):
    """An adapter whose carrier also takes text messages. No method retries by itself."""

    def send(self, request: SendRequest) -> SendAnswer: ...

    def parse_messages(self, headers: Mapping[str, str], body: bytes) -> list[MessageReport]:
        """Return the reports in a request; raises :class:`ReportNotAuthentic`."""
        ...
