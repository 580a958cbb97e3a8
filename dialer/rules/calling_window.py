"""When a contact may be called: the calling window as a set of instants.

One rule decides everything: an instant is open when the contact's local wall clock shows a permitted day and
a time ``start <= t < end``. Local time is UTC plus an offset, and the offset is constant between two transitions of
the zone. So each stretch of constant offset is converted exactly into open spans in UTC, and daylight
saving needs no special case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays

DAY = timedelta(days=1)
LONGEST_WAIT = timedelta(days=366)
"""How far ahead to search; a window without an opening in this time counts as never opening."""

_PROBE_STEP = timedelta(hours=6)
"""The step of the search for a change of offset; no zone changes twice within it."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Interval:
    """Local minutes since midnight, ``start <= t < end``; ``end`` may be 1440."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingWindow:
    """Local hours per weekday (Monday first), and dates that are closed on any weekday."""

    hours: tuple[tuple[Interval, ...], ...]
    closed_dates: frozenset[date] = frozenset()
    holiday_region: str | None = None

    def intervals_on(self, day: date) -> tuple[Interval, ...]:
        if day in self.closed_dates or (self.holiday_region and is_public_holiday(self.holiday_region, day)):
            return ()
        return self.hours[day.weekday()]

    def cut_to(self, limits: Interval) -> CallingWindow:
        """Return the window reduced to ``limits`` on every day."""
        return CallingWindow(
            hours=tuple(
                tuple(
                    Interval(start=max(i.start, limits.start), end=min(i.end, limits.end))
                    for i in day
                    if max(i.start, limits.start) < min(i.end, limits.end)
                )
                for day in self.hours
            ),
            closed_dates=self.closed_dates,
            holiday_region=self.holiday_region,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """UTC instants ``start <= t < end``."""

    start: datetime
    end: datetime


def next_opening(
    window: CallingWindow,
    zones: tuple[str, ...],
    *,
    at: datetime,
    ring_timeout: timedelta,
    within: timedelta = LONGEST_WAIT,
) -> datetime | None:
    """Return the first instant not before ``at`` at which a call may start in *all* ``zones``.

    A call may not start less than ``ring_timeout`` before a closing. Returns ``None`` if no such instant lies within
    ``within`` of ``at``.
    """
    for span in _merged_spans(window, zones, start=at - ring_timeout, stop=at + within + DAY):
        start = max(at, span.start)
        if start > at + within:
            return None
        if start < span.end and start + ring_timeout <= span.end:
            return start
    return None


def is_open(window: CallingWindow, zones: tuple[str, ...], *, at: datetime, ring_timeout: timedelta) -> bool:
    """Tell whether a call may start at ``at`` in all ``zones``, with enough time left for the ring timeout."""
    return next_opening(window, zones, at=at, ring_timeout=ring_timeout, within=timedelta()) == at


def _merged_spans(window: CallingWindow, zones: tuple[str, ...], *, start: datetime, stop: datetime) -> Iterator[Span]:
    """Yield open spans; when a span continues the one before it, yields the merged, longer span.

    Adjoining intervals (such as at midnight) have no closing between them. A caller that needs only a short version
    stops early, so a window that never closes costs nothing.
    """
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    last: Span | None = None
    while day < stop:
        spans = _open_spans(window, zones[0], day)
        for zone in zones[1:]:
            spans = _intersection(spans, _open_spans(window, zone, day))
        for span in spans:
            last = Span(last.start, span.end) if last and last.end == span.start else span
            yield last
        day += DAY


@lru_cache(maxsize=16_384)
def _open_spans(window: CallingWindow, zone: str, utc_day: datetime) -> tuple[Span, ...]:
    """Return the open spans of one UTC day in one zone, ascending and disjoint; adjoining spans are not merged."""
    spans = []
    for start, end, offset in _constant_offsets(zone, utc_day):
        local_start, local_end = start + offset, end + offset
        day = local_start.date()
        while datetime.combine(day, time(), UTC) < local_end:
            midnight = datetime.combine(day, time(), UTC)
            for interval in window.intervals_on(day):
                opens = max(midnight + timedelta(minutes=interval.start), local_start)
                closes = min(midnight + timedelta(minutes=interval.end), local_end)
                if opens < closes:
                    spans.append(Span(opens - offset, closes - offset))
            day += DAY
    return tuple(spans)


@lru_cache(maxsize=4_096)
def _constant_offsets(zone: str, utc_day: datetime) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """Cut one UTC day into stretches over which the zone's offset does not change."""
    info = ZoneInfo(zone)
    edges = [utc_day]
    step = utc_day
    while step < utc_day + DAY:
        following = step + _PROBE_STEP
        if _offset(info, step) != _offset(info, following):
            edges.append(_transition(info, step, following))
        step = following
    edges.append(utc_day + DAY)
    return tuple((start, end, _offset(info, start)) for start, end in pairwise(edges) if start < end)


def _transition(info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Find the first second with the new offset by bisection; the offsets at the two ends must differ."""
    old = _offset(info, before)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, before + timedelta(seconds=middle)) == old:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def _offset(info: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(info).utcoffset()
    assert offset is not None
    return offset


def _intersection(left: tuple[Span, ...], right: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(
        Span(max(a.start, b.start), min(a.end, b.end))
        for a in left
        for b in right
        if max(a.start, b.start) < min(a.end, b.end)
    )


@lru_cache(maxsize=4_096)
def is_public_holiday(region: str, day: date) -> bool:
    """Tell whether ``day`` is a public holiday in ``region`` (``DE`` or ``DE-BY``), by the ``holidays`` library."""
    return day in _holidays_of(region, day.year)


@lru_cache(maxsize=256)
def _holidays_of(region: str, year: int) -> frozenset[date]:
    country, _, subdivision = region.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=year))
