"""The simulation in short: no promise is broken, and a checker that knows nothing of the engine says so."""

import subprocess
import sys

import pytest

from tests.simulation.run import Size, simulate

SHORT = Size(people=150, days=4, deeds_per_day=40)


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
