"""``python -m tests.hostile``: beside servers of its own, as ``make hostile`` starts it."""

import logging
import sys
import time
from argparse import ArgumentParser, Namespace

import django

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first

from tests.hostile import alone, beside, upkeep  # noqa: E402
from tests.hostile.report import say, show  # noqa: E402
from tests.hostile.server import Server  # noqa: E402


def main() -> int:
    parser = ArgumentParser(prog="make hostile ARGS=", description=__doc__)
    parser.add_argument("--answers", type=int, default=1000, help="hostile answers after which memory is looked at")
    parser.add_argument("--seconds", type=float, default=20, help="that healthy receivers are told something")
    parser.add_argument("--rate", type=float, default=20, help="events a second for the healthy ones together")
    parser.add_argument("--backlog", type=int, default=10_000, help="deliveries that wait for one more receiver")
    parser.add_argument("--short", action="store_true", help="(b) only, for CI: bounds for a machine with other work")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    began = time.monotonic()
    call_command("migrate", verbosity=0)
    with Server() as hostile, Server(healthy=beside.HEALTHY, is_hostile=False) as healthy:
        is_well = _short(hostile, healthy) if options.short else _full(hostile, healthy, options)
    say(f"rows 17 and 18, workers and servers that die: make chaos-webhooks\n{time.monotonic() - began:.0f} s")
    return 0 if is_well else 1


def _full(hostile: Server, healthy: Server, options: Namespace) -> bool:
    say("(a) every behaviour on a receiver of its own, all at once")
    is_well = show(alone.run(hostile, answers=options.answers))
    say("(b) all of them beside healthy receivers")
    seen = beside.run(
        hostile,
        healthy,
        seconds=options.seconds,
        rate=options.rate,
        backlog=options.backlog,
        bounds=beside.ALONE,
    )
    is_well = show(seen) and is_well
    say("what is changed while deliveries wait, and what is refused at once")
    return show(upkeep.run()) and is_well


def _short(hostile: Server, healthy: Server) -> bool:
    say("(b) all behaviours beside healthy receivers, in short")
    return show(beside.run(hostile, healthy, seconds=12, rate=20, backlog=2_000, bounds=beside.BESIDE_OTHER_WORK))


if __name__ == "__main__":
    sys.exit(main())
