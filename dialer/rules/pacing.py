"""How fast calls may start: every owner (campaign, line, workspace) has a pace and a number of slots."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dialer.rules.statuses import Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A campaign, a line or a workspace; ``None`` means no limit."""

    id: UUID
    calls_per_second: float | None
    max_concurrent_calls: int | None

    @property
    def is_limited(self) -> bool:
        return self.calls_per_second is not None or self.max_concurrent_calls is not None


@dataclass(slots=True, kw_only=True)
class Budget:
    """What the owners have left: when each may start its next call, and how many slots it has in use."""

    next_free_at: MutableMapping[UUID, datetime]
    in_use: MutableMapping[UUID, int] = field(default_factory=dict)
    changed: set[UUID] = field(default_factory=set)

    def take(self, owners: Sequence[Owner], *, due_at: datetime, until: datetime) -> datetime | None:
        """Take one start for all owners at once; ``None``, and nothing taken, where there is none before ``until``.

        A start is never earlier than ``due_at`` and at least ``1 / calls_per_second`` after the owner's last one.
        """
        start = due_at
        for owner in owners:
            if owner.max_concurrent_calls is not None and self.in_use.get(owner.id, 0) >= owner.max_concurrent_calls:
                return None
            if owner.calls_per_second is not None and owner.id in self.next_free_at:
                start = max(start, self.next_free_at[owner.id])
        if start > until:
            return None
        for owner in owners:
            if owner.max_concurrent_calls is not None:
                self.in_use[owner.id] = self.in_use.get(owner.id, 0) + 1
            if owner.calls_per_second is not None:
                self.next_free_at[owner.id] = start + timedelta(seconds=1 / owner.calls_per_second)
                self.changed.add(owner.id)
        return start

    def room(self, owners: Iterable[Owner], *, now: datetime, until: datetime, limit: int) -> int:
        """Say how many calls at most could start before ``until``."""
        room = limit
        for owner in owners:
            if owner.max_concurrent_calls is not None:
                room = min(room, owner.max_concurrent_calls - self.in_use.get(owner.id, 0))
            if owner.calls_per_second is not None:
                free = max(now, self.next_free_at.get(owner.id, now))
                room = min(room, int((until - free).total_seconds() * owner.calls_per_second) + 1)
        return max(room, 0)


def interleave(
    rows: Sequence[Any],
    *,
    order: Mapping[UUID | None, int],
    kept: Mapping[tuple[UUID, UUID | None], int],
) -> list[Any]:
    """Order claimed rows: by rank, then queues in turn (those of higher priority first), then by due time.

    ``order`` ranks the campaigns by priority. The first ``kept`` first calls of a queue take their turn among its
    retries, so that a campaign with many retries still reaches new contacts.
    """
    turns: dict[tuple[int, UUID, UUID | None], int] = {}
    firsts: dict[tuple[UUID, UUID | None], int] = {}
    keyed = []
    for row in sorted(rows, key=lambda row: (row.rank, row.due_at)):
        queue = (row.workspace_id, row.campaign_id)
        rank = row.rank
        if rank == Rank.NEW:
            firsts[queue] = firsts.get(queue, 0) + 1
            if firsts[queue] <= kept.get(queue, 0):
                rank = Rank.RETRY
        turn = turns[rank, *queue] = turns.get((rank, *queue), -1) + 1
        keyed.append(((rank, turn, order.get(row.campaign_id, 0), row.due_at, row.call_id), row))
    return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]
