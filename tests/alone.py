"""``python -m tests.alone``, as ``make test-alone`` starts it: tests picked by chance, each in a pytest of its own.

What passes only after another test, or beside it, fails here.
"""

import random
import subprocess
import sys
import time
from argparse import ArgumentParser

from config.env import BASE_DIR
from tests.workshop import Workshop, end_of, shared_out, workshops


def main() -> int:
    parser = ArgumentParser(prog="make test-alone ARGS=", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", default=str(time.time_ns()), help="repeats a choice")
    parser.add_argument("--workers", type=int, default=2, help="copies of the project at work at once")
    options = parser.parse_args()
    tests = collected()
    dice = random.Random(options.seed)  # noqa: S311 — chance that can be repeated is what is wanted
    picked = dice.sample(tests, min(options.count, len(tests)))
    _say(f"{len(picked)} of {len(tests)} tests, seed {options.seed}")
    began = time.monotonic()
    with workshops(options.workers) as opened:
        failed = [outcome for outcome in shared_out(picked, opened, _run) if outcome]
    for outcome in failed:
        _say(outcome)
    _say(f"{len(picked) - len(failed)} passed alone, {len(failed)} did not, {time.monotonic() - began:.0f} s")
    return 1 if failed or not picked else 0


def collected() -> list[str]:
    """Return the ids of all tests of the project."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    done = subprocess.run(command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 — our own
    return [line for line in done.stdout.splitlines() if "::" in line]


def _run(workshop: Workshop, test: str) -> str:
    """Run one test; return nothing where it passes, else the end of what pytest says."""
    done = workshop.pytest(test)
    return "" if done.returncode == 0 else f"{test}\n{end_of(done.stdout)}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
