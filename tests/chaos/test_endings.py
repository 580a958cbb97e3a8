"""Of the processes that ended by themselves, a fault of the broker excuses Celery's workers and nobody else."""

import pytest

from tests.chaos.crew import Ended
from tests.chaos.endings import ended_alone
from tests.chaos.faults import BROKER, Fault, Kind

FULL = Fault(id="F1", kind=Kind.FULL, at=100.0, until=102.5, concerns=(BROKER,))
FLUSHED = Fault(id="F2", kind=Kind.FLUSH, at=100.0, until=100.0, concerns=(BROKER,))


def test_a_worker_that_a_full_broker_refused_is_excused() -> None:
    finding = ended_alone([Ended(life="worker-dial.2", status=1, at=130.0, gave_up_at=103.0)], [FULL])

    assert (finding.is_kept, finding.seen) == (True, "worker-dial.2 with status 1 (F1)")


@pytest.mark.parametrize(
    ("gave_up_at", "fault"),
    [
        (130.0, FULL),  # long after it
        (99.0, FULL),  # before it
        (103.0, FLUSHED),  # nothing was refused
        (None, FULL),  # whatever it was, it did not give up
    ],
)
def test_whatever_else_ends_by_itself_breaks_the_rule(gave_up_at: float | None, fault: Fault) -> None:
    ended = Ended(life="worker-dial.2", status=1, at=103.0, gave_up_at=gave_up_at)

    assert not ended_alone([ended], [fault]).is_kept


def test_where_nothing_ended_the_rule_is_kept() -> None:
    assert ended_alone([], []).is_kept
