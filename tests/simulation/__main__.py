"""``python -m tests.simulation``: on a server of its own, as ``make simulate`` starts it."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter

import django

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first

from tests.simulation import scenes  # noqa: E402
from tests.simulation.checker import Judgement, Rule  # noqa: E402
from tests.simulation.deadline import within  # noqa: E402
from tests.simulation.mutants import BESIDE_A_RIVAL, MUTANTS  # noqa: E402
from tests.simulation.rivals import simulate_rivals  # noqa: E402
from tests.simulation.run import Size, simulate  # noqa: E402
from tests.simulation.world import STARTS  # noqa: E402


def main() -> int:
    parser = ArgumentParser(prog="make simulate ARGS=", description=__doc__)
    parser.add_argument("--seed", default="ringback")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--start", choices=[*STARTS, "both"], default="spring", help="which clocks are changed")
    parser.add_argument("--deeds", type=int, default=150, help="what people do, a day")
    parser.add_argument("--no-mutants", action="store_true", help="only the whole engine")
    parser.add_argument("--seconds", type=float, default=7_200, help="what takes longer has failed")
    parser.add_argument("--short", action="store_true", help="fifty people, for CI; make test has the mutants")
    options = parser.parse_args()
    if options.short:
        options.people, options.deeds, options.no_mutants, options.seconds = 50, 20, True, 600
    with within(options.seconds):
        return _run(options)


def _run(options: Namespace) -> int:
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    size = Size(people=options.people, days=options.days, deeds_per_day=options.deeds)
    is_good = True
    for name in STARTS if options.start == "both" else (options.start,):
        _say(f"{options.people:,} people, {options.days} days of {name}, seed {options.seed!r}")
        _forget_all()
        outcome = simulate(size, seed=options.seed, start=STARTS[name])
        _say("\n".join(outcome.lines()))
        is_good = is_good and not outcome.judgement.violations
    return 0 if is_good and (options.no_mutants or _are_found_out()) else 1


def _are_found_out() -> bool:
    """Show every small world as it should be, and every mutant in one: each breaks its rules and no others."""
    found = []
    for drill in scenes.ALL:
        _forget_all()
        found.append(_compare(drill.name, frozenset(), drill.run()))
    for mutant in MUTANTS:
        _forget_all()
        found.append(_compare(mutant.name, mutant.breaks, mutant.drill.run(mutant.at_work())))
    for name, rewrites, expected in (
        ("two workers at one number", {}, frozenset()),
        ("the limit is not locked", BESIDE_A_RIVAL, frozenset({Rule.CONTACT_LIMITS})),
    ):
        _forget_all()
        found.append(_compare(name, expected, simulate_rivals(rewrites)))
    return all(found)


def _compare(name: str, expected: frozenset[Rule], seen: Judgement) -> bool:
    is_right = seen.broken == expected
    counted = Counter(violation.rule for violation in seen.violations)
    told = ", ".join(f"{rule} ({count})" for rule, count in counted.items()) or "nothing"
    _say(f"  {'right ' if is_right else 'WRONG '}  {name}: {told}")
    return is_right


def _forget_all() -> None:
    call_command("flush", verbosity=0, interactive=False)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
