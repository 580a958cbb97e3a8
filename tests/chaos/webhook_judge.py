"""The judge of webhooks: reads the receivers' files, and which attempts have a row, and nothing else."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from tests.chaos.inbox import Receipt
from tests.chaos.judge import Finding
from tests.chaos.repeats import Repeat

NAMED = 5
"""Of what should not be, by name."""


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
            rule="a repeat was under way when a fault befell who sent it",
            seen=f"{len(unexplained)} were not{''.join(f'; {r.later.delivery_id}' for r in unexplained[:NAMED])}",
            is_kept=not unexplained,
        ),
        Finding(rule="nothing is left to be sent", seen=f"{pending} pending", is_kept=not pending),
    ]


def _of_two_deliveries(inboxes: Sequence[Sequence[Receipt]]) -> int:
    """Count events that one receiver got under more than one delivery's id."""
    count = 0
    for inbox in inboxes:
        pairs = {(receipt.event_id, receipt.delivery_id) for receipt in inbox}
        count += sum(number > 1 for number in Counter(event_id for event_id, _ in pairs).values())
    return count
