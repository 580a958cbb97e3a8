"""Resolves the calling window in force: three fields, each separately from call, campaign and workspace.

Takes normalised schedules (see ``schedule_settings``), which are valid, so it checks nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

from babel import Locale, UnknownLocaleError

from dialer.rules.calling_window import CallingWindow, Interval

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKEND_OFF = "weekend_off"
DEFAULT_HOURS = {"start": "09:00", "end": "20:00"}
NARROWED = Interval(start=11 * 60, end=17 * 60)
"""The part of a window that remains if the contact's time zone is not known."""

Schedule = Mapping[str, Any]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowInForce:
    """The window, and the level that each of its fields comes from (``default`` if none sets it)."""

    window: CallingWindow
    hours_level: str
    days_level: str
    holidays_level: str


def window_in_force(*, call: Schedule, campaign: Schedule, workspace: Schedule, country: str | None) -> WindowInForce:
    """Resolve the window for one contact; ``country`` (ISO 3166, two letters) says when the weekend is.

    Calling hours replace the days of a less specific level; if one level sets both, both must permit a call.
    """
    levels = (("call", call), ("campaign", campaign), ("workspace", workspace))
    hours_rank, hours_level, hours = _first(levels, "calling_hours", DEFAULT_HOURS)
    days_rank, days_level, days = _first(levels, "days", None)
    closed: Mapping[str, Any] = {}
    _, holidays_level, holidays = _first(levels, "holidays", closed)
    per_weekday = "start" not in hours
    if per_weekday and days_rank > hours_rank:
        days, days_level = None, hours_level
    open_days = _open_days(days, country)
    week = tuple(_intervals(hours, name) if name in open_days else () for name in WEEKDAYS)
    return WindowInForce(
        window=CallingWindow(
            hours=week,
            closed_dates=frozenset(date.fromisoformat(text) for text in holidays.get("dates", ())),
            holiday_region=holidays.get("region"),
        ),
        hours_level=hours_level,
        days_level=days_level,
        holidays_level=holidays_level,
    )


def _first(levels: tuple[tuple[str, Schedule], ...], field: str, default: _Value) -> tuple[int, str, _Value]:
    for rank, (level, schedule) in enumerate(levels):
        if schedule.get(field) is not None:
            return rank, level, schedule[field]
    return len(levels), "default", default


def _open_days(days: str | Iterable[str] | None, country: str | None) -> frozenset[str]:
    if days is None:
        return frozenset(WEEKDAYS)
    if days == WEEKEND_OFF:
        return frozenset(WEEKDAYS) - weekend_of(country)
    return frozenset(days)


@lru_cache(maxsize=512)
def weekend_of(country: str | None) -> frozenset[str]:
    """Return the weekend by CLDR; Saturday and Sunday if the country is not known."""
    try:
        locale = Locale.parse(f"und_{country or '001'}")
    except (UnknownLocaleError, ValueError):
        return frozenset({"sat", "sun"})
    first, last = locale.weekend_start, locale.weekend_end
    return frozenset(WEEKDAYS[(first + step) % 7] for step in range((last - first) % 7 + 1))


def _intervals(hours: Mapping[str, Any], weekday: str) -> tuple[Interval, ...]:
    given = [hours] if "start" in hours else hours.get(weekday, ())
    return tuple(sorted(Interval(start=_minutes(i["start"]), end=_minutes(i["end"])) for i in given))


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
