"""How fast calls may start: each owner (campaign, line, workspace) has a pace and a number of slots."""

import hashlib
import math
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from dialer.rules.statuses import Rank

NEW_SHARE = 0.2
"""The share of a campaign's turns that is reserved for first calls, so that retries do not take them all."""
_LAST = len(Rank)


class Due(Protocol):
    """A due call, or a contact whose first call is due."""

    @property
    def id(self) -> UUID: ...
    @property
    def workspace_id(self) -> UUID: ...
    @property
    def campaign_id(self) -> UUID | None: ...
    @property
    def rank(self) -> int: ...
    @property
    def due_at(self) -> datetime: ...


_Due = TypeVar("_Due", bound=Due)


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
    """When each owner may start its next call, and how many of its slots are in use."""

    next_free_at: MutableMapping[UUID, datetime]
    in_use: MutableMapping[UUID, int] = field(default_factory=dict)
    changed: set[UUID] = field(default_factory=set)

    def take(self, owners: Sequence[Owner], *, due_at: datetime, until: datetime) -> datetime | None:
        """Take one start from all owners at once; returns ``None`` and takes nothing if there is none by ``until``.

        A start is not before ``due_at`` and at least ``1 / calls_per_second`` after the owner's last one. Unused starts
        are not saved up, so that a window that opens starts no burst.
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
                self.next_free_at[owner.id] = start + spacing(owner.calls_per_second)
                self.changed.add(owner.id)
        return start

    def capacity(self, owners: Iterable[Owner], *, now: datetime, until: datetime, limit: int) -> int:
        """Return how many calls could start by ``until``, at most ``limit``."""
        capacity = limit
        for owner in owners:
            if owner.max_concurrent_calls is not None:
                capacity = min(capacity, owner.max_concurrent_calls - self.in_use.get(owner.id, 0))
            if owner.calls_per_second is not None:
                free = max(now, self.next_free_at.get(owner.id, now))
                capacity = min(capacity, (until - free) // spacing(owner.calls_per_second) + 1)
        return max(capacity, 0)


def spacing(calls_per_second: float) -> timedelta:
    """Return the time between two starts, rounded up, so that no second has one start too many."""
    return timedelta(microseconds=math.ceil(1_000_000 / calls_per_second))


def in_turn(rows: Sequence[_Due], *, weights: Mapping[UUID | None, float], now: datetime) -> list[_Due]:
    """Order claimable rows by their right to the next start.

    Due rows come first: calls that an operator wants now, then promises, each by time. Then retries and first calls,
    with the queues taking turns: a queue of twice the weight has twice as many turns (``weights`` by campaign, see
    :func:`weight`), and within a queue one call in five is a first call, if there are any. The start of the turns
    differs from claim to claim, so that of two queues that compete for one place, neither always wins.

    Rows that fall due later, within the claim's horizon, come last, so that they do not delay due rows: by time, and
    those of one instant by rank.
    """
    taken: dict[tuple[UUID, UUID | None, bool], int] = {}
    begins: dict[tuple[UUID, UUID | None, bool], float] = {}
    keyed = []
    for row in sorted(rows, key=lambda row: (row.rank, row.due_at, row.id)):
        if row.due_at > now or row.rank in (Rank.CALL_NOW, Rank.PROMISED):
            keyed.append(((_LAST if row.due_at > now else row.rank, 0.0, row.due_at, row.rank, row.id), row))
            continue
        is_new = row.rank == Rank.NEW
        queue = (row.workspace_id, row.campaign_id, is_new)
        if queue not in begins:
            begins[queue] = _beginning(queue, now)
        number = taken[queue] = taken.get(queue, -1) + 1
        share = weights.get(row.campaign_id, 1.0) * (NEW_SHARE if is_new else 1 - NEW_SHARE)
        keyed.append(((Rank.RETRY, (begins[queue] + number) / share, row.due_at, row.rank, row.id), row))
    return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]


def weight(priority: int) -> float:
    """Return the weight of a campaign: ten more of priority doubles the turns; no campaign starves."""
    return float(2 ** (priority / 10))


def _beginning(queue: tuple[UUID, UUID | None, bool], now: datetime) -> float:
    """Return a pseudo-random start of a queue's turns, different for each claim.

    Exponentially distributed: then the chance to come first is exactly the queue's share of the weights.
    """
    digest = hashlib.blake2b(f"{now.timestamp()} {queue}".encode(), digest_size=8).digest()
    return -math.log((int.from_bytes(digest, "big") + 1) / (1 << 64))
