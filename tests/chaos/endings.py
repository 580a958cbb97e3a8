"""Processes that ended by themselves: Celery's workers do where their broker refuses them, and are started again.

Nothing else may end: rows are the queue, so that a worker that is started again costs seconds.
"""

from collections.abc import Sequence

from tests.chaos.crew import Ended
from tests.chaos.faults import Fault, Kind
from tests.chaos.judge import Finding

GIVES_UP = frozenset({Kind.FULL, Kind.AWAY, Kind.BROKER})
"""Faults of the broker that Celery calls unrecoverable when they meet it as it connects."""
NOTICED_IN = 10.0
"""Seconds until a worker meets what troubles its broker, as it connects again."""


def as_faults(ended: Sequence[Ended]) -> list[Fault]:
    """Return the ends as what befell those lives: what they had in hand is explained by it."""
    return [
        Fault(
            id=f"end of {each.life}",
            kind=Kind.END,
            at=each.gave_up_at or each.at,
            until=each.at,
            concerns=(each.life,),
        )
        for each in ended
    ]


def ended_alone(ended: Sequence[Ended], faults: Sequence[Fault]) -> Finding:
    """Tell whether a fault of the broker explains each process that ended by itself."""
    explained = {each: _fault(each, faults) for each in ended}
    told = [f"{each} ({fault.id if fault else 'no fault explains it'})" for each, fault in explained.items()]
    return Finding(
        rule="no process ends by itself but a worker that its broker refuses",
        seen=", ".join(told) or "none",
        is_kept=None not in explained.values(),
    )


def _fault(ended: Ended, faults: Sequence[Fault]) -> Fault | None:
    if ended.gave_up_at is None:
        return None
    since, until = ended.gave_up_at - NOTICED_IN, ended.gave_up_at
    return next((fault for fault in faults if fault.kind in GIVES_UP and fault.touches(since, until)), None)
