"""The claim: takes due calls for the workers and gives each its start.

The claim locks the workspace row, so that two dispatchers never claim for one workspace at once and count the pace and
slots of its campaigns and lines exactly. It never waits (``SKIP LOCKED``), and commits before
anything is published: a lost message delays a call until its lease runs out, but never loses it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from dialer.calls import call_states, campaign_contacts
from dialer.calls.call_states import QueuedCall
from dialer.calls.context import parsed
from dialer.dialing.capacity import (
    IS_OPEN,
    SOON,
    Capacity,
    Limited,
    OpenCampaign,
    Queue,
    budget_of,
    capacities_of,
    lines_of,
    queues_of,
)
from dialer.rules.pacing import Budget, Owner, in_turn, weight
from dialer.rules.statuses import Rank
from dialer.workspaces.statements import fetch, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """A claimed call, the generation that its message carries, when it starts, and before whom of those that do too."""

    call_id: UUID
    generation: int
    start_at: datetime
    rank: int


class _Queued(NamedTuple):
    """A due call in the queue."""

    id: UUID
    workspace_id: UUID
    campaign_id: UUID | None
    line_id: UUID
    rank: int
    due_at: datetime


class _Waiting(NamedTuple):
    """A campaign contact whose first call is due."""

    id: UUID
    workspace_id: UUID
    campaign_id: UUID
    line_id: UUID
    rank: int
    due_at: datetime
    contact_id: UUID
    phone: str
    caller_id: str


def claim_due(*, limit: int, now: datetime) -> list[Dispatched]:
    """Claim up to ``limit`` calls that fall due within the horizon, shared fairly among campaigns, and commit.

    Calls without a limit on pace or slots are claimed ``HORIZON_SECONDS`` ahead, each for its own time; the others, and
    first calls, shortly before. Returned in the order of their turns. There may be more to claim until a claim returns
    nothing.
    """
    with transaction.atomic():
        workspaces = _lock_workspaces(now=now)
        if not workspaces:
            return []
        lines = lines_of(workspaces)
        queues = queues_of(workspaces, lines, now=now)
        budget, late = budget_of(workspaces, now=now)
        capacities = capacities_of(queues, budget, late, limit=limit, now=now)
        queued = _lock_queued(capacities, now=now)
        waiting = _lock_waiting(capacities, now=now)
        starts = _assign([*queued, *waiting], capacities, lines, budget, limit=limit, now=now)
        first = _queue_first_calls([row for row in waiting if row.id in starts], starts, queues, now=now)
        dispatched = first | _lease([row for row in queued if row.id in starts], starts)
        _write_paces(budget)
    return [dispatched[id_] for id_ in starts if id_ in dispatched]


def _lock_workspaces(*, now: datetime) -> list[Limited]:
    return fetch(
        Limited,
        "lock_claiming_workspaces",
        f"""
        SELECT w.id, w.calls_per_second, w.max_concurrent_calls FROM workspaces_workspace w
        WHERE w.closed_at IS NULL AND (
            EXISTS (SELECT FROM dialer_call c WHERE c.workspace_id = w.id AND c.status = 'queued'
                AND c.lease_until IS NULL AND c.campaign_id IS NULL AND c.due_at <= %(horizon)s)
            OR EXISTS (SELECT FROM dialer_campaign k WHERE k.workspace_id = w.id AND {IS_OPEN})
        )
        ORDER BY w.id FOR NO KEY UPDATE SKIP LOCKED
        """,  # noqa: S608 — a constant of this module
        {"now": now, "horizon": now + timedelta(seconds=settings.HORIZON_SECONDS)},
    )


_QUEUED_OF = """
    SELECT c.id, c.workspace_id, c.campaign_id, c.line_id, c.rank, c.due_at
    FROM unnest(%(workspaces)s::uuid[], %(campaigns)s::uuid[], %(paused)s::boolean[], %(capacities)s::int[],
        %(untils)s::timestamptz[]) AS o(workspace_id, campaign_id, is_paused, capacity, until)
    CROSS JOIN (VALUES (0), (1), (2), (3)) AS r(rank)
    CROSS JOIN LATERAL (
        SELECT * FROM dialer_call q
        WHERE q.workspace_id = o.workspace_id AND {campaign} AND q.status = 'queued' AND q.lease_until IS NULL
            AND q.rank = r.rank AND q.due_at <= o.until AND (q.not_after IS NULL OR q.not_after >= %(now)s)
            AND (NOT o.is_paused OR (r.rank = 0 AND q.force->'checks' ? 'campaign_paused'
                AND (q.force->>'until')::timestamptz >= %(now)s))
        ORDER BY q.due_at, q.id LIMIT o.capacity FOR NO KEY UPDATE OF q SKIP LOCKED
    ) AS c
