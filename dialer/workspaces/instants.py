"""Formats instants as text, for all payloads and explanations."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def written(at: datetime) -> str:
    """Write an instant as ``2025-01-15T10:30:00Z``; fractions of a second are cut off."""
    return at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def written_with_milliseconds(at: datetime) -> str:
    """Write an instant as ``2022-09-01T00:30:48.567Z``; smaller fractions are cut off."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def written_in_zone(at: datetime, zone: str) -> str:
    """Write an instant as the clocks of a zone show it, with their offset: ``2024-01-15T09:05:00+05:30``."""
    return at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
