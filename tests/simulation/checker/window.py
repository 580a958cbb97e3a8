"""The calling window as one sentence, asked at an instant: no intervals in UTC, no transitions, nothing clever.

An instant is open when the contact's local wall clock shows a permitted day and a time ``start <= t < end``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from heapq import merge
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import phonenumbers
from phonenumbers import timezone as number_zones

Schedule = Mapping[str, Any]

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
LONGEST_WAIT = timedelta(days=366)
NO_COMMON_OPENING = timedelta(days=14)
_OTHER_WEEKENDS = {91: ("sun",), 20: ("fri", "sat"), 972: ("fri", "sat"), 98: ("fri",)}
"""By country code, where CLDR does not say Saturday and Sunday; those that occur in the simulated world."""


class Window:
    """What one contact's calls for one campaign are bound to, from the schedules of three levels."""

    def __init__(self, levels: Sequence[Schedule], *, phone: str, fallback_zone: str) -> None:
        hours_at = next((n for n, level in enumerate(levels) if level.get("calling_hours")), len(levels))
        days_at = next((n for n, level in enumerate(levels) if level.get("days")), len(levels))
        self._hours: Schedule = (
            levels[hours_at]["calling_hours"] if hours_at < len(levels) else {"start": "09:00", "end": "20:00"}
        )
        days = levels[days_at]["days"] if days_at < len(levels) else WEEK
        if "start" not in self._hours and days_at > hours_at:
            days = WEEK
        self._days = frozenset(set(WEEK) - set(_weekend(phone)) if days == "weekend_off" else days)
        closed: Schedule = next((level["holidays"] for level in levels if level.get("holidays")), {})
        self._closed = frozenset(date.fromisoformat(text) for text in closed.get("dates", ()))
        self._region = closed.get("region")
        self._phone = phone
        self._fallback = fallback_zone

    def allows(self, at: datetime, *, own_zone: str, ring: timedelta) -> bool:
        """Tell whether a call may start: the clock shows an open time from now until the phone has rung out."""
        return self._is_open_in(self._clocks(at, own_zone, ring), at, ring)

    def _clocks(self, at: datetime, own_zone: str, ring: timedelta) -> Sequence[str]:
        """Return the zones that must all be open: one's own, else the number's; none where nobody knows."""
        zones = (own_zone,) if own_zone else _zones_of(self._phone)
        return zones if len(zones) < 2 or self._opens_soon(at, zones, ring) else ()

    def _is_open_in(self, zones: Sequence[str], at: datetime, ring: timedelta) -> bool:
        if zones:
            return all(self._is_open(at, zone, ring) for zone in zones)
        return self._is_open(at, self._fallback, ring, is_narrow=True)

    def zone_read_in(self, own_zone: str) -> str:
        """Return the one zone in which a time on the contact's clock is read."""
        return own_zone or next(iter(sorted(_zones_of(self._phone))), self._fallback)

    def first_start(
        self,
        at: datetime,
        *,
        own_zone: str,
        ring: timedelta,
        is_allowed: Callable[[datetime], bool],
        also: Iterable[datetime],
        is_forced: bool = False,
    ) -> datetime | None:
        """Look at the clock again and again: now, at every quarter of an hour after, and when a limit has room.

        Every edge of a window, every midnight and every change of a clock here is on a quarter.
        """
        zones = () if is_forced else self._clocks(at, own_zone, ring)
        looks = merge([at], sorted(look for look in also if look > at), _quarters_after(at))
        for look in takewhile(lambda look: look <= at + LONGEST_WAIT, looks):
            if is_allowed(look) and (is_forced or self._is_open_in(zones, look, ring)):
                return look
        return None

    def _opens_soon(self, at: datetime, zones: Sequence[str], ring: timedelta) -> bool:
        """Tell whether all zones are open at once within a fortnight; every opening is on a quarter of an hour."""
        if all(self._is_open(at, zone, ring) for zone in zones):
            return True
        looks = takewhile(lambda look: look <= at + NO_COMMON_OPENING, _quarters_after(at))
        return any(all(self._is_open(look, zone, ring) for zone in zones) for look in looks)

    def _is_open(self, at: datetime, zone: str, ring: timedelta, *, is_narrow: bool = False) -> bool:
        return all(self._shows_open(instant, zone, is_narrow=is_narrow) for instant in _instants(at, ring))

    def _shows_open(self, at: datetime, zone: str, *, is_narrow: bool) -> bool:
        wall = at.astimezone(_zone(zone))
        day = WEEK[wall.weekday()]
        if day not in self._days or wall.date() in self._closed or self._is_holiday(wall.date()):
            return False
        shown = wall.strftime("%H:%M")
        intervals: Sequence[Any] = [self._hours] if "start" in self._hours else self._hours.get(day, ())
        is_open = any(interval["start"] <= shown < interval["end"] for interval in intervals)
        return is_open and (not is_narrow or "11:00" <= shown < "17:00")

    def _is_holiday(self, day: date) -> bool:
        return self._region is not None and day in _holidays(self._region, day.year)


def _instants(at: datetime, ring: timedelta) -> Iterable[datetime]:
    """Name the start and every minute that begins while the phone rings: a window closes on a whole minute."""
    yield at
    minute = at.replace(second=0, microsecond=0) + MINUTE
    while minute < at + ring:
        yield minute
        minute += MINUTE


def _quarters_after(at: datetime) -> Iterator[datetime]:
    look = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    while True:
        look += QUARTER
        yield look


def _weekend(phone: str) -> tuple[str, ...]:
    return _OTHER_WEEKENDS.get(phonenumbers.parse(phone, None).country_code or 0, ("sat", "sun"))


@lru_cache(maxsize=65_536)
def _zones_of(phone: str) -> tuple[str, ...]:
    named = number_zones.time_zones_for_number(phonenumbers.parse(phone, None))
    return tuple(zone for zone in named if zone != "Etc/Unknown")


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=16)
def _holidays(region: str, year: int) -> frozenset[date]:
    country, _, part = region.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
