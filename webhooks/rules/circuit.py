"""When an endpoint that keeps failing is left alone, for how long, and when it is given up.

A circuit opens after a run of failures; then nothing is sent for a while, and after it one real delivery at a time,
until one is taken. What waits meanwhile uses up none of its retries.
"""

from datetime import timedelta

OPENS_AFTER = 10
"""Failed attempts in a row: more than one delivery's own retries, so that a single event opens no circuit."""
FIRST_OPEN = timedelta(seconds=30)
LONGEST_OPEN = timedelta(minutes=15)

HOPELESS_AFTER = timedelta(days=5)
"""How long nothing may be taken until the endpoint is switched off."""
HOPELESS_FAILURES = 10
"""How many failures there must have been in that time: silence proves nothing."""


def wait_before_probe(trips: int) -> timedelta:
    """Return how long nothing is sent after the circuit opened for the ``trips``-th time in a row."""
    doubled: timedelta = FIRST_OPEN * 2 ** (trips - 1)
    return min(doubled, LONGEST_OPEN)


def waits() -> list[timedelta]:
    """Return the wait of each trip, to the first that is the longest."""
    found = [wait_before_probe(1)]
    while found[-1] < LONGEST_OPEN:
        found.append(wait_before_probe(len(found) + 1))
    return found
