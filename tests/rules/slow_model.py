"""When a contact may be called, found by looking at one clock on the wall after the other.

Knows ``zoneinfo`` and nothing else: no rule of the product is imported here, so that what both say is said twice. It
is slow and meant to be obviously right: time goes on from one look to the next, and the first look at which every
clock shows an open time is the answer.

What a clock shows can turn from closed to open, or back, only where it passes the edge of an interval, a midnight, or
a change of its offset. Clocks here differ from UTC by whole quarters of an hour and change at whole quarters; so it is
enough to look at every quarter, and as many minutes after each as the edges of intervals are after theirs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from itertools import takewhile
from zoneinfo import ZoneInfo

QUARTER = 15
MINUTE = timedelta(minutes=1)
SPELL = timedelta(hours=6)
LONGEST_WAIT = timedelta(days=366)
LONGEST_WAIT_FOR_ALL = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Open minutes of the day, ``start <= t < end``, per weekday from Monday; and dates that are closed."""

    week: tuple[tuple[tuple[int, int], ...], ...]
    closed: frozenset[date] = frozenset()
    no_earlier: int = 0
    no_later: int = 24 * 60

    def narrowed(self) -> "Hours":
        """Keep 11:00 to 17:00 of every day."""
        return Hours(week=self.week, closed=self.closed, no_earlier=11 * 60, no_later=17 * 60)

    @property
    def after_quarters(self) -> tuple[int, ...]:
        """Return how many minutes after a quarter something can change."""
        return tuple(sorted({0, *(edge % QUARTER for day in self.week for interval in day for edge in interval)}))

    @property
    def is_ever_open(self) -> bool:
        return any(max(start, self.no_earlier) < min(end, self.no_later) for day in self.week for start, end in day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most ``most`` calls within any ``period``."""

    most: int
    period: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The first instant, if there is one, and whether it was looked for on the fallback's clock."""

    at: datetime | None
    was_cut: bool


def shows_open(hours: Hours, zone: ZoneInfo, at: datetime) -> bool:
    """Look at the clock on the wall: a permitted day, and a time from a start to before its end."""
    wall = at.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    if wall.date() in hours.closed or not hours.no_earlier <= minute < hours.no_later:
        return False
    return any(start <= minute < end for start, end in hours.week[wall.weekday()])


def may_start(
    hours: Hours, zones: Sequence[ZoneInfo], at: datetime, ring: timedelta, after_quarters: Sequence[int]
) -> bool:
    """Look at every clock now, and on for as long as the phone may ring."""
    if not all(shows_open(hours, zone, at) for zone in zones):
        return False
    rings = takewhile(lambda look: look < at + ring, looks_after(at, after_quarters))
    return all(shows_open(hours, zone, look) for look in rings for zone in zones)


def is_same_closed_day(hours: Hours, zone: ZoneInfo, at: datetime, later: datetime) -> bool:
    """Tell whether a clock shows one day at both instants, and so between them, and nothing is open on it."""
    wall = at.astimezone(zone)
    is_closed = wall.date() in hours.closed or not hours.week[wall.weekday()]
    return is_closed and later.astimezone(zone).date() == wall.date()


def is_within(limits: Sequence[Limit], ledger: Sequence[datetime], at: datetime) -> bool:
    """Count the calls of the period that ends now; one that is exactly as old as the period has left it."""
    return all(sum(call > at - limit.period for call in ledger) < limit.most for limit in limits)


def first_start(
    hours: Hours,
    zones: Sequence[str],
    *,
    at: datetime,
    ring: timedelta,
    within: timedelta = LONGEST_WAIT,
    limits: Sequence[Limit] = (),
    ledger: Sequence[datetime] = (),
    after_quarters: Sequence[int] = (),
) -> datetime | None:
    """Return the first instant from ``at`` on at which a call may start, no later than ``within`` after it."""
    clocks = [ZoneInfo(zone) for zone in zones]
    minutes = after_quarters or hours.after_quarters
    if not hours.is_ever_open:
        return None
    leaving = sorted(call + limit.period for call in ledger for limit in limits if call + limit.period > at)
    closed_until = at
    for look in merge([at], leaving, looks_after(at, minutes)):
        if look > at + within:
            return None
        if look < closed_until:
            continue
        if is_within(limits, ledger, look) and may_start(hours, clocks, look, ring, minutes):
            return look
        if look.minute == 0 and is_same_closed_day(hours, clocks[0], look, look + SPELL):
            closed_until = look + SPELL
    return None


def first_opening(hours: Hours, zones: Sequence[str], *, fallback: str, at: datetime, ring: timedelta) -> Found:
    """Look at the contact's one clock, or at all that it may have; where that leads nowhere, at the fallback's."""
    if len(zones) == 1:
        return Found(at=first_start(hours, zones, at=at, ring=ring), was_cut=False)
    if zones:
        in_all = first_start(hours, zones, at=at, ring=ring, within=LONGEST_WAIT_FOR_ALL)
        if in_all is not None:
            return Found(at=in_all, was_cut=False)
    return Found(at=first_start(hours.narrowed(), [fallback], at=at, ring=ring), was_cut=True)


def changes_of(zone: str, *, years: range) -> list[datetime]:
    """Return the minutes at which the clock of a zone is put forward or back."""
    clock = ZoneInfo(zone)
    found = []
    day = datetime(years.start, 1, 1, tzinfo=UTC)
    while day.year < years.stop:
        following = day + timedelta(days=1)
        if day.astimezone(clock).utcoffset() != following.astimezone(clock).utcoffset():
            look = day
            while look.astimezone(clock).utcoffset() == day.astimezone(clock).utcoffset():
                look += MINUTE
            found.append(look)
        day = following
    return found


def looks_after(at: datetime, after_quarters: Sequence[int]) -> Iterator[datetime]:
    """Yield every instant after ``at`` that is one of so many minutes after a quarter of an hour, without end."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    quarter = hour + (at - hour) // (QUARTER * MINUTE) * QUARTER * MINUTE
    spans = [minutes * MINUTE for minutes in after_quarters]
    while True:
        yield from (quarter + span for span in spans if quarter + span > at)
        quarter += QUARTER * MINUTE
