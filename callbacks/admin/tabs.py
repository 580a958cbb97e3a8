"""The queue's tabs by urgency with their counts, its filters, and one page of rows with why they wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList

from callbacks.models import Callback
from callbacks.queue_views import (
    ALL_PENDING,
    DUE_TODAY,
    GRACE,
    MOST_COUNTED,
    OVERDUE,
    QUEUES,
    THIS_WEEK,
    in_queue,
    why_waiting,
)
from callbacks.rules.statuses import CallbackStatus, CallbackType
from dialer.admin.choices import OutcomeFilter
from dialer.workspaces.admin.base import workspaces_of
from dialer.workspaces.admin.filters import ChoiceFilter
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace

HISTORY = "history"
TITLES = {
    OVERDUE: "Overdue",
    DUE_TODAY: "Due today",
    THIS_WEEK: "This week",
    ALL_PENDING: "All pending",
    HISTORY: "History",
}
TYPES = {
    CallbackType.AUTO_RETRY.value: "Retry",
    CallbackType.CUSTOMER_REQUESTED.value: "Requested",
    CallbackType.MANUAL.value: "Manual",
}


def in_queue_of(
    rows: QuerySet[Callback], queue: str, workspaces: Sequence[Workspace], *, now: datetime, grace: timedelta
) -> QuerySet[Callback]:
    """Return the rows of one view; "today" is the day in each workspace's own zone."""
    zones: dict[str, list[Workspace]] = {}
    for workspace in workspaces:
        zones.setdefault(workspace.time_zone, []).append(workspace)
    if not zones:
        return rows.none()
    # The rows are scoped already; naming the workspaces lets the queue's index return them in order.
    return reduce(
        or_,
        (
            in_queue(rows.filter(workspace_id__in=[w.pk for w in found]), queue, now=now, time_zone=zone, grace=grace)
            for zone, found in zones.items()
        ),
    )


def counts_of(request: HttpRequest, *, now: datetime) -> dict[str, int]:
    """Count each view up to one more than ``MOST_COUNTED``, above which a tab shows "10,000+"."""
    rows = Callback.objects.visible_to(request.user)
    seen = workspaces_of(request)
    return {queue: in_queue_of(rows, queue, seen, now=now, grace=GRACE)[: MOST_COUNTED + 1].count() for queue in QUEUES}


def counted(count: int) -> str:
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def how_late(scheduled_at: datetime, *, now: datetime) -> tuple[str, str]:
    """Return how far off a promise is: the kind of a badge, and its text."""
    late = now - scheduled_at
    if late > GRACE:
        return "late", f"{length_of(late)} late"
    if late >= timedelta():
        return "now", "due now"
    return "ahead", f"in {length_of(-late)}"


def length_of(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


class QueueFilter(ChoiceFilter):
    """The filter behind the tabs; the list of filters does not show it."""

    title = "queue"
    parameter_name = "queue"
    offered = tuple(TITLES.items())

    def has_output(self) -> bool:
        return False

    def queryset(self, request: HttpRequest, queryset: QuerySet[Callback]) -> QuerySet[Callback]:  # noqa: ARG002
        return queryset


class TypeFilter(ChoiceFilter):
    title = "type"
    parameter_name = path = "type"
    offered = tuple(TYPES.items())


class OriginalOutcomeFilter(OutcomeFilter):
    title = "original outcome"
    path = "original_outcome"


class QueueList(ChangeList):  # type: ignore[misc] # unfold has no types
    """One page of the queue; why its rows wait is read for all of them at once."""

    result_list: Any

    def get_queryset(self, request: HttpRequest, exclude_parameters: object = None) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = super().get_queryset(request, exclude_parameters)
        chosen = request.GET.get(QueueFilter.parameter_name)
        if chosen == HISTORY:
            return rows.exclude(status=CallbackStatus.PENDING.value)
        if chosen not in QUEUES:
            return rows
        return in_queue_of(rows, chosen, workspaces_of(request), now=database_now(), grace=timedelta())

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        explain(rows)
        self.result_list = rows


def explain(rows: Sequence[Callback]) -> None:
    """Set on each row the current time and why it waits, for the columns to read."""
    now = database_now()
    waiting = why_waiting(rows, now=now)
    for row in rows:
        row.seen_at = now  # type: ignore[attr-defined]
        row.waits = waiting.get(row.pk)  # type: ignore[attr-defined]
