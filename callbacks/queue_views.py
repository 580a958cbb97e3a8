"""The callback queue as people look at it: four views by urgency, and why a due callback is not being dialled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from callbacks.models import Callback
from callbacks.rules.statuses import CallbackStatus
from dialer import facts
from dialer.rules.contact_limits import Handed
from dialer.rules.forcing import in_force
from dialer.rules.openings import next_possible
from dialer.rules.statuses import CallStatus
from dialer.workspaces.statements import run

OVERDUE, DUE_TODAY, THIS_WEEK, ALL_PENDING = "overdue", "due_today", "this_week", "all_pending"
QUEUES = (OVERDUE, DUE_TODAY, THIS_WEEK, ALL_PENDING)
GRACE = timedelta(seconds=60)
"""A callback is counted and coloured as overdue only after this."""

_WORDS = {
    "campaign_paused": "The campaign is paused.",
    "outside_window": "Outside the calling window.",
    "contact_limit": "One more call would exceed the contact limit.",
    "contact_busy": "The contact is on the phone.",
    "at_capacity": "All slots of the campaign, the line or the workspace are taken.",
    "stale": "Too late to be dialled by itself; an operator decides.",
    "carrier_down": "The carrier cannot be reached.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a due callback is not being dialled, and when it could be."""

    code: str
    text: str
    next_possible_at: datetime | None


def in_queue(
    callbacks: QuerySet[Callback], queue: str, *, now: datetime, time_zone: str, grace: timedelta = timedelta()
) -> QuerySet[Callback]:
    """Keep the pending callbacks of one view; days and weeks are those of ``time_zone``, weeks end on Sunday."""
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
    """Say for each pending callback that is due why it is not being dialled; one that just comes due is left out.

    A constant number of statements, whatever the number of callbacks.
    """
    due = {c.call_id: c for c in callbacks if c.status == CallbackStatus.PENDING and c.scheduled_at <= now}
    rows = [fact for fact in facts.facts_of(due) if fact.status == CallStatus.QUEUED]
    terms = {fact.id: facts.terms_of(fact) for fact in rows}
    ledger = facts.ledger_of(((f.workspace_id, f.phone, terms[f.id]) for f in rows), now=now)
    busy = _busy(rows)
    waiting: dict[int, Waiting] = {}
    for fact in rows:
        callback = due[fact.id]
        found = _why(fact, terms[fact.id], ledger.get((fact.workspace_id, fact.phone), ()), busy, now=now)
        if found is not None:
            code, at = found
            waiting[callback.pk] = Waiting(code=code, text=_WORDS[code], next_possible_at=at)
    return waiting


def _why(  # noqa: PLR0911 — one per reason
    fact: Any,  # noqa: ANN401 — a row of facts
    terms: Any,  # noqa: ANN401
    ledger: Sequence[Handed],
    busy: set[Any],
    *,
    now: datetime,
) -> tuple[str, datetime | None] | None:
    forced = in_force(facts.parsed(fact.force), now=now)
    possible = next_possible(terms, at=now, ledger=ledger, forced=forced)
    if fact.campaign_status not in (None, "running") and "campaign_paused" not in forced:
        return "campaign_paused", None
    if fact.not_after is not None and now > fact.not_after:
        return "stale", None
    if fact.down_until is not None and now < fact.down_until:
        return "carrier_down", fact.down_until
    if possible.shifts:
        return possible.shifts[0].reason, possible.at
    if possible.at is None:
        return "outside_window", None
    if (fact.workspace_id, fact.phone) in busy or fact.contact_id in busy:
        return "contact_busy", max(fact.due_at, now)
    if fact.lease_until is None and fact.due_at + GRACE < now:
        return "at_capacity", None
    return None


def _busy(rows: Sequence[Any]) -> set[Any]:
    live = run(
        "contacts_on_the_phone",
        """
        SELECT workspace_id, number, contact_id FROM dialer_call
        WHERE (workspace_id, number) IN (SELECT * FROM unnest(%(workspaces)s::uuid[], %(numbers)s::text[]))
            AND status IN ('dialing', 'ringing', 'in_progress') AND direction = 'outbound'
        UNION ALL
        SELECT workspace_id, number, contact_id FROM dialer_call
        WHERE workspace_id = ANY(%(workspaces)s::uuid[])
            AND (number = ANY(%(numbers)s::text[]) OR contact_id = ANY(%(contacts)s::uuid[]))
            AND status IN ('dialing', 'ringing', 'in_progress') AND direction = 'inbound'
        """,
        {
            "workspaces": [fact.workspace_id for fact in rows],
            "numbers": [fact.phone for fact in rows],
            "contacts": [fact.contact_id for fact in rows],
        },
    )
    return {(row.workspace_id, row.number) for row in live} | {row.contact_id for row in live}


def _days_later(midnight: datetime, days: int) -> datetime:
    """Local midnight ``days`` later: wall-clock arithmetic, so that a day with a change of clocks stays one day."""
    return midnight + timedelta(days=days)
