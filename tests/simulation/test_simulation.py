"""The simulation in short: no promise is broken, and a checker that knows nothing of the engine says so."""

import subprocess
import sys
import threading

import pytest

from tests.simulation.checker import Rule
from tests.simulation.deadline import OutOfTime, within
from tests.simulation.mutants import BESIDE_A_RIVAL, MUTANTS, Mutant
from tests.simulation.rivals import simulate_rivals
from tests.simulation.run import Size, simulate
from tests.simulation.world import STARTS

SHORT = Size(people=15, days=8, deeds_per_day=12)  # the clocks change on the sixth; `make simulate` does more


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("season", STARTS)
def test_in_simulated_days_no_promise_to_a_caller_is_broken(season: str) -> None:
    outcome = simulate(SHORT, seed="short", start=STARTS[season])

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


def test_every_rule_has_a_mutant_that_breaks_it_and_no_other() -> None:
    broken_alone = {rule for mutant in MUTANTS if len(mutant.breaks) == 1 for rule in mutant.breaks}

    assert broken_alone | {Rule.CONTACT_LIMITS} == set(Rule)  # that one needs a rival, below


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_checker_sees_which_rules_a_mutant_breaks(mutant: Mutant) -> None:
    judgement = mutant.drill.run(mutant.at_work())

    assert judgement.broken == mutant.breaks, judgement.violations


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_one_number_exceed_no_limit() -> None:
    judgement = simulate_rivals({})

    assert (judgement.violations, judgement.calls) == ([], 9)


@pytest.mark.django_db(transaction=True)
def test_the_checker_sees_a_limit_exceeded_where_numbers_are_not_locked() -> None:
    assert simulate_rivals(BESIDE_A_RIVAL).broken == {Rule.CONTACT_LIMITS}


def test_what_takes_too_long_gives_up() -> None:
    with within(0.05), pytest.raises(OutOfTime, match="not done within"):
        threading.Event().wait()
