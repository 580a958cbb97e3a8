"""The callback queue in four views by urgency, and why a due callback is not being dialled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from callbacks.models import Callback
from callbacks.rules.statuses import CallbackStatus
from dialer.calls.context import CallContext
from dialer.dialing import eligibility
from dialer.rules.eligibility import Drop, Eligibility, Hold
from dialer.rules.waits import TEXTS, Waits

OVERDUE, DUE_TODAY, THIS_WEEK, ALL_PENDING = "overdue", "due_today", "this_week", "all_pending"
QUEUES = (OVERDUE, DUE_TODAY, THIS_WEEK, ALL_PENDING)
GRACE = timedelta(seconds=60)
"""A callback is counted and coloured as overdue only after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a due callback is not being dialled, and when it could be; ``None`` if that takes a person's decision."""

    code: str
    text: str
    next_possible_at: datetime | None


def in_queue(
    callbacks: QuerySet[Callback], queue: str, *, now: datetime, time_zone: str, grace: timedelta = timedelta()
) -> QuerySet[Callback]:
    """Return the pending callbacks of one view; days and weeks are those of ``time_zone``, weeks end on Sunday."""
    pending = callbacks.filter(status=CallbackStatus.PENDING.value)
    local = now.astimezone(ZoneInfo(time_zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match queue:
        case "overdue":
            return pending.filter(scheduled_at__lt=now - grace)
        case "due_today":
            return pending.filter(scheduled_at__gte=midnight, scheduled_at__lt=_days_later(midnight, 1))
        case "this_week":
            return pending.filter(scheduled_at__gte=now, scheduled_at__lt=_days_later(midnight, 7 - local.weekday()))
        case "all_pending":
            return pending
    message = f"unknown queue {queue!r}"
    raise ValueError(message)


def why_waiting(callbacks: Sequence[Callback], *, now: datetime) -> Mapping[int, Waiting]:
    """Return why each due callback is not being dialled, by its id, judged by the same rules as placing.

    A callback that nothing holds is left out: it has just come due or is being handed over. Runs a constant number of
    statements.
    """
    due = {c.call_id: c for c in callbacks if c.status == CallbackStatus.PENDING and c.scheduled_at <= now}
    waiting: dict[int, Waiting] = {}
    for call_id, (call, answer) in eligibility.check_unlocked(due, now=now).items():
        found = _reason_and_time(call, answer, now=now)
        if found is not None:
            code, at = found
            waiting[due[call_id].pk] = Waiting(code=code.value, text=_sentence(code), next_possible_at=at)
    return waiting


def _sentence(why: Waits) -> str:
    text = TEXTS[why]
    return f"{text[:1].upper()}{text[1:]}."


def _reason_and_time(call: CallContext, answer: Eligibility, *, now: datetime) -> tuple[Waits, datetime | None] | None:
    match answer:
        case Hold(reason=(Waits.CAMPAIGN_PAUSED | Waits.STALE) as reason):
            return reason, None
        case Hold(reason=reason, due_at=at, is_hopeless=is_hopeless):
            return reason, None if is_hopeless else at
        case Drop():
            return None
    if call.due_at > now:
        # Nothing holds the call any more, but the dispatcher looks at it again only at ``due_at``.
        return Waits(call.held_reason) if call.held_reason in set(Waits) else Waits.AT_CAPACITY, call.due_at
    if call.lease_until is None and call.due_at + GRACE < now:
        return Waits.AT_CAPACITY, now
    return None


def _days_later(midnight: datetime, days: int) -> datetime:
    """Add days in wall-clock time, so that a day on which the clocks change still counts as one day."""
    return midnight + timedelta(days=days)
