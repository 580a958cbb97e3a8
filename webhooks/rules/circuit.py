"""When sending to a failing endpoint stops, for how long, and when the endpoint is switched off.

A circuit opens after a run of failures. Then nothing is sent for a while, and afterwards one real delivery at a time
until one succeeds. Deliveries that wait meanwhile use up no retries.
"""

from datetime import timedelta

OPENS_AFTER = 10
"""Failed attempts in a row that open a circuit: more than one delivery's retries, so that no single event does."""
FIRST_OPEN = timedelta(seconds=30)
LONGEST_OPEN = timedelta(minutes=15)

HOPELESS_AFTER = timedelta(days=5)
"""After this long without a success an endpoint is switched off."""
HOPELESS_FAILURES = 10
"""The failures that there must have been in that time, so that silence alone switches nothing off."""


def wait_before_probe(trips: int) -> timedelta:
    """Return how long nothing is sent after the circuit opened for the ``trips``-th time in a row."""
    doubled: timedelta = FIRST_OPEN * 2 ** (trips - 1)
    return min(doubled, LONGEST_OPEN)


def waits() -> list[timedelta]:
    """Return the wait of each trip, up to the first with the longest wait."""
    found = [wait_before_probe(1)]
    while found[-1] < LONGEST_OPEN:
        found.append(wait_before_probe(len(found) + 1))
    return found
