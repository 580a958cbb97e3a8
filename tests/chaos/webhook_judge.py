"""The judge of webhooks: reads the receivers' files, and which attempts have a row, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.inbox import Receipt
from tests.chaos.judge import Finding

ON_ITS_WAY = 1.0
"""Seconds: what the kernel had taken reaches a receiver although its sender is dead by then."""
NAMED = 5
"""Of what should not be, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was done to the system, from when to when, in seconds since 1970."""

    what: str
    since: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A request that came again; ``fault`` is what happened while the earlier one was under way."""

    earlier: Receipt
    later: Receipt
    fault: Fault | None


def repeats_of(
    receipts: Sequence[Receipt], *, faults: Sequence[Fault], noted: Collection[tuple[str, int]]
) -> list[Repeat]:
    """Return each request that one receiver got again.

    ``noted`` are the attempts (delivery's public id, number) that have a row: they were over, and no fault explains
    that they came again. One without a row was under way at the first fault that touches the time between the two.
    """
    by_delivery: Mapping[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        by_delivery[receipt.delivery_id].append(receipt)
    return [
        Repeat(earlier=earlier, later=later, fault=_fault(earlier, later, faults=faults, noted=noted))
        for mine in by_delivery.values()
        for earlier, later in pairwise(mine)
    ]


def judge(
    recorded: AbstractSet[str], inboxes: Sequence[Sequence[Receipt]], repeats: Sequence[Repeat], *, pending: int
) -> list[Finding]:
    """Compare what the receivers got with what was recorded."""
    missing = [event_id for inbox in inboxes for event_id in recorded - {r.event_id for r in inbox}]
    strange = [r.event_id for inbox in inboxes for r in inbox if r.event_id not in recorded]
    changed = [r for r in repeats if (r.earlier.event_id, r.earlier.digest) != (r.later.event_id, r.later.digest)]
    doubled = _of_two_deliveries(inboxes)
    unexplained = [repeat for repeat in repeats if repeat.fault is None]
    return [
        Finding(
            rule="each receiver's file holds every id",
            seen=f"{len(recorded)} events, {len(inboxes)} receivers, {len(missing)} missing, {len(strange)} strange",
            is_kept=bool(recorded) and not missing and not strange,
        ),
        Finding(
            rule="a repeat has the same id and bytes",
            seen=f"{len(repeats)} repeats, {len(changed)} changed, {doubled} under another delivery's id",
            is_kept=not changed and not doubled,
        ),
        Finding(
            rule="a repeat was under way at a fault",
            seen=f"{len(unexplained)} were not{''.join(f'; {r.later.delivery_id}' for r in unexplained[:NAMED])}",
            is_kept=not unexplained,
        ),
        Finding(rule="nothing is left to be sent", seen=f"{pending} pending", is_kept=not pending),
    ]


def listed(repeats: Iterable[Repeat]) -> list[str]:
    """Return a line per fault that names what was sent again because of it."""
    by_fault: dict[Fault, set[str]] = defaultdict(set)
    for repeat in repeats:
        if repeat.fault is not None:
            by_fault[repeat.fault].add(repeat.later.event_id)
    in_order = sorted(by_fault.items(), key=lambda item: item[0].since)
    return [f"{fault.what}: {len(ids)}: {' '.join(sorted(ids))}" for fault, ids in in_order]


def _fault(
    earlier: Receipt, later: Receipt, *, faults: Sequence[Fault], noted: Collection[tuple[str, int]]
) -> Fault | None:
    if (earlier.delivery_id, earlier.attempt) in noted:
        return None
    between = [fault for fault in faults if fault.until >= earlier.at - ON_ITS_WAY and fault.since <= later.at]
    return min(between, key=lambda fault: fault.since, default=None)


def _of_two_deliveries(inboxes: Sequence[Sequence[Receipt]]) -> int:
    """Count events that one receiver got under more than one delivery's id."""
    count = 0
    for inbox in inboxes:
        pairs = {(receipt.event_id, receipt.delivery_id) for receipt in inbox}
        count += sum(number > 1 for number in Counter(event_id for event_id, _ in pairs).values())
    return count
