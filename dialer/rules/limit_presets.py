"""Legal presets: contact limits and hours that a jurisdiction requires, as data files that name their sources.

A preset is copied into a workspace's settings, where everything can be changed afterwards. It is not legal advice; its
note names requirements besides limits and hours (consent, registers).
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
    """The public text that a preset is based on."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Contact limits and the fields of a calling window, normalised; ``code`` is the name of the file."""

    code: str
    name: str
    jurisdiction: str
    applies_to: str
    note: str
    contact_limits: list[dict[str, Any]]
    schedule: dict[str, Any]
    sources: list[Source]

    def over(self, schedule: Mapping[str, Any]) -> dict[str, Any]:
        """Return the schedule with this window; removes its other day settings, which would restrict the window."""
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