"""


def _lock_queued(capacities: Sequence[Capacity], *, now: datetime) -> list[_Queued]:
    """Lock due queued calls of each queue; queries each rank of each queue separately, as the index requires."""
    rows: list[_Queued] = []
    for name, condition, mine in (
        ("take_due_of_campaigns", "q.campaign_id = o.campaign_id", [r for r in capacities if r.queue.campaign_id]),
        ("take_due_of_workspaces", "q.campaign_id IS NULL", [r for r in capacities if not r.queue.campaign_id]),
    ):
        if mine:
            rows += fetch(
                _Queued,
                name,
                _QUEUED_OF.format(campaign=condition),
                {
                    "workspaces": [capacity.queue.workspace_id for capacity in mine],
                    "campaigns": [capacity.queue.campaign_id for capacity in mine],
                    "paused": [capacity.queue.is_paused for capacity in mine],
                    "capacities": [capacity.calls for capacity in mine],
                    "untils": [capacity.until for capacity in mine],
                    "now": now,
                },
            )
    return rows


def _lock_waiting(capacities: Sequence[Capacity], *, now: datetime) -> list[_Waiting]:
    """Lock campaign contacts whose first call is due."""
    mine = [
        (capacity, campaign)
        for capacity in capacities
        if (campaign := capacity.queue.campaign) is not None and not capacity.queue.is_paused
    ]
    if not mine:
        return []
    return fetch(
        _Waiting,
        "take_waiting_contacts",
        """
        SELECT k.id, o.workspace_id, o.campaign_id, o.line_id, %(rank)s AS rank, k.due_at, k.contact_id, p.phone,
            o.caller_id
        FROM unnest(%(workspaces)s::uuid[], %(campaigns)s::uuid[], %(lines)s::uuid[], %(callers)s::text[],
            %(capacities)s::int[], %(untils)s::timestamptz[])
            AS o(workspace_id, campaign_id, line_id, caller_id, capacity, until)
        CROSS JOIN LATERAL (
            SELECT * FROM dialer_campaigncontact w
            WHERE w.campaign_id = o.campaign_id AND w.state = 'waiting' AND w.due_at <= o.until
                -- One row that cannot be queued must not break the whole claim.
                -- (OFFSET forces a look-up per row; a join would hash every queued call.)
                AND NOT EXISTS (
                    SELECT FROM dialer_call q WHERE q.campaign_contact_id = w.id AND q.status = 'queued' OFFSET 0)
            ORDER BY w.due_at, w.id LIMIT o.capacity FOR NO KEY UPDATE OF w SKIP LOCKED
        ) AS k
        JOIN dialer_contact p ON p.id = k.contact_id
        """,
        {
            "rank": Rank.NEW.value,
            "workspaces": [capacity.queue.workspace_id for capacity, _ in mine],
            "campaigns": [campaign.id for _, campaign in mine],
            "lines": [campaign.line_id for _, campaign in mine],
            "callers": [_caller_id(campaign) for _, campaign in mine],
            "capacities": [capacity.calls for capacity, _ in mine],
            # A first call has no exact time: it is claimed when it can start.
            "untils": [now + SOON for _ in mine],
        },
    )


def _caller_id(campaign: OpenCampaign) -> str:
    shown: str = campaign.caller_id or next(iter(parsed(campaign.caller_ids)), "")
    return shown


def _assign(
    rows: Sequence[_Queued | _Waiting],
    capacities: Sequence[Capacity],
    lines: Mapping[UUID, Owner],
    budget: Budget,
    *,
    limit: int,
    now: datetime,
) -> dict[UUID, datetime]:
    """Return the starts of up to ``limit`` rows, as far as the owners' budgets last; other rows stay unclaimed."""
    capacity_of = {(capacity.queue.workspace_id, capacity.queue.campaign_id): capacity for capacity in capacities}
    weights: dict[UUID | None, float] = {
        campaign.id: weight(campaign.priority) for capacity in capacities if (campaign := capacity.queue.campaign)
    }
    limited: dict[tuple[UUID, UUID | None, UUID], list[Owner]] = {}
    starts: dict[UUID, datetime] = {}
    for row in in_turn(rows, weights=weights, now=now):
        if len(starts) == limit:
            break
        capacity = capacity_of[row.workspace_id, row.campaign_id]
        key = (row.workspace_id, row.campaign_id, row.line_id)
        if key not in limited:
            # A callback keeps its line, even if its campaign has changed to another.
            owners = [owner for owner in capacity.queue.owners if owner.id not in lines] + [lines[row.line_id]]
            limited[key] = [owner for owner in owners if owner.is_limited]
        start = budget.take(limited[key], due_at=max(row.due_at, now), until=capacity.until)
        if start is not None:
            starts[row.id] = start
    return starts


