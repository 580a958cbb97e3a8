"""Two lanes of slots, so that slow receivers do not keep quick ones waiting."""

from enum import StrEnum

SLOW_MS = 1000.0
"""From here on an attempt is slow."""
KEPT_PER_ATTEMPT = 0.8
"""How much of an endpoint's average each further attempt leaves: one in five at the deadline makes a receiver slow."""


class Lane(StrEnum):
    """Which slots an endpoint's attempts may take."""

    FAST = "fast"
    """It is known to answer promptly."""
    SLOW = "slow"
    """It takes its time, or has never answered: nobody knows yet."""


def lane_of(latency_ms: float | None) -> Lane:
    """Return the lane of an endpoint whose attempts take so long on average; ``None``: there was none yet."""
    return Lane.SLOW if latency_ms is None or latency_ms >= SLOW_MS else Lane.FAST
