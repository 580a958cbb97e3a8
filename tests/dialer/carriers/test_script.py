"""What numbers do, as values."""

from collections import Counter

import pytest

from dialer.carriers.simulation.script import CHANCES, RECORDS_LATER, SCRIPTS, Course, Placing, Step, course, script_of
from dialer.rules.statuses import Outcome


def course_of(number: str, *, nth: int = 0, seed: str = "tests", ring: float = 30, longest: float = 600) -> Course:
    return course(seed=seed, number=number, nth=nth, ring_timeout=ring, max_duration=longest)


def kinds(of: Course) -> list[str]:
    return [step.kind for step in of.steps]


@pytest.mark.parametrize("digits", sorted(SCRIPTS))
def test_a_scripted_number_ends_as_its_script_says_at_every_call(digits: str) -> None:
    ends = {course_of(f"+49301234{'00' + digits}", nth=nth).end.outcome for nth in range(5)}

    assert ends == {SCRIPTS[digits].outcome}


@pytest.mark.parametrize("number", ["+493012341200", "+493012340021", "+493012340100"])
def test_only_four_digits_of_a_script_name_it(number: str) -> None:
    assert script_of(number) is None


def test_the_same_call_always_goes_the_same_way() -> None:
    assert course_of("+493012345678", nth=3) == course_of("+493012345678", nth=3)


def test_another_call_to_a_number_and_another_seed_go_other_ways() -> None:
    number = "+493012345678"

    assert len({course_of(number, nth=nth).end.outcome for nth in range(50)}) > 3
    assert [course_of(number, nth=nth) for nth in range(5)] != [
        course_of(number, nth=nth, seed="b") for nth in range(5)
    ]


def test_chance_keeps_its_shares() -> None:
    calls = 4_000

    seen = Counter(course_of(f"+4930{number:07d}9").end.outcome for number in range(calls))

    assert sum(CHANCES.values()) == pytest.approx(1)
    for outcome, share in CHANCES.items():
        assert seen[outcome] / calls == pytest.approx(share, abs=0.025)


def test_every_outcome_is_one_of_ours() -> None:
    assert {script.outcome for script in SCRIPTS.values()} | set(CHANCES) <= set(Outcome)


def test_chance_refuses_numbers_that_it_makes_invalid() -> None:
    numbers = (f"+4930{number:07d}9" for number in range(1_000))
    invalid = [of.script.placing for number in numbers if (of := course_of(number)).end.outcome == "invalid_number"]

    assert invalid
    assert set(invalid) == {Placing.REFUSED}


def test_whether_a_number_exists_does_not_change_from_call_to_call() -> None:
    for number in range(300):
        ends = [course_of(f"+4930{number:07d}9", nth=nth).end.outcome for nth in range(10)]

        assert ends.count("invalid_number") in (0, len(ends))


def test_a_phone_nobody_answers_rings_as_long_as_was_asked_for() -> None:
    of = course_of("+493012340002", ring=17)

    assert of.end.at - of.steps[0].at == 17


def test_a_phone_that_would_be_answered_later_than_it_may_ring_is_not_answered() -> None:
    assert course_of("+493012340000", ring=1).end.outcome == "no_answer"


def test_a_talk_is_cut_at_the_longest_that_was_asked_for() -> None:
    of = course_of("+493012340000", longest=3)

    assert (of.end.talked_for, of.end.ended_reason) == (3, "max_duration")


def test_a_late_machine_is_answered_first() -> None:
    assert kinds(course_of("+493012340017")) == ["ringing", "answered", "machine", "ended"]


def test_hanging_up_while_it_rings_cancels_the_call() -> None:
    of = course_of("+493012340000").cut(1)

    assert kinds(of) == ["ringing", "ended"]
    assert of.end == Step(kind="ended", at=1, outcome="cancelled", ended_reason="cancelled")


def test_hanging_up_during_a_talk_ends_it_there() -> None:
    whole = course_of("+493012340018")
    answered_at = whole.steps[1].at

    of = whole.cut(answered_at + 4)

    assert kinds(of) == ["ringing", "answered", "ended"]
    assert of.end.outcome == "answered"
    assert of.end.ended_reason == "agent_hangup"
    assert of.end.talked_for == pytest.approx(4)


def test_hanging_up_after_the_end_changes_nothing() -> None:
    whole = course_of("+493012340000")

    assert whole.cut(whole.end.at) is whole


def test_some_of_those_who_answer_by_chance_are_recorded_later() -> None:
    every = [course_of(f"+4930{number:07d}9") for number in range(4_000)]
    answered = [of for of in every if of.end.outcome == "answered"]
    later = [of for of in every if of.records_later]

    assert len(later) / len(answered) == pytest.approx(RECORDS_LATER, abs=0.03)
    assert all(of in answered for of in later)
    assert later[0].cut(later[0].end.at - 1).records_later
