"""Calling windows as they are set over HTTP: when the next call may be made, in every spelling, on every level."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api.client import Api, error_of
from tests.factories import make_campaign, make_line, make_persona, make_workspace

pytestmark = pytest.mark.django_db

ALL_DAY = {"start": "00:00", "end": "24:00"}


def opening(
    after: str,
    *,
    call: dict[str, Any] | None = None,
    schedule: dict[str, Any] | None = None,
    workspace: dict[str, Any] | None = None,
    **contact: str,
) -> str:
    """Return when the next call may be made that is wanted at ``after``; asked of the preview, times in UTC."""
    api = Api(make_workspace(schedule=workspace or {}, contact_limits=[]))
    first = datetime.fromisoformat(after) - timedelta(minutes=1)
    answer = api.post(
        "callbacks/preview/",
        {
            "first_attempt_at": first.isoformat(),
            "outcomes": ["no_answer"],
            "call": {"callback_retry_schedule": [1], **(call or {})},
            "schedule": schedule or {},
            **(contact or {"time_zone": "UTC"}),
        },
    )
    assert answer.status_code == 200, answer.content
    at: str = answer.json()["attempts"][1]["at"]
    return at


TWICE = {"calling_hours": {"mon": [{"start": "09:00", "end": "12:00"}, {"start": "14:00", "end": "18:00"}]}}
"""Monday morning and afternoon; 3 March 2025 is a Monday."""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("2025-03-03T08:59:59Z", "2025-03-03T09:00:00Z"),
        ("2025-03-03T11:59:30Z", "2025-03-03T11:59:30Z"),
        ("2025-03-03T11:59:31Z", "2025-03-03T14:00:00Z"),  # it would ring past the closing
        ("2025-03-03T12:00:00Z", "2025-03-03T14:00:00Z"),
        ("2025-03-03T18:00:00Z", "2025-03-10T09:00:00Z"),  # a weekday that is missing is closed
    ],
)
def test_several_intervals_a_day_open_and_close_by_themselves(wanted: str, found: str) -> None:
    assert opening(wanted, call=TWICE) == found


def test_intervals_that_join_at_midnight_have_no_closing_between_them() -> None:
    night = {
        "mon": [{"start": "20:00", "end": "24:00"}],
        "tue": [{"start": "00:00", "end": "02:00"}],
    }

    assert opening("2025-03-03T23:59:50Z", call={"calling_hours": night}) == "2025-03-03T23:59:50Z"
    assert opening("2025-03-04T01:59:50Z", call={"calling_hours": night}) == "2025-03-10T20:00:00Z"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"calling_hours": {"start": "08:00", "end": "20:00"}}, {"call_start_hour": 8, "call_end_hour": 20}),
        ({"calling_hours": ALL_DAY}, {"call_start_hour": 0, "call_end_hour": 24}),
        ({"days": ["mon", "wed"]}, {"day_selection_mode": "choose_days", "allowed_days": [2, 0]}),
        ({"days": "weekend_off"}, {"day_selection_mode": "weekend_off"}),
        (
            {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
            {"day_selection_mode": "all_days"},
        ),
    ],
)
def test_both_spellings_mean_the_same_on_every_level_and_are_shown_in_one(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    api = Api(scope="admin")
    make_line(api.workspace, is_default=True)
    campaign = make_campaign(api.workspace)
    persona = make_persona(api.workspace).public_id

    for spelling in (ours, theirs):
        call = api.post("calls/", {"contact": {"phone": "+493012345"}, "persona_id": persona, "call": spelling}).json()
        changed = api.patch(f"campaigns/{campaign.public_id}/", {"schedule": spelling}).json()
        settings = api.patch("settings/", {"schedule": spelling}).json()

        assert call["call"] == ours
        assert {name: value for name, value in changed["schedule"].items() if name in ours} == ours
        assert settings["schedule"] == ours
    for wanted in ("2025-03-01T07:00:00Z", "2025-03-03T23:00:00Z", "2025-03-05T12:00:00Z"):
        assert opening(wanted, call=ours) == opening(wanted, call=theirs)


SATURDAY, SUNDAY, FRIDAY = "2025-03-01T10:00:00Z", "2025-03-02T10:00:00Z", "2025-02-28T10:00:00Z"


@pytest.mark.parametrize(
    ("phone", "closed", "then_open"),
    [
        ("+493012345678", SATURDAY, "2025-03-02T23:00:00Z"),  # Germany: Monday, midnight in Berlin
        ("+20212345678", FRIDAY, "2025-03-01T22:00:00Z"),  # Egypt: Friday and Saturday; Sunday, midnight in Cairo
        ("+966112345678", FRIDAY, "2025-03-01T21:00:00Z"),  # Saudi Arabia: the same; Sunday, midnight in Riyadh
        ("+982112345678", FRIDAY, "2025-02-28T20:30:00Z"),  # Iran: Friday alone; Saturday, midnight in Tehran
        ("+919812345678", SUNDAY, "2025-03-02T18:30:00Z"),  # India: Sunday alone; Monday, midnight in Kolkata
    ],
)
def test_the_weekend_is_that_of_the_contacts_country(phone: str, closed: str, then_open: str) -> None:
    weekend_off = {"days": "weekend_off", "calling_hours": ALL_DAY}

    assert opening(closed, call=weekend_off, phone=phone) == then_open


def test_without_a_number_the_weekend_is_saturday_and_sunday() -> None:
    assert opening(FRIDAY, call={"days": "weekend_off"}) == FRIDAY
    assert opening(SATURDAY, call={"days": "weekend_off"}) == "2025-03-03T09:00:00Z"


@pytest.mark.parametrize(
    ("holidays", "found"),
    [
        ({"region": "DE-BY"}, "2025-01-07T08:00:00Z"),  # Epiphany is a holiday in Bavaria
        ({"region": "DE"}, "2025-01-06T11:00:00Z"),  # and not in all of Germany
        ({"dates": ["2025-01-06", "2025-01-07"]}, "2025-01-08T08:00:00Z"),
        ({"region": "DE-BY", "dates": ["2025-01-07"]}, "2025-01-08T08:00:00Z"),
        ({"dates": []}, "2025-01-06T11:00:00Z"),
        ({}, "2025-01-06T11:00:00Z"),
    ],
)
def test_holidays_are_closed_by_region_and_by_date(holidays: dict[str, Any], found: str) -> None:
    assert opening("2025-01-06T11:00:00Z", call={"holidays": holidays}, time_zone="Europe/Berlin") == found


def test_a_holiday_is_a_day_of_the_contacts_clock() -> None:
    closed = {"holidays": {"dates": ["2025-01-06"]}, "calling_hours": ALL_DAY}

    assert opening("2025-01-05T16:00:00Z", call=closed, time_zone="Asia/Tokyo") == "2025-01-06T15:00:00Z"
    assert opening("2025-01-05T16:00:00Z", call=closed, time_zone="America/New_York") == "2025-01-05T16:00:00Z"


def test_each_field_is_that_of_the_most_specific_level_that_gives_it() -> None:
    workspace = {"calling_hours": {"start": "10:00", "end": "11:00"}, "holidays": {"region": "DE-BY"}}
    campaign = {"holidays": {"dates": ["2025-01-07"]}}
    call = {"calling_hours": {"start": "15:00", "end": "16:00"}}

    # The campaign's holidays take the place of the workspace's, the region too.
    assert opening("2025-01-06T06:00:00Z", workspace=workspace, schedule=campaign) == "2025-01-06T10:00:00Z"
    assert opening("2025-01-07T06:00:00Z", workspace=workspace, schedule=campaign) == "2025-01-08T10:00:00Z"
    assert opening("2025-01-06T06:00:00Z", workspace=workspace, schedule=campaign, call=call) == "2025-01-06T15:00:00Z"
    assert opening("2025-01-06T06:00:00Z", workspace=workspace, schedule={"holidays": {}}) == "2025-01-06T10:00:00Z"


def test_hours_by_weekday_take_the_place_of_less_specific_days_and_keep_to_those_of_their_own_level() -> None:
    weekend = {"calling_hours": {"sat": [ALL_DAY], "sun": [ALL_DAY]}}

    assert opening(SATURDAY, schedule={"days": ["mon"]}, call=weekend) == SATURDAY
    assert opening(SATURDAY, call={**weekend, "days": ["mon", "sun"]}) == "2025-03-02T00:00:00Z"
    assert opening(SATURDAY, schedule=weekend, call={"days": ["mon", "sun"]}) == "2025-03-02T00:00:00Z"


def test_a_window_that_never_opens_stops_the_chain_and_says_so() -> None:
    never = {"calling_hours": {"sat": [ALL_DAY]}, "days": "weekend_off"}
    question = {"time_zone": "UTC", "first_attempt_at": SATURDAY, "outcomes": ["busy"], "call": never}

    assert Api().post("callbacks/preview/", question).json()["stop"] == {"reason": "no_opening", "after_attempt": 1}


def test_a_call_whose_window_never_opens_is_refused() -> None:
    api = Api()
    make_line(api.workspace, is_default=True)
    body = {
        "contact": {"phone": "+493012345"},
        "persona_id": make_persona(api.workspace).public_id,
        "call": {"calling_hours": {"sat": [ALL_DAY]}, "days": "weekend_off"},
    }

    assert error_of(api.post("calls/", body))["fields"] == {
        "call": ["the calling window does not open within 366 days"]
    }
