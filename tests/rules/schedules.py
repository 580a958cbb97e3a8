"""Instants and calling windows as Hypothesis draws them: a window as the API takes it, and as the slow model does.

What is drawn is what goes wrong: days on which clocks change, zones off the hour, the last seconds before a closing,
intervals that join at midnight, windows that hardly ever open.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from dialer.rules.calling_window import CallingWindow
from dialer.rules.schedule_settings import parse
from dialer.rules.window_settings import window_in_force
from tests.rules.slow_model import Hours, changes_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
YEARS = range(2024, 2028)
ZONES = (
    "Africa/Cairo",  # forward at midnight, to which the clock comes back in autumn
    "Africa/Casablanca",  # back for Ramadan
    "America/Havana",  # forward at midnight
    "America/New_York",
    "America/Nuuk",  # on Saturday evening
    "America/Santiago",  # the south's summer, at midnight
    "America/St_Johns",  # half an hour off
    "Antarctica/Troll",  # by two hours
    "Asia/Beirut",  # forward at midnight, back into the day before
    "Asia/Kathmandu",  # a quarter off, and never changed
    "Asia/Kolkata",
    "Australia/Adelaide",
    "Australia/Lord_Howe",  # half an hour off, by half an hour
    "Etc/GMT+12",
    "Europe/Berlin",
    "Europe/Dublin",  # its winter is the exception
    "Pacific/Chatham",  # a quarter off, with a summer
    "Pacific/Kiritimati",  # a day ahead
    "UTC",
)
SECOND = timedelta(seconds=1)
RINGS = st.sampled_from([0, 1, 20, 30, 30, 30, 45, 60, 90, 120]).map(lambda seconds: timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One calling window twice: as the product reads it, and as the slow model does."""

    raw: dict[str, Any]
    window: CallingWindow
    hours: Hours


@lru_cache
def changes(zone: str) -> tuple[datetime, ...]:
    return tuple(changes_of(zone, years=YEARS))


def drawn(raw: dict[str, Any]) -> Drawn:
    in_force = window_in_force(call=parse(raw), campaign={}, workspace={}, country=None)
    return Drawn(raw=raw, window=in_force.window, hours=_as_said(raw))


def _as_said(raw: dict[str, Any]) -> Hours:
    """Read the window without the product's help."""
    hours = raw.get("calling_hours", {"start": "09:00", "end": "20:00"})
    days = raw.get("days", WEEKDAYS)
    week = []
    for day in WEEKDAYS:
        intervals = [hours] if "start" in hours else hours.get(day, [])
        open_ = [(_minute(i["start"]), _minute(i["end"])) for i in intervals]
        week.append(tuple(open_) if day in days else ())
    closed = frozenset(date.fromisoformat(text) for text in raw.get("holidays", {}).get("dates", ()))
    return Hours(week=tuple(week), closed=closed)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _interval(edges: tuple[int, int]) -> dict[str, str]:
    return {"start": f"{edges[0] // 60:02d}:{edges[0] % 60:02d}", "end": f"{edges[1] // 60:02d}:{edges[1] % 60:02d}"}


_LONGEST_RING = 2
_QUARTERS = st.integers(0, 96).map(lambda quarter: quarter * 15)
_MINUTES = st.integers(0, 24 * 60)
_SHORT = st.integers(0, 24 * 60 - 5).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 3, start + 5)))
_AT_NIGHT = st.sampled_from(
    [(0, 60), (0, 180), (60, 120), (90, 150), (120, 180), (1320, 1440), (1380, 1440), (0, 1440)]
)


def _pairs(edges: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[int, int]]:
    return (
        st.tuples(edges, edges)
        .filter(lambda pair: abs(pair[0] - pair[1]) > _LONGEST_RING)
        .map(lambda pair: (min(pair), max(pair)))
    )


_EDGES = _pairs(_QUARTERS) | _AT_NIGHT | _pairs(_QUARTERS) | _pairs(_MINUTES) | _SHORT
_DAILY = (_EDGES | st.just((540, 1200))).map(_interval)
_PER_DAY = st.dictionaries(
    st.sampled_from(WEEKDAYS), st.lists(_EDGES.map(_interval), min_size=1, max_size=3), min_size=1
)
_JOINED = st.sampled_from(
    [
        {day: [_interval((1200, 1440)), _interval((0, 480))] for day in WEEKDAYS},
        {day: [_interval((540, 720)), _interval((720, 780))] for day in WEEKDAYS},
        {"fri": [_interval((1380, 1440))], "sat": [_interval((0, 60))]},
        {"sun": [_interval((1439, 1440))], "mon": [_interval((0, 1))]},
    ]
)


@st.composite
def windows(draw: st.DrawFn, *, around: date | None = None) -> Drawn:
    """Draw a window; dates that are closed lie about ``around``."""
    raw: dict[str, Any] = {}
    if draw(st.integers(0, 9)):
        raw["calling_hours"] = draw(_DAILY | _PER_DAY | _JOINED)
    named = raw.get("calling_hours", {"start": ""})
    if draw(st.booleans()):
        possible = list(WEEKDAYS) if "start" in named else sorted(named, key=WEEKDAYS.index)
        raw["days"] = draw(st.lists(st.sampled_from(possible), min_size=1, unique=True))
    if around is not None and draw(st.booleans()):
        ahead = draw(st.lists(st.integers(-1, 9), min_size=1, max_size=4, unique=True))
        raw["holidays"] = {"dates": [(around + timedelta(days=days)).isoformat() for days in ahead]}
    return drawn(raw)


@st.composite
def instants(draw: st.DrawFn, zone: str) -> datetime:
    """Draw an instant: any, or one about a change of the zone's clock, or about its midnight."""
    any_ = datetime(YEARS.start, 1, 2, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 3 * 365 * 86_400)))
    match draw(st.sampled_from(["any", "change", "change", "midnight"])):
        case "change" if changes(zone):
            minutes = draw(st.integers(-26 * 60, 4 * 60))
            return draw(st.sampled_from(changes(zone))) + timedelta(minutes=minutes, seconds=draw(st.integers(0, 59)))
        case "midnight":
            midnight = datetime.combine(any_.date(), time(), ZoneInfo(zone)).astimezone(UTC)
            return midnight + timedelta(seconds=draw(st.integers(-120, 120)))
    return any_ + timedelta(microseconds=draw(st.sampled_from([0, 1, 999_999])))


@st.composite
def looks(draw: st.DrawFn, zone: str, hours: Hours, near: datetime, ring: timedelta) -> list[datetime]:
    """Draw six instants: ``near``, and those about an edge of the window on a day about ``near``.

    At the edge and a second before, and as long before it as the phone rings, a second more and a second less.
    """
    day = near.astimezone(ZoneInfo(zone)).date() + timedelta(days=draw(st.integers(0, 2)))
    edges = sorted({minute for interval in hours.week[day.weekday()] for minute in interval}) or [0]
    wall = datetime.combine(day, time(), ZoneInfo(zone)).replace(fold=draw(st.integers(0, 1)))
    edge = (wall + timedelta(minutes=draw(st.sampled_from(edges)))).astimezone(UTC)
    return [near, edge, edge - SECOND, edge - ring - SECOND, edge - ring, edge - ring + SECOND]
