"""The listener of calls: the dialer tells it each fact in the transaction of the fact.

A queued call is the body of a promise that somebody above made. The implementation is named by the setting
``CALL_LISTENER``; ``NoListener`` is a dialer without callbacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from dialer.calls.context import CallContext, terms_of
from dialer.rules.openings import Terms
from dialer.rules.statuses import Outcome
from dialer.rules.withdrawals import Withdrawal
from webhooks.outbox import NewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """The end of one call: as its carrier, or a deadline, says it, and then as it counts (:mod:`completion`)."""

    call_id: UUID
    outcome: Outcome
    ended_reason: str
    at: datetime
    duration_seconds: int | None = None
    transcript: str | None = None
    recording_url: str | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    carrier_call_id: str = ""


@dataclass(frozen=True, kw_only=True)
class EndedCall:
    """A call that has ended: its context as it was before, and its end."""

    call: CallContext
    end: CallEnd

    @cached_property
    def terms(self) -> Terms:
        """When the contact may be called next."""
        return terms_of(self.call)

    @property
    def talked_seconds(self) -> float:
        """How long a talk lasted: as the carrier counts it, else from the answer to the end."""
        if self.end.duration_seconds is not None or self.call.answered_at is None:
            return self.end.duration_seconds or 0
        return max((self.end.at - self.call.answered_at).total_seconds(), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCallback:
    """The promise that a chain waits for."""

    id: int
    scheduled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What follows a call that ended.

    ``next_retry_at`` speaks of an automatic retry, ``pending`` of whatever the chain waits for; a chain with nothing
    pending is over, ``stop`` being the reason. ``events`` are told before the call's end.
    """

    next_retry_at: datetime | None = None
    attempts_left: int = 0
    pending: PendingCallback | None = None
    stop: str = ""
    events: Sequence[NewEvent] = ()


class CallListener(Protocol):
    """The facts; each in the caller's transaction, for a batch."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None: ...

    def calls_ended(self, calls: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]: ...

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: Withdrawal, *, now: datetime) -> None: ...

    def calls_put_back(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Their carrier was too busy to take these calls: they are queued again, and no attempt was made."""

    def calls_missed(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """The time of these retries passed while their campaign was paused; it resumes and wants them moved."""

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        """These contacts live by another clock now, or may: their number or their zone has changed."""


class NoListener:
    """Nobody promised anything: every chain is over with its first call."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_ended(self, calls: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]:  # noqa: ARG002
        return {ended.call.id: FollowUp(stop=ended.end.outcome) for ended in calls}

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: Withdrawal, *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_put_back(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_missed(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nobody made a retry."""

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing was promised for a time on anybody's clock."""


@cache
def _load(path: str) -> CallListener:
    made: CallListener = import_string(path)()
    return made


def listener() -> CallListener:
    """Return the implementation that the setting names."""
    return _load(settings.CALL_LISTENER)
