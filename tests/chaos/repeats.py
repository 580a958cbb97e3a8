"""Requests that a receiver got again, and the fault that explains each: by whose end it was, not by when it was."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.faults import POSTGRES, Fault, Kind
from tests.chaos.inbox import Receipt

ENDS_A_LIFE = frozenset({Kind.KILL, Kind.DEATH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A request that came again; ``fault`` is why the earlier one did not count."""

    earlier: Receipt
    later: Receipt
    fault: Fault | None


def repeats_of(
    receipts: Sequence[Receipt], *, faults: Sequence[Fault], answered: Collection[tuple[str, int]]
) -> list[Repeat]:
    """Return each request that one receiver got again.

    ``answered`` are the attempts (delivery's public id, number) whose row says that the receiver took them: they were
    over, and no fault explains that they came again. One without such a row is explained by a fault that ended or
    stopped the life that sent it or the one that received it, or by a PostgreSQL that was away before it was settled.
    """
    by_delivery: Mapping[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        by_delivery[receipt.delivery_id].append(receipt)
    return [
        Repeat(earlier=earlier, later=later, fault=_fault(earlier, later, faults=faults, answered=answered))
        for mine in by_delivery.values()
        for earlier, later in pairwise(mine)
    ]


def listed(repeats: Iterable[Repeat]) -> list[str]:
    """Return a line per fault that names what was sent again because of it."""
    by_fault: dict[Fault, set[str]] = defaultdict(set)
    for repeat in repeats:
        if repeat.fault is not None:
            by_fault[repeat.fault].add(repeat.later.event_id)
    in_order = sorted(by_fault.items(), key=lambda item: item[0].at)
    return [f"{fault.id} {fault.kind}: {len(ids)}: {' '.join(sorted(ids))}" for fault, ids in in_order]


def _fault(
    earlier: Receipt, later: Receipt, *, faults: Sequence[Fault], answered: Collection[tuple[str, int]]
) -> Fault | None:
    if (earlier.delivery_id, earlier.attempt) in answered:
        return None
    lives = {earlier.sender, earlier.receiver} - {""}
    found = [
        fault
        for fault in faults
        if fault.at <= later.at
        and (
            (lives & set(fault.concerns) and (fault.kind in ENDS_A_LIFE or fault.touches(earlier.at, later.at)))
            or (POSTGRES in fault.concerns and fault.touches(earlier.at, later.at))
        )
    ]
    return min(found, key=lambda fault: fault.at, default=None)
