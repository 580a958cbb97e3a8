"""Faults in the pure rules of callbacks: what is retried, when, and how often."""

from tests.mutants.mutant import Mutant

_RETRY = "tests/callbacks/test_schedules_by_hand.py tests/callbacks/test_chains_by_hand.py"

MUTANTS = [
    Mutant(
        file="callbacks/rules/retry.py",
        name="retries wait twice their delay",
        old="        candidate=ended_at + timedelta(minutes=delay),",
        new="        candidate=ended_at + timedelta(minutes=2 * delay),",
        tests=_RETRY,
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="every retry waits the first delay",
        old="    return delays[min(used, len(delays) - 1)]",
        new="    return delays[0]",
        tests=_RETRY,
    ),
    Mutant(
        file="callbacks/rules/retry.py",
        name="one retry more than the limit is made",
        old="    if used >= limit:",
        new="    if used > limit:",
        tests=_RETRY,
    ),
]
