"""What the dialer tells whoever made a call necessary: facts, in the transaction of the fact.

A queued call is the body of a promise that somebody above made. The implementation is named by the setting
``CALL_LISTENER``; ``NoListener`` is a dialer without callbacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from dialer.rules.openings import Terms
from webhooks.outbox import NewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCall:
    """A call that has ended, with all that deciding what follows needs."""

    call_id: UUID
    workspace_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    campaign_contact_id: UUID | None
    persona_id: UUID
    line_id: UUID
    number: str
    caller_id: str
    chain_id: UUID
    attempt_number: int
    retries_used: int
    outcome: str
    ended_at: datetime
    is_inbound: bool
    began_at: datetime | None
    """When it was handed over, or came in."""
    talked_seconds: float
    was_dialled: bool
    is_suppressed: bool
    is_settled: bool
    """A person ended the chain while the call was live."""
    call_schedule: Mapping[str, Any]
    campaign_schedule: Mapping[str, Any]
    workspace_schedule: Mapping[str, Any]
    campaign_policy: Mapping[str, Any] | None
    workspace_policy: Mapping[str, Any] | None
    campaign_status: str
    stale_after_hours: int
    terms: Terms
    config_webhooks: Any
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCallback:
    """The promise that a chain waits for."""

    id: int
    scheduled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What follows a call that ended.

    ``will_retry`` and ``next_retry_at`` speak of an automatic retry, ``pending`` of whatever the chain waits for;
    a chain with nothing pending is over, ``stop`` being the reason. ``events`` are told before the call's end.
    """

    will_retry: bool
    next_retry_at: datetime | None
    attempts_left: int
    pending: PendingCallback | None
    stop: str
    events: Sequence[NewEvent] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A call that is now due at ``due_at``: put back by the carrier before it took it, or ``rescheduled``."""

    call_id: UUID
    due_at: datetime
    reason: str


class CallListener(Protocol):
    """The facts; each in the caller's transaction, for a batch."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None: ...

    def calls_ended(self, calls: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]: ...

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: str, *, now: datetime) -> None: ...

    def calls_moved(self, moves: Sequence[Move], *, now: datetime) -> None: ...

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        """These contacts live by another clock now, or may: their number or their zone has changed."""

    def wanted_again(self, call_ids: Sequence[UUID], *, now: datetime) -> Mapping[UUID, datetime]:
        """Answer the one question: from when retries are wanted whose time passed while their campaign was paused.

        One that is left out is wanted at once.
        """
        ...


class NoListener:
    """Nobody promised anything: every chain is over with its first call."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_ended(self, calls: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]:  # noqa: ARG002
        return {
            call.call_id: FollowUp(
                will_retry=False,
                next_retry_at=None,
                attempts_left=0,
                pending=None,
                stop=call.outcome,
            )
            for call in calls
        }

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: str, *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_moved(self, moves: Sequence[Move], *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing was promised for a time on anybody's clock."""

    def wanted_again(self, call_ids: Sequence[UUID], *, now: datetime) -> Mapping[UUID, datetime]:  # noqa: ARG002
        return {}


@cache
def _load(path: str) -> CallListener:
    made: CallListener = import_string(path)()
    return made


def listener() -> CallListener:
    """Return the implementation that the setting names."""
    return _load(settings.CALL_LISTENER)
