"""The feed: events of a workspace in an order in which none is skipped.

An event is written in the transaction of its fact, and transactions do not commit in the order in which they began.
A reader that continues after the newest event it saw would miss an event that was written earlier and commits later.
So each event stores the number of its transaction, the feed is ordered by that number, and it ends before the oldest
transaction that is still writing (ADR 10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from dialer.workspaces.ids import first_id_at
from dialer.workspaces.statements import fetch
from webhooks.models import Event

_CLOCKS_APART = timedelta(days=1)
"""Far more than the clocks that make ids differ from the database's clock."""
_NIL = UUID(int=0)


class NoSuchEvent(LookupError):
    """The event to continue after does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """A filter of events; a field that is left out limits nothing. ``since`` is compared with the time of recording."""

    type: str | None = None
    campaign_id: UUID | None = None
    call_id: UUID | None = None
    since: datetime | None = None


class Told(NamedTuple):
    """An event of the feed."""

    id: UUID
    type: str
    occurred_at: datetime
    recorded_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events in the feed's order."""

    events: Sequence[Told]
    has_more: bool


_FEED = """
    SELECT e.id, e.type, e.occurred_at, e.created_at AS recorded_at, e.body
    FROM webhooks_event e
    WHERE e.workspace_id = %(workspace)s AND (e.recorded_in, e.id) > (%(recorded_in)s::bigint, %(after)s::uuid)
        AND e.recorded_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        AND NOT e.is_test
        AND (%(type)s::text IS NULL OR e.type = %(type)s)
        AND (%(campaign)s::uuid IS NULL OR e.campaign_id = %(campaign)s)
        AND (%(call)s::uuid IS NULL OR e.call_id = %(call)s)
        AND (%(since)s::timestamptz IS NULL OR e.created_at >= %(since)s)
    ORDER BY e.recorded_in, e.id LIMIT %(limit)s
"""
_FIRST_SINCE = """
    SELECT min(e.recorded_in) AS recorded_in FROM webhooks_event e
    WHERE e.workspace_id = %(workspace)s AND e.id >= %(from_id)s AND e.created_at >= %(since)s
"""


def read(workspace_id: UUID, interest: Interest, *, after: UUID | None, limit: int) -> Page:
    """Return at most ``limit`` events that follow ``after``, or the first ones without it.

    No event is ever added before one that was returned. Tests are left out. Raises :class:`NoSuchEvent`.
    """
    recorded_in, after_id = _place(workspace_id, interest, after)
    rows = fetch(
        Told,
        "event_feed",
        _FEED,
        {
            "workspace": workspace_id,
            "recorded_in": recorded_in,
            "after": after_id,
            "type": interest.type,
            "campaign": interest.campaign_id,
            "call": interest.call_id,
            "since": interest.since,
            "limit": limit + 1,
        },
    )
    return Page(events=rows[:limit], has_more=len(rows) > limit)


class _First(NamedTuple):
    recorded_in: int | None


def _place(workspace_id: UUID, interest: Interest, after: UUID | None) -> tuple[int, UUID]:
    if after is not None:
        found = Event.objects.in_workspace(workspace_id).filter(pk=after).values_list("recorded_in", flat=True).first()
        if found is None:
            raise NoSuchEvent
        return found, after
    if interest.since is None:
        return -1, _NIL
    begin = {
        "workspace": workspace_id,
        "since": interest.since,
        "from_id": first_id_at(interest.since - _CLOCKS_APART),
    }
    first = fetch(_First, "first_of_feed", _FIRST_SINCE, begin)[0].recorded_in
    return (-1 if first is None else first), _NIL
