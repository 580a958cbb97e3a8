"""The verdict: all rules over all evidence, and how late the callbacks were."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.simulation.checker import rows
from tests.simulation.checker.calling import judge_requests
from tests.simulation.checker.chains import judge_chains
from tests.simulation.checker.evidence import Evidence, Violation
from tests.simulation.checker.queue import judge_queue
from tests.simulation.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was seen in all, and what was wrong with it."""

    calls: int
    callbacks: int
    dialled: int
    outcomes: Counter[str]
    kinds: Counter[str]
    lateness: Sequence[timedelta]
    """Of callbacks that were dialled, ascending."""
    violations: Sequence[Violation]

    @property
    def broken(self) -> frozenset[str]:
        return frozenset(violation.rule for violation in self.violations)

    def late(self, share: float) -> timedelta:
        if not self.lateness:
            return timedelta()
        return self.lateness[min(int(len(self.lateness) * share), len(self.lateness) - 1)]


def watch(record: Record, dsn: str, *, at: datetime) -> list[Violation]:
    """Look at the queue in the middle of everything."""
    return list(judge_queue(Evidence(record, rows.read(dsn, at=at))))


def judge(record: Record, dsn: str, *, at: datetime, watched: Sequence[Violation] = ()) -> Judgement:
    """Judge everything at the end; ``watched`` is what was seen before."""
    evidence = Evidence(record, rows.read(dsn, at=at))
    dialled = [
        attempt.at - callback.scheduled_at
        for callback in evidence.rows.callbacks
        if (attempt := evidence.attempts.get(callback.call)) is not None
    ]
    return Judgement(
        calls=len(evidence.attempts),
        callbacks=len(evidence.rows.callbacks),
        dialled=len(dialled),
        outcomes=Counter(call.outcome for call in evidence.rows.calls if call.outcome),
        kinds=Counter(f"{row.type} {row.status}" for row in evidence.rows.callbacks),
        lateness=sorted(dialled),
        violations=[
            *watched,
            *judge_requests(evidence),
            *judge_chains(evidence),
            *judge_queue(evidence),
        ],
    )
