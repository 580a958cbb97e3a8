"""How often a number may be called: at most ``max`` calls handed over within any ``period_hours``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """One call that was handed to a carrier."""

    at: datetime
    campaign_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLimit:
    """``scope`` is ``number`` (all campaigns count) or ``campaign``."""

    max: int
    period: timedelta
    scope: str


def limits_from(*configured: Sequence[Mapping[str, Any]] | None) -> tuple[ContactLimit, ...]:
    """Read the limits of workspace and campaign; all of them apply."""
    return tuple(
        ContactLimit(max=item["max"], period=timedelta(hours=item["period_hours"]), scope=item["scope"])
        for items in configured
        for item in items or ()
    )


def longest_period(limits: Sequence[ContactLimit]) -> timedelta:
    return max((limit.period for limit in limits), default=timedelta())


def allowed_from(
    limits: Sequence[ContactLimit], *, ledger: Sequence[Handed], campaign_id: UUID | None, at: datetime
) -> datetime:
    """Return the first instant not before ``at`` at which one more call exceeds no limit.

    A call stops counting exactly when its period is over. ``ledger`` may be in any order.
    """
    earliest = at
    for limit in limits:
        counted = sorted(call.at for call in ledger if limit.scope == "number" or call.campaign_id == campaign_id)
        if len(counted) >= limit.max:
            # The period of the oldest of the last `max` calls must be over.
            earliest = max(earliest, counted[-limit.max] + limit.period)
    return earliest
