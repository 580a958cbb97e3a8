"""Which layer holds which race, as ``docs/concurrency.md`` says: taken out alone, or kept while all others are gone.

Every claim of the page is played. What makes a mark is measured from nothing by ``LAYERS=all make test
ARGS=tests/concurrency/test_layers.py``, some thirty rounds a race, which takes minutes. The control of every race is
that it does harm with all layers gone.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.concurrency import campaign_races, promise_races, races
from tests.concurrency.interleaving import RaceFailed, threads
from tests.concurrency.layers import CONSTRAINTS, LAYERS, WATCHED, dropped_constraints, met_by, without
from tests.concurrency.races import Ledger, Race
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concurrency.md"

MATRIX = "Which layer holds which race"
MEASURE_ALL = os.environ.get("LAYERS") == "all"
NEEDED, ENOUGH, PASSED = "!", "●", "·"
TOGETHER = "abcdef"
CONSTRAINTS_ALONE = frozenset({"unique indexes"})
"""Layers that are nothing but constraints."""

RACES: dict[str, Race] = {
    "two dispatchers": races.two_dispatchers,
    "a repeated message": races.a_repeated_message,
    "a stale worker": races.a_stale_worker,
    "a message after its lease": races.a_message_after_its_lease,
    "pause before claim": races.pause_before_claim,
    "pause before place": races.pause_before_place,
    "pause under place": races.pause_under_place,
    "suppression before place": races.suppression_before_place,
    "suppression under place": races.suppression_under_place,
    "cancel before place": races.cancel_before_place,
    "cancel under place": races.cancel_under_place,
    "two calls to one number": races.two_calls_to_one_number,
    "a limit of one call": races.a_limit_of_one_call,
    "promise against claim": promise_races.promise_against_claim,
    "promise before place": promise_races.promise_before_place,
    "promise under place": promise_races.promise_under_place,
    "talk against claim": promise_races.talk_against_claim,
    "talk before place": promise_races.talk_before_place,
    "talk under place": promise_races.talk_under_place,
    "answer against claim": promise_races.answer_against_claim,
    "answer before place": promise_races.answer_before_place,
    "contact added under completion": campaign_races.contact_added_under_completion,
    "completion under addition": campaign_races.completion_under_addition,
    "promise under completion": campaign_races.promise_under_completion,
    "completion under promise": campaign_races.completion_under_promise,
    "two workers at a bulk action": campaign_races.two_workers_at_a_bulk_action,
    "two readers of an import": campaign_races.two_readers_of_an_import,
}


class LedgerInProcess:
    def __init__(self, carrier: InProcessCarrier) -> None:
        self._carrier = carrier
        self._before = 0

    def begin_round(self) -> None:
        self._before = len(self._carrier.placed)

    def asked(self) -> int:
        return len(self._carrier.placed) - self._before


@pytest.fixture
def ledger(carrier: InProcessCarrier) -> LedgerInProcess:
    return LedgerInProcess(carrier)


class Bench:
    """Plays one race with layers taken out."""

    def __init__(self, race: Race, ledger: Ledger) -> None:
        self._race = race
        self._ledger = ledger
        self._dropped: frozenset[str] = frozenset()

    @contextmanager
    def constraints_dropped(self) -> Iterator[None]:
        """Drop all constraints for many rounds at once."""
        with dropped_constraints(CONSTRAINTS):
            self._dropped = CONSTRAINTS
            yield
        self._dropped = frozenset()

    def met(self) -> frozenset[str]:
        """Play with nothing taken out, which must do no harm; return the layers that the race comes by."""
        with threads(WATCHED) as run:
            if harm := self._race(self._ledger, run):
                run.fail(f"it did harm: {harm}")
        return met_by(run.met())

    def harm(self, removed: Collection[str]) -> str:
        with dropped_constraints(frozenset(removed) - self._dropped), threads(without(removed)) as run:
            return self._race(self._ledger, run)


def marks_of(bench: Bench) -> dict[str, str]:
    """Measure what each layer does in a race; see the page for the marks."""
    met = [layer for layer in LAYERS if layer in bench.met()]
    marks = dict.fromkeys(met, PASSED) | {layer: NEEDED for layer in met if bench.harm([layer])}
    if NEEDED in marks.values():
        with bench.constraints_dropped():
            assert bench.harm(LAYERS), "the race can do no harm"
        return marks
    marks |= {layer: ENOUGH for layer in CONSTRAINTS_ALONE if not bench.harm(LAYERS.keys() - {layer})}
    with bench.constraints_dropped():
        assert bench.harm(LAYERS), "the race can do no harm"
        others = [layer for layer in met if layer not in CONSTRAINTS_ALONE]
        marks |= {layer: ENOUGH for layer in others if not bench.harm(LAYERS.keys() - {layer})}
        for letter in TOGETHER:
            left = [layer for layer in others if marks[layer] == PASSED]
            if bench.harm(LAYERS.keys() - left):
                return marks
            marks |= dict.fromkeys(_fewest(bench, left), letter)
    raise AssertionError(marks)


def _fewest(bench: Bench, layers: list[str]) -> list[str]:
    """Take out of layers that hold together one after the other, as long as the rest holds."""
    for layer in list(layers):
        fewer = [other for other in layers if other != layer]
        if not bench.harm(LAYERS.keys() - fewer):
            layers = fewer
    return layers


def wrong_marks(bench: Bench, marks: dict[str, str]) -> Iterator[str]:
    """Play what the marks of a race claim, and tell what is not so."""
    everything = LAYERS.keys()
    if bench.met() != marks.keys():
        yield f"the race comes by {sorted(bench.met())}"
    for layer in _marked(marks, NEEDED):
        if not bench.harm([layer]):
            yield f"without {layer} nothing happens"
    yield from _not_enough(bench, _marked(marks, ENOUGH) & CONSTRAINTS_ALONE)
    with bench.constraints_dropped():
        if not bench.harm(everything):
            yield "with all layers gone nothing happens"
        yield from _not_enough(bench, _marked(marks, ENOUGH) - CONSTRAINTS_ALONE)
        for letter in TOGETHER:
            yield from _wrong_together(bench, _marked(marks, letter))
        if NEEDED not in marks.values() and not bench.harm(everything - _marked(marks, PASSED)):
            yield "something else holds too"


def _not_enough(bench: Bench, layers: frozenset[str]) -> Iterator[str]:
    for layer in layers:
        if harm := bench.harm(LAYERS.keys() - {layer}):
            yield f"{layer} alone does not hold: {harm}"


def _wrong_together(bench: Bench, layers: frozenset[str]) -> Iterator[str]:
    if layers and (harm := bench.harm(LAYERS.keys() - layers)):
        yield f"{sorted(layers)} together do not hold: {harm}"
    for layer in layers:
        if not bench.harm(LAYERS.keys() - (layers - {layer})):
            yield f"{sorted(layers)} hold without {layer}"


def _marked(marks: dict[str, str], mark: str) -> frozenset[str]:
    return frozenset(layer for layer, its in marks.items() if its == mark)


def section(heading: str) -> list[list[str]]:
    """Read the rows of the table below a heading of the page, without its head."""
    below = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def matrix_of_page() -> dict[str, dict[str, str]]:
    """Return by race the mark of each layer that it comes by."""
    return {
        race: {layer: mark for layer, mark in zip(LAYERS, marks, strict=True) if mark}
        for race, *marks in section(MATRIX)
    }


def row_of(race: str, marks: dict[str, str]) -> str:
    return f"| {race} | {' | '.join(marks.get(layer, '') for layer in LAYERS)} |"


@pytest.mark.parametrize("race", RACES)
def test_each_layer_does_in_each_race_what_the_page_says(ledger: LedgerInProcess, race: str) -> None:
    bench, told = Bench(RACES[race], ledger), matrix_of_page()[race]

    wrong = list(wrong_marks(bench, told))
    if MEASURE_ALL and (measured := row_of(race, marks_of(bench))) != row_of(race, told):
        wrong.append(f"measured anew it is\n{measured}")

    if wrong:
        message = f"the page is wrong about {race}:\n{chr(10).join(wrong)}"
        raise RaceFailed(message)


def test_the_page_has_every_race_and_every_layer() -> None:
    assert list(matrix_of_page()) == list(RACES)
    assert [name for _, name, *_ in section("The layers")] == list(LAYERS)
