"""The last check before a call is handed over: everything that may forbid it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.rules.contact_limits import Handed
from dialer.rules.openings import Terms, next_possible
from dialer.rules.waits import Waits
from dialer.rules.withdrawals import Withdrawal

BUSY_CONTACT_WAIT = timedelta(seconds=10)
"""How long to wait before a contact who is on the phone is tried again."""
CLOCK_TOLERANCE = timedelta(seconds=1)
"""A call that arrives earlier than this before its time comes from a host with a wrong clock; it is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The facts about a claimed call, read under its locks."""

    due_at: datetime
    not_after: datetime | None
    terms: Terms
    is_suppressed: bool
    is_contact_gone: bool
    is_contact_busy: bool
    campaign_status: str | None
    line_down_until: datetime | None
    forced: frozenset[str]


@dataclass(frozen=True, slots=True)
class Go:
    """Hand it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Not now: look again at ``due_at``."""

    reason: Waits
    due_at: datetime
    is_hopeless: bool = False
    """Whether the reason will still hold at ``due_at`` unless a person changes something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Never: its reason is gone."""

    reason: Withdrawal


Eligibility = Go | Hold | Drop


def eligibility_of(candidate: Candidate, *, ledger: Sequence[Handed], now: datetime) -> Eligibility:  # noqa: PLR0911 — one per reason
    """Judge one call at ``now``. An operator can force neither a suppressed number nor a contact with a live call."""
    if gone := _reason_gone(candidate):
        return Drop(reason=gone)
    if candidate.campaign_status not in (None, "running") and Waits.CAMPAIGN_PAUSED not in candidate.forced:
        return Hold(reason=Waits.CAMPAIGN_PAUSED, due_at=candidate.due_at)
    if candidate.due_at > now + CLOCK_TOLERANCE:
        return Hold(reason=Waits.EARLY, due_at=candidate.due_at)
    if candidate.not_after is not None and now > candidate.not_after:
        return Hold(reason=Waits.STALE, due_at=candidate.due_at)
    if candidate.is_contact_busy:
        return Hold(reason=Waits.CONTACT_BUSY, due_at=now + BUSY_CONTACT_WAIT)
    if candidate.line_down_until is not None and now < candidate.line_down_until:
        return Hold(reason=Waits.CARRIER_DOWN, due_at=candidate.line_down_until)
    possible = next_possible(candidate.terms, at=now, ledger=ledger, forced=candidate.forced)
    if possible.at is None:
        return Hold(reason=Waits.OUTSIDE_WINDOW, due_at=now + timedelta(days=1), is_hopeless=True)
    if possible.shifts:
        return Hold(reason=possible.shifts[0].reason, due_at=possible.at)
    return Go()


def _reason_gone(candidate: Candidate) -> Withdrawal | None:
    """Return why the call is not wanted any more; ``None`` if it still is."""
    if candidate.is_suppressed:
        return Withdrawal.SUPPRESSED
    if candidate.is_contact_gone:
        return Withdrawal.CONTACT_DELETED
    return Withdrawal.CAMPAIGN_ENDED if candidate.campaign_status in ("completed", "cancelled", "failed") else None
