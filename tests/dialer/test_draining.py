"""The loop of a drain: how long it pauses before it looks again."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from dialer.workspaces import draining
from dialer.workspaces.draining import LONGEST_PAUSE_SECONDS, Drain


class Pauses:
    """A clock that only pauses move on, and the pauses so far."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.seconds: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.now += seconds

    def is_set(self) -> bool:
        return False


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    made = Pauses()
    monkeypatch.setattr(draining, "_stopping", made)
    monkeypatch.setattr(draining, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def test_the_longer_nothing_has_come_the_longer_is_the_pause_up_to_the_longest(pauses: Pauses) -> None:
    rows = iter([1])

    Drain(lambda: next(rows, 0), pause_seconds=0.03).run(lasts_seconds=10)

    assert pauses.seconds[:10] == [0.03] * 10, "a moment of quiet changes nothing"
    assert pauses.seconds == sorted(pauses.seconds)
    assert pauses.seconds[-1] == LONGEST_PAUSE_SECONDS


def test_a_row_waits_no_longer_than_a_tenth_of_the_time_since_the_one_before(pauses: Pauses) -> None:
    arrivals: Iterator[float] = iter([1_001.0, 1_001.5, 1_003.0, 1_009.0])
    due, last = next(arrivals), 1_000.0
    late: list[tuple[float, float]] = []

    def work() -> int:
        nonlocal due, last
        if pauses.now < due:
            return 0
        late.append((pauses.now - due, due - last))
        last, due = pauses.now, next(arrivals, 2_000.0)
        return 1

    drain = Drain(work, pause_seconds=0.03)
    drain._last_row_at = last  # noqa: SLF001 — as if one had just come
    drain.run(lasts_seconds=12)

    assert len(late) == 4
    assert all(waited <= max(0.03, min(LONGEST_PAUSE_SECONDS, quiet / 10)) + 1e-9 for waited, quiet in late), late


def test_after_a_full_batch_the_loop_goes_on_at_once(pauses: Pauses) -> None:
    rows = iter([5, 5, 2])

    Drain(lambda: next(rows, 0), pause_seconds=0.03, batch=5).run(lasts_seconds=0.01)

    assert pauses.seconds == [0.03]
