"""The listener of calls: the dialer tells it each fact in the transaction of the fact.

A queued call carries out a callback that the package above keeps. The implementation is named by the setting
``CALL_LISTENER``; ``NoListener`` is a dialer without callbacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import NamedTuple, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from dialer.calls.context import CallContext, terms_of
from dialer.rules.openings import Terms
from dialer.rules.statuses import Outcome
from dialer.rules.withdrawals import Withdrawal
from webhooks.outbox import NewEvent


class CallEnd(NamedTuple):
    """The end of one call: first as the carrier or a deadline gives it, then as :mod:`completion` corrects it."""

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
    """A call that has ended: its context before the end, and the end."""

    call: CallContext
    end: CallEnd

    @cached_property
    def terms(self) -> Terms:
        """The rules that say when the contact may be called next."""
        return terms_of(self.call)

    @property
    def talked_seconds(self) -> float:
        """The length of the talk: the carrier's figure, else the time from answer to end."""
        if self.end.duration_seconds is not None or self.call.answered_at is None:
            return self.end.duration_seconds or 0
        return max((self.end.at - self.call.answered_at).total_seconds(), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCallback:
    """The callback that a chain waits for."""

    id: int
    scheduled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What follows a call that ended.

    ``next_retry_at`` is the time of an automatic retry, ``pending`` the callback that the chain waits for. Without
    ``pending`` the chain is over, for the reason ``stop``. ``events`` are recorded before the call's end.
    """

    next_retry_at: datetime | None = None
    attempts_left: int = 0
    pending: PendingCallback | None = None
    stop: str = ""
    events: Sequence[NewEvent] = ()


class CallListener(Protocol):
    """One method per fact; each takes a batch and runs in the caller's transaction."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None: ...

    def calls_ended(self, calls: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]: ...

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: Withdrawal, *, now: datetime) -> None: ...

    def calls_put_back(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """The carrier was too busy to take these calls: they are queued again, and no attempt was made."""

    def calls_missed(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """These retries fell due while their campaign was paused; it resumes, and they are to be moved."""

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        """The number or the zone of these contacts has changed, so their local time may have changed too."""

    def contact_forgotten(self, contact_id: UUID, *, workspace_id: UUID) -> None:
        """The contact is forgotten: no text about it may stay. Told again a day later."""


class NoListener:
    """A dialer without callbacks: every chain is over after its first call."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_ended(self, calls: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]:  # noqa: ARG002
        return {ended.call.id: FollowUp(stop=ended.end.outcome) for ended in calls}

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: Withdrawal, *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_put_back(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Nothing waits for these calls."""

    def calls_missed(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """There are no retries."""

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        """There are no callbacks to move."""

    def contact_forgotten(self, contact_id: UUID, *, workspace_id: UUID) -> None:
        """There are no notes about it."""


@cache
def _load(path: str) -> CallListener:
    made: CallListener = import_string(path)()
    return made


def listener() -> CallListener:
    """Return the implementation that the setting names."""
    return _load(settings.CALL_LISTENER)
