"""The callback queue in four views by urgency, their counts, and why a due callback is not being dialled."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from callbacks.models import Callback
from callbacks.rules.statuses import CallbackStatus
from dialer.dialing import waiting
from dialer.dialing.waiting import Waiting
from dialer.workspaces.statements import fetch

OVERDUE, DUE_TODAY, THIS_WEEK, ALL_PENDING = "overdue", "due_today", "this_week", "all_pending"
QUEUES = (OVERDUE, DUE_TODAY, THIS_WEEK, ALL_PENDING)
GRACE = timedelta(seconds=60)
"""A callback is counted and coloured as overdue only after this."""
MOST_COUNTED = 10_000
"""Counting stops above this, so that nobody waits for a count of a big table."""


def in_queue(
    callbacks: QuerySet[Callback], queue: str, *, now: datetime, time_zone: str, grace: timedelta = timedelta()
) -> QuerySet[Callback]:
    """Return the pending callbacks of one view; days and weeks are those of ``time_zone``, weeks end on Sunday."""
    pending = callbacks.filter(status=CallbackStatus.PENDING.value)
    since, until = _bounds(queue, now=now, time_zone=time_zone, grace=grace)
    if since is not None:
        pending = pending.filter(scheduled_at__gte=since)
    if until is not None:
        pending = pending.filter(scheduled_at__lt=until)
    return pending


class _Counted(NamedTuple):
    queue: str
    callbacks: int


def counts(workspace_id: UUID, *, now: datetime, time_zone: str) -> Mapping[str, int]:
    """Count each view of a workspace up to one more than ``MOST_COUNTED``, in one statement that reads an index.

    A callback counts as overdue after ``GRACE``.
    """
    bounds = {queue: _bounds(queue, now=now, time_zone=time_zone, grace=GRACE) for queue in QUEUES}
    rows = fetch(
        _Counted,
        "queue_counts",
        """
        SELECT q.queue, (
            SELECT count(*)::int FROM (
                SELECT FROM callbacks_callback b
                WHERE b.workspace_id = %(workspace)s AND b.status = 'pending'
                    AND b.scheduled_at >= q.since AND b.scheduled_at < q.until
                LIMIT %(most)s
            ) AS found
        ) AS callbacks
        FROM (
            SELECT queue, coalesce(since, '-infinity') AS since, coalesce(until, 'infinity') AS until
            FROM unnest(%(queues)s::text[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[])
                AS t(queue, since, until)
        ) AS q
        """,
        {
            "workspace": workspace_id,
            "most": MOST_COUNTED + 1,
            "queues": list(bounds),
            "sinces": [since for since, _ in bounds.values()],
            "untils": [until for _, until in bounds.values()],
        },
    )
    return {row.queue: row.callbacks for row in rows}


def why_waiting(callbacks: Sequence[Callback], *, now: datetime) -> Mapping[int, Waiting]:
    """Return why each due callback is not being dialled, by its id, judged by the same rules as placing.

    A callback that nothing holds is left out: it has just come due or is being handed over. Runs a constant number of
    statements.
    """
    due = {c.call_id: c for c in callbacks if c.status == CallbackStatus.PENDING and c.scheduled_at <= now}
    return {due[call_id].pk: why for call_id, why in waiting.why_waiting(due, now=now).items()}


def _bounds(queue: str, *, now: datetime, time_zone: str, grace: timedelta) -> tuple[datetime | None, datetime | None]:
    """Return the first promised time of a view, and the first after it."""
    local = now.astimezone(ZoneInfo(time_zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match queue:
        case "overdue":
            return None, now - grace
        case "due_today":
            return midnight, _days_later(midnight, 1)
        case "this_week":
            return now, _days_later(midnight, 7 - local.weekday())
        case "all_pending":
            return None, None
    message = f"unknown queue {queue!r}"
    raise ValueError(message)


def _days_later(midnight: datetime, days: int) -> datetime:
    """Add days in wall-clock time, so that a day on which the clocks change still counts as one day."""
    return midnight + timedelta(days=days)
