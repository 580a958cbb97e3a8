"""The rules against a model that steps through time and shares nothing with them."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.rules.calling_window import is_open, next_opening
from dialer.rules.contact_limits import ContactLimit, Handed
from dialer.rules.openings import Terms, next_possible
from dialer.rules.time_zones import ContactZones, Fallback, opening_for
from dialer.rules.window_settings import WindowInForce
from tests.rules import slow_model
from tests.rules.schedules import RINGS, SECOND, ZONES, Drawn, changes, drawn, instants, looks, windows
from tests.rules.slow_model import Limit

TIMES = settings.default.max_examples / 100 if settings.default else 1
"""How many times the usual number of cases: 1, and more with ``--hypothesis-profile=thorough``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A zone, a window and instants that make trouble for each other."""

    zone: str
    window: Drawn
    ring: timedelta
    looks: list[datetime]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(ZONES))
    near = draw(instants(zone))
    window = draw(windows(around=near.astimezone(ZoneInfo(zone)).date()))
    ring = draw(RINGS)
    return Case(zone=zone, window=window, ring=ring, looks=draw(looks(zone, window.hours, near, ring)))


@given(cases())
@settings(max_examples=int(600 * TIMES))
def test_the_first_opening_in_a_zone_is_the_one_that_the_slow_model_finds(case: Case) -> None:
    for at in case.looks:
        found = next_opening(case.window.window, (case.zone,), at=at, ring_timeout=case.ring)

        assert found == slow_model.first_start(case.window.hours, [case.zone], at=at, ring=case.ring)
        assert is_open(case.window.window, (case.zone,), at=at, ring_timeout=case.ring) == (found == at)


@given(cases(), st.lists(st.sampled_from(ZONES), max_size=4, unique=True), st.sampled_from(ZONES))
@settings(max_examples=int(150 * TIMES))
def test_the_first_opening_in_all_zones_or_on_the_fallbacks_clock_is_the_one_that_the_slow_model_finds(
    case: Case, others: list[str], fallback: str
) -> None:
    zones = tuple(dict.fromkeys([case.zone, *others])) if others else ()

    for at in case.looks:
        found = opening_for(
            case.window.window,
            ContactZones(zones=zones, source="number_set"),
            fallback=Fallback(zone=fallback, source="workspace"),
            at=at,
            ring_timeout=case.ring,
        )

        slow = slow_model.first_opening(case.window.hours, zones, fallback=fallback, at=at, ring=case.ring)
        assert (found.at, found.was_cut) == (slow.at, slow.was_cut)
        assert found.zones == ((fallback,) if slow.was_cut else zones)


@st.composite
def histories(draw: st.DrawFn, at: datetime) -> tuple[list[Limit], list[datetime]]:
    """Draw limits, and calls handed over before ``at``, some of them exactly one period ago."""
    periods = st.sampled_from([1, 2, 24, 25, 168]).map(lambda count: timedelta(hours=count))
    limits = draw(st.lists(st.builds(Limit, most=st.integers(1, 4), period=periods), min_size=1, max_size=3))
    exactly = [limit.period + shift for limit in limits for shift in (-SECOND, timedelta(), SECOND)]
    ago = st.integers(0, 8 * 86_400).map(lambda seconds: timedelta(seconds=seconds)) | st.sampled_from(exactly)
    return limits, [at - span for span in draw(st.lists(ago, max_size=8))]


@given(cases(), st.data())
@settings(max_examples=int(150 * TIMES))
def test_the_first_instant_that_window_and_limits_permit_is_the_one_that_the_slow_model_finds(
    case: Case, data: st.DataObject
) -> None:
    limits, ledger = data.draw(histories(min(case.looks)))
    terms = Terms(
        window=WindowInForce(window=case.window.window, hours_level="call", days_level="call", holidays_level="call"),
        contact=ContactZones(zones=(case.zone,), source="contact"),
        fallback=Fallback(zone="UTC", source="workspace"),
        ring_timeout=case.ring,
        limits=tuple(ContactLimit(max=limit.most, period=limit.period, scope="number") for limit in limits),
        campaign_id=None,
    )

    for at in case.looks:
        found = next_possible(terms, at=at, ledger=[Handed(at=call, campaign_id=None) for call in ledger])

        assert found.at == slow_model.first_start(
            case.window.hours, [case.zone], at=at, ring=case.ring, limits=limits, ledger=ledger
        )
        steps = [at, *(shift.to for shift in found.shifts)]
        assert steps == sorted(steps)
        assert found.at is None or found.at == steps[-1]


@pytest.mark.parametrize(
    ("zone", "raw"),
    [
        ("Australia/Lord_Howe", {"calling_hours": {"start": "01:45", "end": "02:15"}}),
        ("Asia/Beirut", {"calling_hours": {"start": "00:00", "end": "01:00"}, "days": ["sun"]}),
        ("Asia/Kathmandu", {"calling_hours": {"mon": [{"start": "09:07", "end": "09:08"}]}}),
    ],
)
def test_the_slow_model_finds_the_same_where_it_looks_at_every_minute(zone: str, raw: dict[str, object]) -> None:
    window = drawn(raw).hours
    ring = timedelta(seconds=30)

    for at in [*changes(zone)[:2], datetime(2025, 5, 1, 3, 59, 31, tzinfo=UTC)]:
        coarse = slow_model.first_start(window, [zone], at=at, ring=ring)
        assert coarse == slow_model.first_start(window, [zone], at=at, ring=ring, after_quarters=range(15))
        assert coarse is not None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati"])
@pytest.mark.parametrize("days", [364, 365, 366, 367])
def test_an_opening_is_looked_for_during_366_days_and_no_longer(zone: str, days: int) -> None:
    # Closed on so many days from 15 January 2024 on, a leap year; asked at noon and at ten in the evening.
    closed = [(date(2024, 1, 15) + timedelta(days=day)).isoformat() for day in range(days)]
    window = drawn({"holidays": {"dates": closed}})
    ring = timedelta(seconds=30)

    for hour in (12, 22):
        at = datetime(2024, 1, 15, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        found = next_opening(window.window, (zone,), at=at, ring_timeout=ring)
        assert found == slow_model.first_start(window.hours, [zone], at=at, ring=ring)
        # The day after opens at nine: within 366 days of noon and evening, but not a day later.
        assert (found is None) == (days == 367)


def test_every_zone_that_changes_its_clock_is_asked_about_the_days_on_which_it_does() -> None:
    counts = {zone: len(changes(zone)) for zone in ZONES}

    assert {zone for zone, count in counts.items() if not count} == {
        "Asia/Kathmandu",
        "Asia/Kolkata",
        "Etc/GMT+12",
        "Pacific/Kiritimati",
        "UTC",
    }
    assert sum(counts.values()) >= 100
    shifts = {
        abs((at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()) - (before or timedelta()))
        for zone in ZONES
        for at in changes(zone)
        if (before := (at - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).utcoffset()) is not None
    }
    assert shifts == {timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)}


def test_the_slow_model_shares_no_import_with_the_rules() -> None:
    program = "import sys, tests.rules.slow_model; print('\\n'.join(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603

    assert "tests.rules.slow_model" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in ("dialer", "callbacks", "webhooks", "django")]
