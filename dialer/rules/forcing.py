"""What an operator's force lasts for: one dial, the checks it named, and a while after the time it was meant for."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

FORCE_LASTS = timedelta(minutes=15)
"""How long after its time a forced call may still pass the checks: who said "call her now, though it is late" did not
mean three in the morning. Where it could not be dialled by then, the checks hold again as for any other call."""


def forced_at(at: datetime, checks: Iterable[str], reason: str) -> dict[str, Any]:
    """Return what a call due ``at`` keeps of a force."""
    return {"checks": sorted(checks), "reason": reason, "until": (at + FORCE_LASTS).astimezone(UTC).isoformat()}


def moved_to(force: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return a force for a call that is now due ``at``."""
    return forced_at(at, force["checks"], force["reason"])


def in_force(force: Mapping[str, Any] | None, *, now: datetime) -> frozenset[str]:
    """Return the checks that the call may pass now."""
    if force is None or now > datetime.fromisoformat(force["until"]):
        return frozenset()
    return frozenset(force["checks"])
