"""When and for how long a line with a failing carrier is not used: longer each time, until the carrier answers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FAILURES = 5
"""So many failures in a row, without an answer between them, count as an outage."""
SHORTEST = timedelta(seconds=5)
LONGEST = timedelta(minutes=5)
REJECTED_FIRST = timedelta(seconds=60)
"""The first pause after rejected credentials, which nobody corrects within seconds."""
REJECTIONS = 5
"""After so many rejections in a row, over some ten minutes, credentials count as wrong for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Failures and outages of a line since its carrier last answered, and until when the line is not used."""

    failures: int = 0
    outages: int = 0
    down_until: datetime | None = None

    def is_open(self, *, now: datetime) -> bool:
        return self.down_until is not None and now < self.down_until


def failed(circuit: Circuit, *, times: int, is_rejected: bool, now: datetime) -> Circuit:
    """Return the circuit after ``times`` failures; failures while it is open do not prolong the outage."""
    counted = replace(circuit, failures=circuit.failures + times)
    if circuit.is_open(now=now) or not (is_rejected or counted.failures >= FAILURES):
        return counted
    first = REJECTED_FIRST if is_rejected else SHORTEST
    # The exponent is bounded, because a carrier may be down for weeks.
    return replace(
        counted, outages=circuit.outages + 1, down_until=now + min(first * 2 ** min(circuit.outages, 10), LONGEST)
    )
