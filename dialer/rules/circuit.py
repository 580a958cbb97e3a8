"""When a line whose carrier fails is left alone, and for how long: longer each time, until a call gets through."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FAILURES = 5
"""So many failures in a row, with no answer between them, are an outage."""
SHORTEST = timedelta(seconds=5)
LONGEST = timedelta(minutes=5)
REJECTED_FIRST = timedelta(seconds=60)
"""Credentials that are rejected do not mend themselves in seconds."""
REJECTIONS = 5
"""So often in a row rejected, over some ten minutes, credentials count as wrong for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """How a line stands: failures and outages since its carrier last answered, and until when it is left alone."""

    failures: int = 0
    outages: int = 0
    down_until: datetime | None = None

    def is_open(self, *, now: datetime) -> bool:
        return self.down_until is not None and now < self.down_until


def failed(circuit: Circuit, *, times: int, is_rejected: bool, now: datetime) -> Circuit:
    """Return the circuit after so many failures; what was under way when it opened makes no outage longer."""
    counted = replace(circuit, failures=circuit.failures + times)
    if circuit.is_open(now=now) or not (is_rejected or counted.failures >= FAILURES):
        return counted
    first = REJECTED_FIRST if is_rejected else SHORTEST
    # The power is bounded before it is taken: a carrier may be gone for weeks.
    return replace(
        counted, outages=circuit.outages + 1, down_until=now + min(first * 2 ** min(circuit.outages, 10), LONGEST)
    )
