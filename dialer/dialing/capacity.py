"""What the claim may take: queues with due calls, the owners that limit them, and the capacity that is left.

The claim holds the locks of the workspaces while it reads this, so no other claim gives out starts meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from dialer.rules.pacing import Budget, Owner
from dialer.rules.statuses import CampaignStatus
from dialer.workspaces.statements import fetch

SOON = timedelta(seconds=2)
"""How far ahead calls are claimed if a pace or a number of slots limits them: two ticks, so that an urgent call does
not wait behind calls that were claimed long before."""
MAX_CLAIMED = 4_000
"""Most calls per workspace that are claimed and not yet handed over: more would only wait in the workers' queue."""

IS_OPEN = """
    (k.status = 'running' OR (k.status = 'paused' AND EXISTS (
        SELECT FROM dialer_call f WHERE f.workspace_id = k.workspace_id AND f.campaign_id = k.id AND f.status = 'queued'
            AND f.lease_until IS NULL AND f.rank = 0 AND f.force->'checks' ? 'campaign_paused'
            AND (f.force->>'until')::timestamptz >= %(now)s)))
"""
"""A paused campaign may be claimed from while it has a call that an operator forces past the pause, as long as the
force lasts."""


class Limited(NamedTuple):
    """A workspace or a line, with its pace and its number of slots."""

    id: UUID
    calls_per_second: float | None
    max_concurrent_calls: int | None


class OpenCampaign(NamedTuple):
    """A campaign that may be claimed from."""

    id: UUID
    status: str
    workspace_id: UUID
    line_id: UUID
    persona_id: UUID
    caller_id: str
    calls_per_second: float | None
    max_concurrent_calls: int | None
    priority: int
    config_webhooks: str | None
    caller_ids: str


class _Pace(NamedTuple):
    owner_id: UUID
    next_free_at: datetime


class _InUse(NamedTuple):
    workspace_id: UUID
    line_id: UUID
    campaign_id: UUID | None
    late: int
    used: int


class _Due(NamedTuple):
    campaign_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Queued calls of one campaign, or of one workspace outside campaigns."""

    workspace_id: UUID
    campaign_id: UUID | None
    owners: tuple[Owner, ...]
    is_limited: bool
    campaign: OpenCampaign | None = None

    @property
    def is_paused(self) -> bool:
        return self.campaign is not None and self.campaign.status == CampaignStatus.PAUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many calls of each rank may be claimed from one queue, due before ``until``."""

    queue: Queue
    calls: int
    until: datetime


def budget_of(workspaces: Sequence[Limited], *, now: datetime) -> tuple[Budget, dict[UUID, int]]:
    """Read when each owner may start its next call, and how many slots its claimed and live calls use.

    Also returns, by workspace, how many claimed calls are due and not handed over yet.
    """
    ids = [row.id for row in workspaces]
    paces = fetch(
        _Pace,
        "read_paces",
        f"""
        SELECT owner_id, next_free_at FROM dialer_pace WHERE owner_id = ANY(%(ids)s)
            OR owner_id IN (SELECT k.id FROM dialer_campaign k WHERE k.workspace_id = ANY(%(ids)s) AND {IS_OPEN})
            OR owner_id IN (SELECT id FROM dialer_line WHERE workspace_id = ANY(%(ids)s))
        """,  # noqa: S608 — a constant of this module
        {"ids": ids, "now": now},
    )
    used = fetch(
        _InUse,
        "slots_in_use",
        """
        SELECT workspace_id, line_id, campaign_id, sum(late)::int AS late, count(*)::int AS used
        FROM (
            SELECT workspace_id, line_id, campaign_id, 0 AS late FROM dialer_call
            WHERE status IN ('dialing', 'ringing', 'in_progress') AND direction = 'outbound'
            UNION ALL
            SELECT workspace_id, line_id, campaign_id, (due_at <= %(now)s)::int FROM dialer_call
            WHERE lease_until IS NOT NULL
        ) AS taken
        WHERE workspace_id = ANY(%(ids)s) GROUP BY 1, 2, 3
        """,
        {"ids": ids, "now": now},
    )
    budget = Budget(next_free_at={row.owner_id: row.next_free_at for row in paces})
    late: dict[UUID, int] = {}
    for row in used:
        late[row.workspace_id] = late.get(row.workspace_id, 0) + row.late
        for owner in filter(None, {row.workspace_id, row.line_id, row.campaign_id}):
            budget.in_use[owner] = budget.in_use.get(owner, 0) + row.used
    return budget, late


def lines_of(workspaces: Sequence[Limited]) -> dict[UUID, Owner]:
    rows = fetch(
        Limited,
        "line_limits",
        """
        SELECT id, calls_per_second, max_concurrent_calls FROM dialer_line WHERE workspace_id = ANY(%(ids)s)
        """,
        {"ids": [row.id for row in workspaces]},
    )
    return {row.id: _owner(row) for row in rows}


