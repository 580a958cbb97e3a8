"""A death comes where and when the seed says, once."""

from collections import Counter
from pathlib import Path

from tests.chaos.faults import Kind, append
from tests.chaos.plan import Death, Fate, Point, deaths


def test_every_point_has_its_deaths_in_an_order_that_the_seed_gives() -> None:
    planned = deaths(seed="a", each=6)

    assert Counter(death.point for death in planned) == dict.fromkeys(Point, 6)
    assert planned == deaths(seed="a", each=6)
    assert planned != deaths(seed="b", each=6)


def test_a_worker_dies_after_so_many_passages_of_its_point(tmp_path: Path) -> None:
    fate = Fate([Death(point=Point.BEFORE_RECORD, passes=1)], tmp_path / "log")

    passages = [fate.is_here(point) for point in (Point.BEFORE_RECORD, Point.BEFORE_REQUEST, Point.BEFORE_RECORD)]

    assert passages == [False, False, True]


def test_each_life_has_the_next_death_and_the_last_one_none(tmp_path: Path) -> None:
    log = tmp_path / "log"
    planned = [Death(point=Point.BEFORE_RECORD, passes=0), Death(point=Point.BEFORE_REQUEST, passes=0)]

    append(log, id="D01", kind=Kind.DEATH, at=1.0, until=1.0, concerns=["dial.1"], note=Point.BEFORE_RECORD)
    second = Fate(planned, log).is_here(Point.BEFORE_REQUEST)
    append(log, id="D02", kind=Kind.DEATH, at=2.0, until=2.0, concerns=["dial.2"], note=Point.BEFORE_REQUEST)
    third = any(Fate(planned, log).is_here(point) for point in Point)

    assert (second, third) == (True, False)
