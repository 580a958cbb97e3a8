"""``python -m tests.simulation``: on a server of its own, as ``make simulate`` starts it."""

import logging
import sys
from argparse import ArgumentParser
from collections import Counter

import django

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first

from tests.simulation.mutants import BESIDE_A_RIVAL, IN_THE_WORLD  # noqa: E402
from tests.simulation.rivals import simulate_rivals  # noqa: E402
from tests.simulation.run import Size, simulate  # noqa: E402

HARMED = Size(people=300, days=4, deeds_per_day=60)


def main() -> int:
    parser = ArgumentParser(prog="make simulate ARGS=", description=__doc__)
    parser.add_argument("--seed", default="ringback")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--deeds", type=int, default=150, help="what people do, a day")
    parser.add_argument("--no-mutants", action="store_true", help="only the whole engine")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    _say(f"{options.people:,} people, {options.days} days, seed {options.seed!r}")
    _forget_all()
    size = Size(people=options.people, days=options.days, deeds_per_day=options.deeds)
    outcome = simulate(size, seed=options.seed)
    _say("\n".join(outcome.lines()))
    is_good = not outcome.judgement.violations
    return 0 if is_good and (options.no_mutants or _are_found_out(options.seed)) else 1


def _are_found_out(seed: str) -> bool:
    """Let every mutant harm people, and tell whether each was seen to break its promise and no other."""
    found = []
    for mutant in IN_THE_WORLD:
        _forget_all()
        seen = simulate(HARMED, seed=seed, engine_at_work=mutant.at_work()).judgement
        found.append(_compare(mutant.name, {mutant.breaks}, Counter(v.rule for v in seen.violations)))
    for name, rewrites, expected in (
        ("two workers at one number", {}, set()),
        (BESIDE_A_RIVAL.name, BESIDE_A_RIVAL.rewrites, {BESIDE_A_RIVAL.breaks}),
    ):
        _forget_all()
        seen = simulate_rivals(rewrites)
        found.append(_compare(name, expected, Counter(v.rule for v in seen.violations)))
    return all(found)


def _compare(name: str, expected: set[str], broken: Counter[str]) -> bool:
    is_right = set(broken) == expected
    seen = ", ".join(f"{rule} ({count})" for rule, count in broken.items()) or "nothing"
    _say(f"  {'seen  ' if is_right else 'MISSED'}  {name}: {seen}")
    return is_right


def _forget_all() -> None:
    call_command("flush", verbosity=0, interactive=False)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