def _owner(row: Limited | OpenCampaign) -> Owner:
    return Owner(id=row.id, calls_per_second=row.calls_per_second, max_concurrent_calls=row.max_concurrent_calls)


def queues_of(workspaces: Sequence[Limited], lines: Mapping[UUID, Owner], *, now: datetime) -> list[Queue]:
    """Return the queues to claim from: open campaigns first, then calls outside campaigns."""
    by_id = {row.id: _owner(row) for row in workspaces}
    campaigns = fetch(
        OpenCampaign,
        "open_campaigns",
        f"""
        SELECT k.id, k.status, k.workspace_id, k.line_id, k.persona_id, k.caller_id, k.calls_per_second,
            k.max_concurrent_calls, k.priority, k.config_webhooks::text AS config_webhooks,
            l.caller_ids::text AS caller_ids
        FROM dialer_campaign k JOIN dialer_line l ON l.id = k.line_id
        WHERE k.workspace_id = ANY(%(ids)s) AND {IS_OPEN}
            AND (k.status = 'paused' OR k.end_at IS NULL OR k.end_at > %(now)s)
            AND (l.down_until IS NULL OR l.down_until <= %(now)s)
        ORDER BY k.id
        """,  # noqa: S608 — a constant of this module
        {"ids": list(by_id), "now": now},
    )
    queues = []
    for row in campaigns:
        owners = (_owner(row), lines[row.line_id], by_id[row.workspace_id])
        is_limited = any(owner.is_limited for owner in owners)
        queues.append(
            Queue(workspace_id=row.workspace_id, campaign_id=row.id, owners=owners, is_limited=is_limited, campaign=row)
        )
    # Calls outside campaigns may use any line.
    any_line_is_limited = any(line.is_limited for line in lines.values())
    return queues + [
        Queue(workspace_id=id_, campaign_id=None, owners=(owner,), is_limited=owner.is_limited or any_line_is_limited)
        for id_, owner in by_id.items()
    ]


def capacities_of(
    queues: Sequence[Queue], budget: Budget, late: Mapping[UUID, int], *, limit: int, now: datetime
) -> list[Capacity]:
    """Return how many calls may be claimed from each queue with due calls; about ``limit`` of each rank in total."""
    capacities = []
    for queue in queues:
        ahead = SOON if queue.is_limited else timedelta(seconds=settings.HORIZON_SECONDS)
        until = now + ahead
        most = min(limit, MAX_CLAIMED - late.get(queue.workspace_id, 0))
        capacity = budget.capacity(queue.owners, now=now, until=until, limit=max(most, 0))
        if capacity:
            capacities.append(Capacity(queue=queue, calls=capacity, until=until))
    if len(capacities) > 1:
        capacities = _with_something_due(capacities, now=now)
    share = max(limit // max(len(capacities), 1), 1)
    return [replace(capacity, calls=min(capacity.calls, share)) for capacity in capacities]


def _with_something_due(capacities: Sequence[Capacity], *, now: datetime) -> list[Capacity]:
    """Leave out campaigns without due calls: a thousand of them would shrink the share of the others."""
    mine = [capacity for capacity in capacities if capacity.queue.campaign_id]
    due = fetch(
        _Due,
        "campaigns_with_something_due",
        """
        SELECT o.campaign_id
        FROM unnest(%(workspaces)s::uuid[], %(campaigns)s::uuid[], %(untils)s::timestamptz[])
            AS o(workspace_id, campaign_id, until)
        WHERE EXISTS (
            SELECT FROM (VALUES (0), (1), (2), (3)) AS r(rank) CROSS JOIN LATERAL (
                SELECT FROM dialer_call q
                WHERE q.workspace_id = o.workspace_id AND q.campaign_id = o.campaign_id AND q.status = 'queued'
                    AND q.lease_until IS NULL AND q.rank = r.rank AND q.due_at <= o.until
                -- Ordered, so that the index is read from its start: to find any one row, the planner scans the table
                -- (measured with 300,000 held: 452 ms instead of 4).
                ORDER BY q.due_at LIMIT 1
            ) AS c
        ) OR EXISTS (
            SELECT FROM (
                SELECT FROM dialer_campaigncontact w
                WHERE w.campaign_id = o.campaign_id AND w.state = 'waiting' AND w.due_at <= %(soon)s
                ORDER BY w.due_at LIMIT 1
            ) AS k
        )
        """,
        {
            "workspaces": [capacity.queue.workspace_id for capacity in mine],
            "campaigns": [capacity.queue.campaign_id for capacity in mine],
            "untils": [capacity.until for capacity in mine],
            "soon": now + SOON,
        },
    )
    found = {None, *(row.campaign_id for row in due)}
    return [capacity for capacity in capacities if capacity.queue.campaign_id in found]
