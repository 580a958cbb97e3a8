"""The simulation in short: no promise is broken, and a checker that knows nothing of the engine says so."""

import subprocess
import sys

import pytest

from tests.simulation.mutants import BESIDE_A_RIVAL, IN_THE_WORLD, Mutant
from tests.simulation.rivals import simulate_rivals
from tests.simulation.run import Size, simulate

HARMED = Size(people=90, days=3, deeds_per_day=40)
SHORT = Size(people=120, days=14, deeds_per_day=20)


@pytest.mark.django_db(transaction=True)
def test_in_simulated_days_no_promise_to_a_caller_is_broken() -> None:
    outcome = simulate(SHORT, seed="short")

    assert outcome.judgement.violations == []
    assert outcome.judgement.calls > SHORT.people / 2, "\n".join(outcome.lines())
    assert outcome.judgement.dialled > SHORT.people / 4, "\n".join(outcome.lines())


def test_the_checker_imports_nothing_of_what_it_judges() -> None:
    code = (
        "import sys, tests.simulation.checker\n"
        "sys.exit(', '.join(m for m in sys.modules if m.split('.')[0] in "
        "('dialer', 'callbacks', 'webhooks', 'config', 'django')) or None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 — ours

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mutant", IN_THE_WORLD, ids=lambda mutant: mutant.name)
def test_the_checker_sees_which_promise_a_mutant_breaks(mutant: Mutant) -> None:
    outcome = simulate(HARMED, seed="mutant", engine_at_work=mutant.at_work())

    assert outcome.judgement.broken == {mutant.breaks}, "\n".join(outcome.lines())


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_number_exceed_no_limit() -> None:
    judgement = simulate_rivals({})

    assert (judgement.violations, judgement.calls) == ([], 9)


@pytest.mark.django_db(transaction=True)
def test_the_checker_sees_a_limit_exceeded_where_numbers_are_not_locked() -> None:
    assert simulate_rivals(BESIDE_A_RIVAL.rewrites).broken == {BESIDE_A_RIVAL.breaks}
