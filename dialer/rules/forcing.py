"""The scope of an operator's force: one dial, the named checks, and a limited time after the intended one."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

FORCE_LASTS = timedelta(minutes=15)
"""How long after its time a forced call may still pass the checks: an operator who said "call her now, though it is
late" did not mean three in the morning. Afterwards the checks apply again as to any other call."""


def forced_at(at: datetime, checks: Iterable[str], reason: str) -> dict[str, Any]:
    """Return the stored form of a force for a call due ``at``."""
    return {"checks": sorted(checks), "reason": reason, "until": (at + FORCE_LASTS).astimezone(UTC).isoformat()}


def moved_to(force: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return the force with its end moved along to a call that is now due ``at``."""
    return forced_at(at, force["checks"], force["reason"])


def in_force(force: Mapping[str, Any] | None, *, now: datetime) -> frozenset[str]:
    """Return the names of the checks that the call may pass now."""
    if force is None or now > datetime.fromisoformat(force["until"]):
        return frozenset()
    return frozenset(force["checks"])
