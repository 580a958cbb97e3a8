"""A storm brings everything that it can, as often as its length says, in an order that the seed gives."""

from collections import Counter

from tests.chaos.faults import Kind
from tests.chaos.storm import MISCHIEF, SHORT, USUAL, plan

PROCESSES = ("web", "beat", "worker-dial")


def test_the_shortest_storm_brings_every_kind_of_fault_and_kills_every_process() -> None:
    steps = plan(seed="a", length=SHORT, processes=PROCESSES, stopped=["worker-dial"])

    lasting = {Kind.BEATS, Kind.CLOCKS, Kind.DEATH, Kind.END}  # from the beginning on, or not by the storm
    assert {step.kind for step in steps} == set(Kind) - lasting
    assert {step.whom for step in steps if step.kind is Kind.KILL} == set(PROCESSES)
    assert {step.mischief for step in steps if step.kind is Kind.CARRIER} == set(range(len(MISCHIEF)))
    assert [step.after for step in steps] == sorted(step.after for step in steps)
    assert steps[-1].after <= SHORT.seconds


def test_a_longer_storm_brings_each_more_often() -> None:
    steps = plan(seed="a", length=USUAL, processes=PROCESSES, stopped=["worker-dial"])

    assert set(Counter((step.kind, step.whom, step.mischief) for step in steps).values()) == {USUAL.rounds}


def test_the_seed_gives_the_order() -> None:
    first, again, other = (
        plan(seed=seed, length=SHORT, processes=PROCESSES, stopped=["worker-dial"]) for seed in ("a", "a", "b")
    )

    assert first == again != other
