"""What holds of scheduling whatever is asked: windows, now, limits, and settings that resolve each on its own."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.rules.retry import DEFAULT_POLICY, Resolved, Retry, Stop, decide
from callbacks.rules.settings import resolved
from dialer.rules.contact_limits import ContactLimit, Handed, allowed_from
from dialer.rules.openings import Terms, next_possible
from dialer.rules.time_zones import ContactZones, Fallback
from dialer.rules.window_settings import WindowInForce, window_in_force
from tests.rules.schedules import RINGS, Drawn, instants, windows

TIMES = settings.default.max_examples / 100 if settings.default else 1
ANY_ZONE = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
LIMITS = st.lists(
    st.builds(
        ContactLimit,
        max=st.integers(1, 4),
        period=st.sampled_from([1, 8, 24, 168]).map(lambda count: timedelta(hours=count)),
        scope=st.just("number"),
    ),
    max_size=3,
)


def terms(window: Drawn, zone: str, ring: timedelta, limits: list[ContactLimit]) -> Terms:
    return Terms(
        window=WindowInForce(window=window.window, hours_level="call", days_level="call", holidays_level="call"),
        contact=ContactZones(zones=(zone,), source="contact"),
        fallback=Fallback(zone="UTC", source="workspace"),
        ring_timeout=ring,
        limits=tuple(limits),
        campaign_id=None,
    )


def clock_is_open(window: Drawn, zone: str, at: datetime) -> bool:
    """Look at the clock on the wall, to the minute."""
    wall = at.astimezone(ZoneInfo(zone))
    if wall.date() in window.hours.closed:
        return False
    minute = wall.hour * 60 + wall.minute
    return any(start <= minute < end for start, end in window.hours.week[wall.weekday()])


@given(ANY_ZONE, st.data(), RINGS)
@settings(max_examples=int(400 * TIMES))
def test_a_call_starts_never_outside_the_window_and_never_before_now(
    zone: str, data: st.DataObject, ring: timedelta
) -> None:
    now = data.draw(instants(zone))
    window = data.draw(windows(around=now.astimezone(ZoneInfo(zone)).date()))

    found = next_possible(terms(window, zone, ring, []), at=now, ledger=()).at

    if found is not None:
        assert found >= now
        assert clock_is_open(window, zone, found)
        # No second of ringing is outside either: edges are whole minutes on the wall.
        for second in range(int(ring.total_seconds())):
            assert clock_is_open(window, zone, found + timedelta(seconds=second))


@given(ANY_ZONE, st.data(), LIMITS)
@settings(max_examples=int(300 * TIMES))
def test_limits_are_never_exceeded_however_many_calls_are_asked_for(
    zone: str, data: st.DataObject, limits: list[ContactLimit]
) -> None:
    now = data.draw(instants(zone))
    window = data.draw(windows())
    waits = data.draw(st.lists(st.integers(0, 30 * 3600), min_size=1, max_size=12))
    asked = terms(window, zone, timedelta(seconds=30), limits)
    ledger: list[Handed] = []

    for wait in waits:
        found = next_possible(asked, at=now + timedelta(seconds=wait), ledger=ledger).at
        if found is None:
            break
        assert found >= now + timedelta(seconds=wait)
        assert clock_is_open(window, zone, found)
        ledger.append(Handed(at=found, campaign_id=None))
        now = found

    calls = [handed.at for handed in ledger]
    for limit in limits:
        assert all(sum(at - limit.period < call <= at for call in calls) <= limit.max for at in calls)


@given(LIMITS, st.lists(st.integers(0, 10 * 86_400), max_size=12))
@settings(max_examples=int(300 * TIMES))
def test_a_limit_that_delays_a_call_would_be_exceeded_a_moment_earlier(
    limits: list[ContactLimit], ago: list[int]
) -> None:
    now = datetime(2025, 3, 12, 10, tzinfo=UTC)
    calls = [now - timedelta(seconds=seconds) for seconds in ago]

    at = allowed_from(limits, ledger=[Handed(at=call, campaign_id=None) for call in calls], campaign_id=None, at=now)

    def counts(instant: datetime) -> list[bool]:
        return [sum(instant - limit.period < call for call in calls) < limit.max for limit in limits]

    assert all(counts(at))
    assert at == now or not all(counts(at - timedelta(microseconds=1)))


MAYBE = st.fixed_dictionaries(
    {},
    optional={
        "auto_callback": st.booleans(),
        "max_callback_attempts": st.integers(1, 50),
        "callback_retry_schedule": st.lists(st.integers(1, 43_200), min_size=1, max_size=5),
    },
)
POLICY = st.dictionaries(
    st.sampled_from(["voicemail", "no_answer", "busy", "network_error", "declined"]),
    st.fixed_dictionaries(
        {"delays": st.lists(st.integers(1, 43_200), min_size=1, max_size=4), "limit": st.integers(1, 50)}
    ),
    min_size=1,
)
READ: Mapping[str, Callable[[Resolved], object]] = {
    "auto_callback": lambda found: found.auto_callback,
    "max_callback_attempts": lambda found: found.limit,
    "callback_retry_schedule": lambda found: list(found.schedule) if found.schedule else None,
}
UNSET = {"auto_callback": True, "max_callback_attempts": None, "callback_retry_schedule": None}


@given(MAYBE, MAYBE, MAYBE, st.none() | POLICY)
@settings(max_examples=int(300 * TIMES))
def test_each_field_is_that_of_the_call_else_the_campaign_else_the_workspace_whatever_the_others_are(
    call: dict[str, Any], campaign: dict[str, Any], workspace: dict[str, Any], policy: dict[str, Any] | None
) -> None:
    levels = {"call": call, "campaign": campaign, "workspace": workspace}
    found = resolved(**levels, campaign_policy=policy, workspace_policy=None)

    for field, read in READ.items():
        seen = [call, campaign] if policy is not None and field != "auto_callback" else [call, campaign, workspace]
        assert read(found) == next((level[field] for level in seen if field in level), UNSET[field])
        alone = {name: {k: v for k, v in level.items() if k == field} for name, level in levels.items()}
        assert read(resolved(**alone, campaign_policy=policy, workspace_policy=None)) == read(found)


HOURS = st.sampled_from(
    [
        {"start": "08:00", "end": "12:00"},
        {"start": "10:00", "end": "24:00"},
        {"mon": [{"start": "09:00", "end": "10:00"}], "sat": [{"start": "00:00", "end": "24:00"}]},
    ]
)
WINDOW = st.fixed_dictionaries(
    {},
    optional={
        "calling_hours": HOURS,
        "days": st.sampled_from([["mon", "sat"], ["sat", "sun"], "weekend_off"]),
        "holidays": st.sampled_from([{}, {"region": "DE-BY"}, {"dates": ["2025-05-08"]}]),
    },
)


@given(WINDOW, WINDOW, WINDOW)
@settings(max_examples=int(300 * TIMES))
def test_hours_days_and_holidays_resolve_each_on_its_own(
    call: dict[str, Any], campaign: dict[str, Any], workspace: dict[str, Any]
) -> None:
    levels = {"call": call, "campaign": campaign, "workspace": workspace}
    found = window_in_force(**levels, country="DE")
    given_by = {field: next((name for name in levels if field in levels[name]), "default") for field in _FIELDS}

    assert (found.hours_level, found.holidays_level) == (given_by["calling_hours"], given_by["holidays"])
    holidays = levels.get(given_by["holidays"], {}).get("holidays", {})
    assert found.window.holiday_region == holidays.get("region")
    assert sorted(day.isoformat() for day in found.window.closed_dates) == holidays.get("dates", [])
    hours = levels.get(given_by["calling_hours"], {}).get("calling_hours", {"start": "09:00", "end": "20:00"})
    order = [*levels, "default"]
    replaced = "start" not in hours and order.index(given_by["days"]) > order.index(given_by["calling_hours"])
    days = None if replaced else levels.get(given_by["days"], {}).get("days")
    permitted = days if isinstance(days, list) else _WEEK[:5] if days == "weekend_off" else _WEEK
    assert [name for name, open_ in zip(_WEEK, found.window.hours, strict=True) if open_] == [
        name for name in _WEEK if name in permitted and ("start" in hours or name in hours)
    ]


_FIELDS = ("calling_hours", "days", "holidays")
_WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@given(MAYBE, POLICY, st.sampled_from(["voicemail", "no_answer", "busy", "network_error", "declined", "unknown"]))
@settings(max_examples=int(300 * TIMES))
def test_a_chain_makes_as_many_retries_as_its_limit_each_its_delay_after_the_call_before(
    campaign: dict[str, Any], policy: dict[str, Any], outcome: str
) -> None:
    found = resolved(call={}, campaign=campaign, workspace={}, campaign_policy=policy, workspace_policy=None)
    at = datetime(2025, 3, 12, 10, tzinfo=UTC)
    made: list[float] = []
    while isinstance(step := decide(found, outcome=outcome, ended_at=at, used=len(made)), Retry):
        made.append((step.candidate - at) / timedelta(minutes=1))
        assert step.number == len(made)
        at = step.candidate

    schedule = campaign.get("callback_retry_schedule")
    rule = policy.get(outcome)
    if rule is None:
        assert (made, step) == ([], Stop(reason=outcome))
    elif not campaign.get("auto_callback", True):
        assert (made, step) == ([], Stop(reason="auto_callback_off"))
    else:
        delays = schedule or rule["delays"]
        limit = campaign.get("max_callback_attempts") or (len(schedule) if schedule else rule["limit"])
        assert made == [delays[k] if k < len(delays) else delays[-1] for k in range(limit)]
        assert step == Stop(reason="exhausted")


def test_the_default_policy_is_the_published_table() -> None:
    table = {outcome: (rule.delays, rule.limit) for outcome, rule in DEFAULT_POLICY.rules.items()}

    assert table == {
        "voicemail": ((24 * 60,), 3),
        "no_answer": ((24 * 60,), 3),
        "busy": ((60,), 5),
        "network_error": ((30,), 3),
    }
