"""How often calls connect: the rate, and how far off it may be where calls are few."""

import math
from dataclasses import dataclass

_Z = 1.959964
"""The quantile of the normal distribution for an interval of 95 percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Percentages with one decimal; the true rate is between ``low`` and ``high`` in 19 of 20 cases."""

    calls: int
    answered: int
    percent: float
    low: float
    high: float


def rate(*, calls: int, answered: int) -> Rate:
    """Return the share of calls that were answered, with its Wilson score interval."""
    if not calls:
        return Rate(calls=0, answered=0, percent=0.0, low=0.0, high=100.0)
    share = answered / calls
    shrunk = 1 + _Z**2 / calls
    centre = (share + _Z**2 / (2 * calls)) / shrunk
    margin = _Z / shrunk * math.sqrt(share * (1 - share) / calls + _Z**2 / (4 * calls**2))
    return Rate(
        calls=calls,
        answered=answered,
        percent=round(100 * share, 1),
        low=round(100 * max(0.0, centre - margin), 1),
        high=round(100 * min(1.0, centre + margin), 1),
    )
