"""What the law of a place asks of calls: limits and hours to begin with, as data files that name their sources.

A preset is copied into a workspace's settings, where everything can be changed afterwards; it is no legal advice, and
what it asks beside limits and hours (consent, registers) stands in its note.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dialer.rules.schedule_settings import parse, parse_contact_limits

_FILES = Path(__file__).with_name("presets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A public text that says so."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Contact limits and the fields of a calling window, normalised; ``code`` is the name of its file."""

    code: str
    name: str
    jurisdiction: str
    applies_to: str
    note: str
    contact_limits: list[dict[str, Any]]
    schedule: dict[str, Any]
    sources: list[Source]

    def over(self, schedule: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schedule with this window; days that are set elsewhere would cut it further, so they go."""
        others = {name: value for name, value in schedule.items() if name not in ("calling_hours", "days", "holidays")}
        return {**others, **self.schedule}


@lru_cache(maxsize=1)
def presets() -> Mapping[str, Preset]:
    """Return the presets by their codes."""
    return {path.stem: _read(path) for path in sorted(_FILES.glob("*.toml"))}


def _read(path: Path) -> Preset:
    with path.open("rb") as file:
        given = tomllib.load(file)
    return Preset(
        code=path.stem,
        contact_limits=parse_contact_limits(given.pop("contact_limits")),
        schedule=parse(given.pop("schedule")),
        sources=[Source(**source) for source in given.pop("sources")],
        **given,
    )
