"""Bad settings and bad times over HTTP: a 400 that names each field and says why, and nothing is stored.

One table of faults, sent through every route that takes such a field.
"""

# ruff: noqa: FBT003 — booleans are what is tested

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.client import Answer, error_of
from tests.api.faults import NO_NUMBER, Site, faults_of
from tests.factories import make_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Site:
    return Site()


HOURS = {"start": "09:00", "end": "20:00"}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Settings with a fault, and the field that is named: its path below the settings."""

    given: Any
    path: str


def of(path: str, *values: Any, **given: Any) -> list[Fault]:
    """List faults of one field: each value for the field itself, or one whole object."""
    if given:
        return [Fault(given=given, path=path)]
    return [Fault(given={path: value}, path=path) for value in values]


def within(field: str, *pairs: tuple[Any, str]) -> list[Fault]:
    return [Fault(given={field: value}, path=f"{field}.{rest}") for value, rest in pairs]


SCHEDULES: list[Fault] = [
    *of("auto_callback", 1, 0, "true", "", [], {}),
    *of("max_callback_attempts", *NO_NUMBER, 51, 2**70),
    *of("callback_retry_schedule", [], [1] * 21, 5, "5", True, {"0": 5}),
    *within("callback_retry_schedule", *(([5, bad], "1") for bad in (*NO_NUMBER, None, 43_201))),
    *of("calling_hours", {}, [], "09:00-20:00", 9, True, {"mon": []}, {"mon": [], "tue": None}),
    *within(
        "calling_hours",
        ({"start": "09:00"}, "end"),
        ({"end": "20:00"}, "start"),
        ({"start": "20:00", "end": "09:00"}, "end"),
        ({"start": "09:00", "end": "09:00"}, "end"),
        ({"start": "24:00", "end": "24:00"}, "start"),
        ({"start": "00:00", "end": "24:01"}, "end"),
        ({"start": "9:00", "end": "20:00"}, "start"),
        ({"start": "09:00", "end": "25:00"}, "end"),
        ({"start": "09:60", "end": "20:00"}, "start"),
        ({"start": "09:00:00", "end": "20:00"}, "start"),
        ({"start": 9, "end": "20:00"}, "start"),
        ({"start": True, "end": "20:00"}, "start"),
        ({"start": "\u0660\u0669:\u0660\u0660", "end": "20:00"}, "start"),
        ({**HOURS, "zone": "UTC"}, "zone"),
        ({**HOURS, "mon": [HOURS]}, "mon"),
        ({"monday": [HOURS]}, "monday"),
        ({"mon": HOURS}, "mon"),
        ({"mon": [HOURS] * 13}, "mon"),
        ({"mon": [HOURS, {"start": "13:00", "end": "12:00"}]}, "mon.1.end"),
        ({"mon": [{"start": "13:00"}]}, "mon.0.end"),
        ({"mon": ["09:00"]}, "mon.0"),
    ),
    *of("days", [], ["mon"] * 8, "weekdays", "mon", 1, True, {}),
    *within("days", (["mon", "monday"], "1"), ([0], "0"), ([True], "0"), ([None], "0"), ([["mon"]], "0")),
    *of("days", calling_hours={"mon": [HOURS]}, days=["tue", "wed"]),
    *of("holidays", [], "DE", True, 1),
    *within(
        "holidays",
        ({"region": "XX"}, "region"),
        ({"region": "DE-ZZ"}, "region"),
        ({"region": "de"}, "region"),
        ({"region": "DE-"}, "region"),
        ({"region": ["DE"]}, "region"),
        ({"region": "XX", "dates": ["2025-05-08"]}, "region"),
        ({"dates": "2025-05-08"}, "dates"),
        ({"dates": ["2025-02-29"]}, "dates.0"),
        ({"dates": ["2025-05-08", "08.05.2025"]}, "dates.1"),
        ({"dates": ["2025-05-08T00:00:00"]}, "dates.0"),
        ({"dates": [20250508]}, "dates.0"),
        ({"dates": ["2025-05-08"] * 501}, "dates"),
        ({"region": "DE", "day": []}, "day"),
    ),
    *of("call_end_hour", call_start_hour=9),
    *of("call_start_hour", call_end_hour=20),
    *of("call_end_hour", call_start_hour=20, call_end_hour=9),
    *of("call_end_hour", call_start_hour=9, call_end_hour=9),
    *of("call_end_hour", call_start_hour=9, call_end_hour=25),
    *of("call_start_hour", call_start_hour=-1, call_end_hour=9),
    *of("call_start_hour", call_start_hour=True, call_end_hour=9),
    *of("call_start_hour", call_start_hour="9", call_end_hour=20),
    *of("call_start_hour", call_start_hour=9.0, call_end_hour=20),
    *of("call_start_hour", calling_hours=HOURS, call_start_hour=9, call_end_hour=20),
    *of("day_selection_mode", "weekdays", "", 1, True, []),
    *of("day_selection_mode", days=["mon"], day_selection_mode="all_days"),
    *of("allowed_days", day_selection_mode="choose_days"),
    *of("allowed_days", day_selection_mode="choose_days", allowed_days=[]),
    *of("allowed_days", day_selection_mode="all_days", allowed_days=[0]),
    *of("allowed_days", [0]),
    *of("allowed_days.1", day_selection_mode="choose_days", allowed_days=[0, 7]),
    *of("allowed_days.0", day_selection_mode="choose_days", allowed_days=[True]),
    *of("allowed_days.0", day_selection_mode="choose_days", allowed_days=["mon"]),
    *of("callback_attempts", 3),
]
"""Faults of one level; where levels differ in what else they take, see ``ROUTES``."""

POLICIES: list[Fault] = [
    *of("answered", {"delays": [1], "limit": 1}),
    *of("unknown", {"delays": [1], "limit": 1}),
    *of("busy", [60], 60, True, "60"),
    *within(
        "busy",
        ({"limit": 1}, "delays"),
        ({"delays": [60]}, "limit"),
        ({"delays": [], "limit": 1}, "delays"),
        ({"delays": [1] * 21, "limit": 1}, "delays"),
        *(({"delays": [bad], "limit": 1}, "delays.0") for bad in (*NO_NUMBER, None, 43_201)),
        *(({"delays": [60], "limit": bad}, "limit") for bad in (*NO_NUMBER, 51)),
        ({"delays": [60], "limit": 1, "after": 1}, "after"),
    ),
    *of("number_of_retries", number_of_retries=True, interval_minutes=5, on_status=["busy"]),
    *of("number_of_retries", number_of_retries=51, interval_minutes=5, on_status=["busy"]),
    *of("interval_minutes", number_of_retries=1, interval_minutes=0, on_status=["busy"]),
    *of("interval_minutes", number_of_retries=1, interval_minutes=43_201, on_status=["busy"]),
    *of("mechanism", number_of_retries=1, interval_minutes=5, mechanism="random", on_status=["busy"]),
    *of("on_status", number_of_retries=1, interval_minutes=5, on_status=[]),
    *of("on_status.0", number_of_retries=1, interval_minutes=5, on_status=["answered"]),
    *of("number_of_retries", number_of_retries=9, interval_minutes=200, mechanism="exponential", on_status=["busy"]),
    *of("busy", number_of_retries=1, interval_minutes=5, on_status=["busy"], busy={"delays": [1], "limit": 1}),
]

NO_OBJECT: tuple[Any, ...] = ([], "x", 5, True, [{}])
_LIMIT = {"max": 3, "period_hours": 24}
LIMITS: list[tuple[Any, str]] = [
    ({}, "contact_limits"),
    ("3", "contact_limits"),
    (True, "contact_limits"),
    ([_LIMIT] * 11, "contact_limits"),
    ([_LIMIT, 3], "contact_limits.1"),
    *(([{**_LIMIT, "max": bad}], "contact_limits.0.max") for bad in (*NO_NUMBER, None, 1_001)),
    *(([{**_LIMIT, "period_hours": bad}], "contact_limits.0.period_hours") for bad in (*NO_NUMBER, None, 8_785)),
    *(([{**_LIMIT, "scope": bad}], "contact_limits.0.scope") for bad in ("line", "", 1, True, None)),
    ([{"max": 3}], "contact_limits.0.period_hours"),
    ([{**_LIMIT, "per": "day"}], "contact_limits.0.per"),
]
NO_PACE: tuple[Any, ...] = (0, -1, True, "2", [], {}, 0.0001, 10_001, 10**400)
PACES: list[tuple[str, Any]] = [
    *(("calls_per_second", bad) for bad in NO_PACE),
    *(("max_concurrent_calls", bad) for bad in (*NO_NUMBER, 1_000_001, 2**70)),
]

LEVELS: dict[str, tuple[str, Callable[[Site, Any], Answer]]] = {
    "a call": ("call", lambda api, given: api.call(call=given)),
    "a new campaign": ("schedule", lambda api, given: api.new_campaign(schedule=given)),
    "a campaign that runs": ("schedule", lambda api, given: api.change_campaign(schedule=given)),
    "the workspace": ("schedule", lambda api, given: api.patch("settings/", {"schedule": given})),
    "a preview's call": ("call", lambda api, given: api.preview(call=given)),
    "a preview's campaign": ("schedule", lambda api, given: api.preview(schedule=given)),
}


@pytest.mark.parametrize("level", LEVELS)
def test_a_bad_schedule_is_refused_at_every_level_by_the_path_of_its_field(api: Site, level: str) -> None:
    prefix, send = LEVELS[level]

    assert not faults_of((fault.given, f"{prefix}.{fault.path}", send(api, fault.given)) for fault in SCHEDULES)


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_no_object_is_no_schedule(api: Site, level: str) -> None:
    prefix, send = LEVELS[level]

    assert not faults_of((given, prefix, send(api, given)) for given in NO_OBJECT)


@pytest.mark.parametrize("route", ["a new policy", "a policy that is used"])
def test_a_bad_policy_is_refused_by_the_path_of_its_field(api: Site, route: str) -> None:
    used = make_policy(api.workspace).public_id

    def send(rules: Any) -> Answer:
        if route == "a new policy":
            return api.post("retry-policies/", {"name": "Mine", "rules": rules})
        return api.patch(f"retry-policies/{used}/", {"rules": rules})

    assert not faults_of((fault.given, f"rules.{fault.path}", send(fault.given)) for fault in POLICIES)
    assert not faults_of((given, "rules", send(given)) for given in (None, *NO_OBJECT))


LIMITED: dict[str, Callable[[Site, Any], Answer]] = {
    "a new campaign": lambda api, given: api.new_campaign(contact_limits=given),
    "a campaign that runs": lambda api, given: api.change_campaign(contact_limits=given),
    "the workspace": lambda api, given: api.patch("settings/", {"contact_limits": given}),
}


@pytest.mark.parametrize("level", LIMITED)
def test_bad_contact_limits_are_refused_by_the_path_of_their_field(api: Site, level: str) -> None:
    assert not faults_of((given, path, LIMITED[level](api, given)) for given, path in LIMITS)


PACED: dict[str, tuple[str, Callable[[Site, Any], Answer]]] = {
    "a new campaign": ("pacing.", lambda api, given: api.new_campaign(pacing=given)),
    "a campaign that runs": ("pacing.", lambda api, given: api.change_campaign(pacing=given)),
    "the workspace": ("", lambda api, given: api.patch("settings/", given)),
    "a line": ("", lambda api, given: api.post("lines/", {"name": "L", "carrier": "simulated", **given})),
}


@pytest.mark.parametrize("owner", PACED)
def test_a_bad_pace_is_refused_by_the_path_of_its_field(api: Site, owner: str) -> None:
    prefix, send = PACED[owner]

    assert not faults_of(({name: bad}, f"{prefix}{name}", send(api, {name: bad})) for name, bad in PACES)


@pytest.mark.parametrize("hours", [*NO_NUMBER, None, 8_761])
def test_stale_after_hours_has_its_bounds(api: Site, hours: Any) -> None:
    assert not faults_of(
        (sent, "stale_after_hours", api.patch("settings/", {"stale_after_hours": sent})) for sent in [hours]
    )


def test_every_fault_of_one_request_is_named_at_once(api: Site) -> None:
    answer = api.new_campaign(
        schedule={"max_callback_attempts": True, "days": [], "time_zone": "Mars"},
        contact_limits=[{"max": 0, "period_hours": 24}],
    )

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {
        "schedule.max_callback_attempts",
        "schedule.days",
        "schedule.time_zone",
        "contact_limits.0.max",
    }
