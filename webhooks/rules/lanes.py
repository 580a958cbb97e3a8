"""Two lanes of slots, so that slow receivers do not keep quick ones waiting."""

from enum import StrEnum

SLOW_MS = 1000.0
"""An average latency of this many milliseconds or more is slow."""
KEPT_PER_ATTEMPT = 0.8
"""The weight of the previous average at each attempt: one timeout in five attempts makes a receiver slow."""


class Lane(StrEnum):
    """The slots that an endpoint's attempts may use."""

    FAST = "fast"
    """For endpoints that are known to answer promptly."""
    SLOW = "slow"
    """For endpoints that are slow, or have not had an attempt yet."""


def lane_of(latency_ms: float | None) -> Lane:
    """Return the lane for an average latency; ``None`` if there was no attempt yet."""
    return Lane.SLOW if latency_ms is None or latency_ms >= SLOW_MS else Lane.FAST
