"""The verdict: all rules over all evidence, and how late the callbacks were."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.simulation.checker import rows
from tests.simulation.checker.calling import judge_requests
from tests.simulation.checker.chains import judge_chains
from tests.simulation.checker.evidence import Evidence, Rule, Violation
from tests.simulation.checker.excuses import count_excuses, judge_excuses
from tests.simulation.checker.exhaustion import judge_exhaustion
from tests.simulation.checker.lateness import judge_lateness, lateness_of_all, lateness_of_unhindered
from tests.simulation.checker.queue import judge_queue
from tests.simulation.checker.surroundings import judge_surroundings
from tests.simulation.checker.times import judge_times
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
    unhindered: Sequence[timedelta]
    """Of those that nothing stood in the way of."""
    excuses: Counter[str]
    """Why the others were not dialled."""
    violations: Sequence[Violation]

    @property
    def broken(self) -> frozenset[Rule]:
        return frozenset(violation.rule for violation in self.violations)


def share_of(lateness: Sequence[timedelta], share: float) -> timedelta:
    """Return the lateness that so large a share of ascending ones does not exceed."""
    return lateness[min(int(len(lateness) * share), len(lateness) - 1)] if lateness else timedelta()


def watch(record: Record, dsn: str, *, at: datetime) -> list[Violation]:
    """Look at the queue in the middle of everything."""
    return list(judge_queue(Evidence(record, rows.read(dsn, at=at))))


def judge(record: Record, dsn: str, *, at: datetime, watched: Sequence[Violation] = ()) -> Judgement:
    """Judge everything at the end; ``watched`` is what was seen before."""
    evidence = Evidence(record, rows.read(dsn, at=at))
    late = lateness_of_all(evidence)
    return Judgement(
        calls=len(evidence.attempts),
        callbacks=len(evidence.rows.callbacks),
        dialled=len(late),
        outcomes=Counter(call.outcome for call in evidence.rows.calls if call.outcome),
        kinds=Counter(f"{row.type} {row.status}" for row in evidence.rows.callbacks),
        lateness=late,
        unhindered=lateness_of_unhindered(evidence),
        excuses=count_excuses(evidence),
        violations=[
            *watched,
            *judge_requests(evidence),
            *judge_lateness(evidence),
            *judge_times(evidence),
            *judge_chains(evidence),
            *judge_exhaustion(evidence),
            *judge_excuses(evidence),
            *judge_surroundings(evidence),
            *judge_queue(evidence),
        ],
    )
