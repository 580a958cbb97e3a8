"""``python -m tests.simulation``: on a server of its own, as ``make simulate`` starts it."""

import logging
import sys
from argparse import ArgumentParser

import django

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first

from tests.simulation.run import Size, simulate  # noqa: E402


def main() -> int:
    parser = ArgumentParser(prog="make simulate ARGS=", description=__doc__)
    parser.add_argument("--seed", default="ringback")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--deeds", type=int, default=150, help="what people do, a day")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    call_command("migrate", verbosity=0)
    call_command("flush", verbosity=0, interactive=False)
    outcome = simulate(Size(people=options.people, days=options.days, deeds_per_day=options.deeds), seed=options.seed)
    sys.stdout.write("\n".join([f"seed {options.seed!r}", *outcome.lines(), ""]))
    return 1 if outcome.judgement.violations else 0


if __name__ == "__main__":
    sys.exit(main())
