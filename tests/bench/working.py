"""A scenario that measures at once, for the test of the runner."""

from collections.abc import Iterator

from bench.figures import Figure, Size


def measure(size: Size) -> Iterator[Figure]:
    yield Figure("working", "ringback", "rate", "1/s", [1.0] * size.rounds)
