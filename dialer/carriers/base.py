"""The protocol of carriers, in the words of the domain; each adapter translates its vendor's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable
from uuid import UUID


class ReportNotAuthentic(Exception):
    """The report is not signed by the carrier, or too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """A request from a carrier as it came; ``url`` is the public address that the carrier called, with its query."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRequest:
    """One call to place; the carrier accepts at most one request per ``call_id``."""

    call_id: UUID
    public_id: str
    to: str
    caller_id: str
    ring_timeout: timedelta
    max_duration: timedelta
    persona_endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """A call that a carrier was asked to place; ``carrier_call_id`` is empty while the carrier's id is not known.

    A carrier that takes no id of ours finds the call by its numbers and its time.
    """

    call_id: UUID
    carrier_call_id: str
    to: str
    caller_id: str
    at: datetime


class Health(StrEnum):
    """What an answer, or a missing one, says about the carrier itself."""

    ALIVE = "alive"  # it answers, even if it refuses
    OUT_OF_REACH = "out_of_reach"  # refused connection, no answer in time, an error of its own
    REJECTED = "rejected"  # it does not know our credentials
    UNSAID = "unsaid"  # nothing: the failure may be on our side


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The carrier has the call."""

    carrier_call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The carrier will never place this call; ``outcome`` is an ``Outcome`` of the domain."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The carrier did not take the call (rate, capacity, no connection): no attempt was made, it may be asked again."""

    reason: str
    retry_after: timedelta
    health: Health = Health.ALIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The carrier may or may not have taken the call; only a look-up can tell."""

    reason: str
    health: Health = Health.UNSAID


Answer = Accepted | Refused | Busy | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A carrier's report about a call; ``event_id``, the carrier's id of the report, identifies repetitions.

    Every report of an inbound call names caller and called number: any of them may arrive first, and the carrier does
    not know our ids.
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
    """The carrier knows the call: the reports so far, sent or not, and whether the call is live."""

    reports: Sequence[Report]
    is_live: bool


@dataclass(frozen=True, slots=True)
class NotFound:
    """The carrier does not know the call yet; a request under way may still reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotSay:
    """The carrier could not answer this time."""

    reason: str


LookUp = Found | NotFound | CannotSay


class Carrier(Protocol):
    """An adapter; instances are cheap and thread-safe. No method retries, and all use :mod:`.exchange`."""

    credential_names: ClassVar[frozenset[str]]
    """Allowed names of a line's credentials. No addresses: otherwise anyone who may edit a line could redirect
    our requests, and the secret in them. A carrier whose lines have credentials has an account for each line: reports
    come to the line's own address, are verified by its credentials, and count for this line alone."""

    def place(self, request: PlaceRequest) -> Answer: ...

    def look_up(self, call: HandedOver) -> LookUp:
        """Return what the carrier knows about the call, with the reports of this call only."""
        ...

    def hang_up(self, call: HandedOver) -> None: ...

    def parse_reports(self, request: ReportRequest) -> list[Report]:
        """Return the reports in a request; raises :class:`ReportNotAuthentic`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """One text message to send; the carrier accepts at most one request per ``message_id``."""

    message_id: UUID
    public_id: str
    to: str
    caller_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The carrier has the message; ``segments`` is the number of short messages, if the carrier says so."""

    carrier_message_id: str
    segments: int | None = None


SendAnswer = Sent | Refused | Busy | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReport:
    """The fate of a message that we sent, or a received message, which has the carrier's id only."""

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
    """An adapter whose carrier also takes text messages. No method retries."""

    def send(self, request: SendRequest) -> SendAnswer: ...

    def parse_messages(self, request: ReportRequest) -> list[MessageReport]:
        """Return the reports in a request; raises :class:`ReportNotAuthentic`."""
        ...
