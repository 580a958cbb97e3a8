"""Percentiles of latencies, as figures of a scenario."""

from collections.abc import Mapping, Sequence

from bench.rounds import Goal, Rounds, at_most

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def add_latencies(rounds: Rounds, arm: str, name: str, seconds: Sequence[float]) -> None:
    """Add the percentiles of a round's latencies, in milliseconds."""
    ordered = sorted(seconds)
    for percentile, share in _SHARES.items():
        value = ordered[min(int(len(ordered) * share), len(ordered) - 1)]
        rounds.add(arm, f"{name}, {percentile}", "ms", 1000 * value, better="lower")


def within(arm: str, name: str, **milliseconds: float) -> Mapping[tuple[str, str], Goal]:
    """Return the goals of some percentiles (``p99=25``)."""
    return {(arm, f"{name}, {percentile}"): at_most(most) for percentile, most in milliseconds.items()}
