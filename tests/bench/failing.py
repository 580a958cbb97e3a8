"""A scenario that measures one figure and then fails, for the test of the runner."""

from collections.abc import Iterator

from bench.figures import Figure, Size


def measure(size: Size) -> Iterator[Figure]:
    yield Figure("failing", "ringback", "rate", "1/s", [float(size.rounds)])
    message = "the peer went away"
    raise RuntimeError(message)
