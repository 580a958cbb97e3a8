"""Rounds gather what the arms reached, and failures beside them; the order of calls is judged by place."""

import pytest

from bench.rounds import Rounds, at_least
from bench.thundering_second import places_behind
from dialer.rules.statuses import Rank


def test_an_arm_that_fails_keeps_its_other_rounds_and_the_other_arms(capsys: pytest.CaptureFixture[str]) -> None:
    rounds = Rounds("lifecycle")
    for number in range(2):
        with rounds.arm("huey"):
            if number:
                message = "gone"
                raise OSError(message)
            rounds.add("huey", "rate", "1/s", 5.0)
        with rounds.arm("ringback"):
            rounds.add("ringback", "rate", "1/s", 10.0 + number)

    huey, ringback, failed = rounds.figures({("ringback", "rate"): at_least(10)})

    assert (huey.values, huey.reached) == ([5.0], None)
    assert (ringback.values, ringback.goal, ringback.reached) == ([10.0, 11.0], "≥ 10", True)
    assert (failed.arm, failed.values, failed.error) == ("huey", [], "OSError: gone")
    assert "huey failed: OSError: gone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([], []),
        ([Rank.CALL_NOW, Rank.PROMISED, Rank.RETRY, Rank.NEW], [0, 0, 0, 0]),
        ([Rank.PROMISED, Rank.PROMISED, Rank.CALL_NOW], [2, 1, 0]),
        ([Rank.NEW, Rank.RETRY], [0, 0]),
    ],
    ids=["none", "in order", "one of a higher rank last", "retries and first calls take turns"],
)
def test_places_behind(ranks: list[Rank], expected: list[int]) -> None:
    assert places_behind(ranks) == expected
