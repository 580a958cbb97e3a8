"""What is printed and judged."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One promise, what was seen, and whether it was kept."""

    what: str
    seen: str
    is_kept: bool


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(findings: Sequence[Finding]) -> bool:
    """Print them; tell whether all were kept."""
    for finding in findings:
        say(f"  {'kept  ' if finding.is_kept else 'MISSED'}  {finding.what}: {finding.seen}")
    return all(finding.is_kept for finding in findings)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of them does not exceed; of none, more than any bound."""
    if not values:
        return math.inf
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