def _queue_first_calls(
    rows: Sequence[_Waiting], starts: Mapping[UUID, datetime], queues: Sequence[Queue], *, now: datetime
) -> dict[UUID, Dispatched]:
    """Create the calls of waiting contacts, already claimed: one write to the table's indexes instead of two.

    Returns them by the id of their campaign contact.
    """
    campaigns = {queue.campaign.id: queue.campaign for queue in queues if queue.campaign}
    made = [
        QueuedCall(
            workspace_id=row.workspace_id,
            contact_id=row.contact_id,
            campaign_id=row.campaign_id,
            campaign_contact_id=row.id,
            persona_id=campaigns[row.campaign_id].persona_id,
            line_id=row.line_id,
            number=row.phone,
            caller_id=row.caller_id,
            rank=Rank.NEW,
            due_at=row.due_at,
            config_webhooks=parsed(campaigns[row.campaign_id].config_webhooks),
            generation=1,
            lease_until=starts[row.id] + timedelta(seconds=settings.LEASE_SECONDS),
        )
        for row in rows
    ]
    call_states.queue(made, now=now)
    campaign_contacts.claim([row.id for row in rows])
    return {
        row.id: Dispatched(call_id=call.id, generation=1, start_at=starts[row.id], rank=row.rank)
        for row, call in zip(rows, made, strict=True)
    }


def _lease(rows: Sequence[_Queued], starts: Mapping[UUID, datetime]) -> dict[UUID, Dispatched]:
    length = timedelta(seconds=settings.LEASE_SECONDS)
    generations = call_states.lease({row.id: starts[row.id] for row in rows}, length=length)
    return {
        row.id: Dispatched(call_id=row.id, generation=generations[row.id], start_at=starts[row.id], rank=row.rank)
        for row in rows
        if row.id in generations
    }


def _write_paces(budget: Budget) -> None:
    if budget.changed:
        changed = sorted(budget.changed)
        run(
            "write_paces",
            """
            INSERT INTO dialer_pace (owner_id, next_free_at)
            SELECT * FROM unnest(%(owners)s::uuid[], %(free)s::timestamptz[])
            ON CONFLICT (owner_id) DO UPDATE SET next_free_at = EXCLUDED.next_free_at
            """,
            {"owners": changed, "free": [budget.next_free_at[owner] for owner in changed]},
        )
