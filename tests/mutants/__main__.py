"""``python -m tests.mutants``, as ``make mutants`` starts it: every mutant is applied, and its tests must fail."""

import re
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.mutants.catalogue import catalogue
from tests.mutants.mutant import Mutant
from tests.workshop import LONGEST_SECONDS, Workshop, end_of, shared_out, workshops

_FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_TESTS_FAILED = 1
_AT_ONCE = 40
"""Selections that run together with nothing changed: together they must end in time too."""


class Verdict(StrEnum):
    CAUGHT = "caught"
    SURVIVED = "SURVIVED"  # the tests pass with the fault in place
    NOT_TRIED = "NOT TRIED"  # no test ran: pytest ended with another error, or not in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one mutant."""

    mutant: Mutant
    verdict: Verdict
    seconds: float
    seen: str
    """The test that failed, or the end of what pytest printed."""


def main() -> int:
    parser = ArgumentParser(prog="make mutants ARGS=", description=__doc__)
    parser.add_argument("--only", default="", help="those with this text in their file or name")
    parser.add_argument("--workers", type=int, default=2, help="copies of the project at work at once")
    options = parser.parse_args()
    mutants = [each for each in catalogue() if options.only in each.file or options.only in each.name]
    began = time.monotonic()
    trials = []
    with workshops(options.workers) as opened:
        _say(f"{len(mutants)} mutants in {len({each.file for each in mutants})} modules")
        if failures := _fail_unchanged(opened, mutants):
            _say(f"these fail with nothing changed, so that no mutant's failure says anything:\n{failures}")
            return 1
        for trial in shared_out(mutants, opened, attempt):
            _say(f"{trial.verdict:9} {trial.seconds:5.1f} s  {trial.mutant.file}: {trial.mutant.name}")
            _say(f"{trial.mutant.diff()}\n{trial.seen}")
            trials.append(trial)
    missed = [trial for trial in trials if trial.verdict is not Verdict.CAUGHT]
    _say(f"{len(trials) - len(missed)} caught, {len(missed)} not, {time.monotonic() - began:.0f} s")
    for trial in missed:
        _say(f"  {trial.verdict}: {trial.mutant.file}: {trial.mutant.name}")
    return 1 if missed or not trials else 0


def attempt(workshop: Workshop, mutant: Mutant) -> Trial:
    """Apply a mutant, run its tests until one fails, and take it out again."""
    began = time.monotonic()
    try:
        with workshop.changed(mutant.file, mutant.applied_to):
            done = workshop.pytest(*mutant.selection(), "--exitfirst")
    except subprocess.TimeoutExpired:
        verdict, seen = Verdict.NOT_TRIED, f"      no end within {LONGEST_SECONDS} s"
    else:
        verdict, seen = _judged(done)
    return Trial(mutant=mutant, verdict=verdict, seconds=time.monotonic() - began, seen=seen)


def _judged(done: subprocess.CompletedProcess[str]) -> tuple[Verdict, str]:
    if done.returncode == _TESTS_FAILED:
        failed = _FAILED_TEST.search(done.stdout)
        return Verdict.CAUGHT, f"      {failed[1]}" if failed else end_of(done.stdout)
    return (Verdict.SURVIVED if done.returncode == 0 else Verdict.NOT_TRIED), end_of(done.stdout)


def _fail_unchanged(opened: Sequence[Workshop], mutants: Sequence[Mutant]) -> str:
    """Run all selections without a fault; return what pytest says of those that fail."""
    selections = sorted({test for mutant in mutants for test in mutant.selection()})
    shares = [selections[n : n + _AT_ONCE] for n in range(0, len(selections), _AT_ONCE)]
    runs = shared_out(shares, opened, lambda workshop, share: workshop.pytest(*share))
    return "\n".join(run.stdout for run in runs if run.returncode != 0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
