"""Instants as text, as every payload and explanation has them."""

from datetime import UTC, datetime


def written(at: datetime) -> str:
    """Write an instant as ``2025-01-15T10:30:00Z``; fractions of a second are cut off."""
    return at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"
