"""What may be set, and how it is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.rules import schedule_settings
from dialer.rules.schedule_settings import (
    InvalidSettings,
    parse,
    parse_contact_limits,
    parse_retries,
    parse_retry_policy,
)
from dialer.rules.window_settings import WEEKDAYS, window_in_force

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["09:00", "24:00"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*WEEKDAYS, "start", "end", "region", "dates", "delays", "limit"]), inner)
    ),
    max_leaves=8,
)
CLOCK = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
INTERVAL = (
    st.tuples(CLOCK, CLOCK | st.just("24:00"))
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: {"start": pair[0], "end": pair[1]})
)
SCHEDULE = st.fixed_dictionaries(
    {},
    optional={
        "auto_callback": st.booleans() | st.none(),
        "max_callback_attempts": st.integers(1, 50),
        "callback_retry_schedule": st.lists(st.integers(1, 43_200), min_size=1, max_size=20),
        "calling_hours": INTERVAL
        | st.dictionaries(st.sampled_from(WEEKDAYS), st.lists(INTERVAL, min_size=1, max_size=4), min_size=1),
        "day_selection_mode": st.sampled_from(["all_days", "weekend_off"]),
        "holidays": st.fixed_dictionaries(
            {}, optional={"region": st.sampled_from(["DE", "DE-BY"]), "dates": st.just(["2025-05-08"])}
        ),
    },
)


def faults(raw: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidSettings) as refused:
        parse(raw)
    return refused.value.errors


@given(st.dictionaries(st.sampled_from(schedule_settings.FIELDS), JSON) | JSON)
def test_whatever_comes_in_is_parsed_or_refused_and_nothing_else_happens(raw: object) -> None:
    for read in (parse, parse_retry_policy, parse_contact_limits):
        errors: dict[str, list[str]] = {"none": ["it was parsed"]}
        try:
            read(raw)
        except InvalidSettings as refused:
            errors = refused.errors
        assert errors
        assert all(errors.values())


@given(SCHEDULE)
@settings(max_examples=60)
def test_parsing_what_came_out_gives_the_same_again_and_a_window_can_be_made_of_it(raw: dict[str, Any]) -> None:
    parsed = parse(raw)

    assert parse(parsed) == parsed
    assert window_in_force(call=parsed, campaign={}, workspace={}, country="DE")


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("auto_callback", 1, "auto_callback"),
        ("auto_callback", "true", "auto_callback"),
        ("max_callback_attempts", 0, "max_callback_attempts"),
        ("max_callback_attempts", -1, "max_callback_attempts"),
        ("max_callback_attempts", 51, "max_callback_attempts"),
        ("max_callback_attempts", True, "max_callback_attempts"),
        ("max_callback_attempts", 3.0, "max_callback_attempts"),
        ("max_callback_attempts", "3", "max_callback_attempts"),
        ("callback_retry_schedule", [], "callback_retry_schedule"),
        ("callback_retry_schedule", [1] * 21, "callback_retry_schedule"),
        ("callback_retry_schedule", 5, "callback_retry_schedule"),
        ("callback_retry_schedule", [5, 15, 0], "callback_retry_schedule.2"),
        ("callback_retry_schedule", [5, 43_201], "callback_retry_schedule.1"),
        ("callback_retry_schedule", [True], "callback_retry_schedule.0"),
        ("callback_retry_schedule", [5.5], "callback_retry_schedule.0"),
        ("callback_retry_schedule", ["5"], "callback_retry_schedule.0"),
        ("callback_retry_schedule", [None], "callback_retry_schedule.0"),
        ("calling_hours", {"start": "9:00", "end": "20:00"}, "calling_hours.start"),
        ("calling_hours", {"start": "24:00", "end": "24:00"}, "calling_hours.start"),
        ("calling_hours", {"start": "09:00"}, "calling_hours.end"),
        ("calling_hours", {"start": "09:00", "end": "09:00"}, "calling_hours.end"),
        ("calling_hours", {"start": "20:00", "end": "09:00"}, "calling_hours.end"),
        ("calling_hours", {"start": "09:00", "end": "24:01"}, "calling_hours.end"),
        ("calling_hours", {"start": "09:00", "end": "20:00", "mon": []}, "calling_hours.mon"),
        ("calling_hours", {"funday": []}, "calling_hours.funday"),
        ("calling_hours", {"mon": [{"start": "10:00", "end": "09:00"}]}, "calling_hours.mon.0.end"),
        ("calling_hours", {"mon": []}, "calling_hours"),
        ("calling_hours", {}, "calling_hours"),
        ("calling_hours", "09:00-20:00", "calling_hours"),
        ("days", [], "days"),
        ("days", ["mon", "monday"], "days.1"),
        ("days", ["mon"] * 8, "days"),
        ("days", "weekdays", "days"),
        ("holidays", {"region": "XX"}, "holidays.region"),
        ("holidays", {"region": "DE-ZZ"}, "holidays.region"),
        ("holidays", {"region": "DE-"}, "holidays.region"),
        ("holidays", {"region": 1}, "holidays.region"),
        ("holidays", {"dates": ["2025-02-29"]}, "holidays.dates.0"),
        ("holidays", {"dates": ["20250508"]}, "holidays.dates.0"),
        ("holidays", {"days": []}, "holidays.days"),
        ("call_start_hour", 9, "call_end_hour"),
        ("call_end_hour", 20, "call_start_hour"),
        ("day_selection_mode", "workdays", "day_selection_mode"),
        ("day_selection_mode", "choose_days", "allowed_days"),
        ("allowed_days", [0], "allowed_days"),
        ("calling_ours", {}, "calling_ours"),
    ],
)
def test_a_bad_value_is_refused_naming_the_field_and_the_item(field: str, value: object, path: str) -> None:
    assert list(faults({field: value})) == [path]


def test_every_fault_is_named_at_once() -> None:
    found = faults({"max_callback_attempts": 0, "callback_retry_schedule": [0, 5, "x"], "days": ["no"]})

    assert sorted(found) == [
        "callback_retry_schedule.0",
        "callback_retry_schedule.2",
        "days.0",
        "max_callback_attempts",
    ]


def test_null_leaves_a_field_to_the_next_level() -> None:
    assert parse({"auto_callback": None, "calling_hours": None, "allowed_days": None}) == {}


def test_false_and_no_holidays_are_values() -> None:
    assert parse({"auto_callback": False, "holidays": {}}) == {"auto_callback": False, "holidays": {}}


def test_whole_hours_and_day_modes_of_the_reference_are_another_spelling() -> None:
    parsed = parse(
        {"call_start_hour": 0, "call_end_hour": 24, "day_selection_mode": "choose_days", "allowed_days": [6, 0, 0]}
    )

    assert parsed == {"calling_hours": {"start": "00:00", "end": "24:00"}, "days": ["mon", "sun"]}
    assert parse({"day_selection_mode": "all_days"}) == {"days": list(WEEKDAYS)}
    assert parse({"day_selection_mode": "weekend_off"}) == {"days": "weekend_off"}


def test_both_spellings_of_one_thing_at_one_level_are_refused_even_where_they_agree() -> None:
    hours = {"calling_hours": {"start": "09:00", "end": "20:00"}}

    assert list(faults(hours | {"call_start_hour": 9, "call_end_hour": 20})) == ["call_start_hour"]
    assert list(faults({"days": ["mon"], "day_selection_mode": "all_days"})) == ["day_selection_mode"]
    assert parse(hours | {"call_start_hour": None, "day_selection_mode": "all_days"}) == hours | {
        "days": list(WEEKDAYS)
    }


def test_intervals_that_overlap_or_join_become_one() -> None:
    parsed = parse(
        {
            "calling_hours": {
                "mon": [
                    {"start": "13:00", "end": "18:00"},
                    {"start": "09:00", "end": "12:00"},
                    {"start": "12:00", "end": "14:00"},
                    {"start": "20:00", "end": "24:00"},
                ],
                "tue": [],
            }
        }
    )

    assert parsed["calling_hours"] == {
        "mon": [{"start": "09:00", "end": "18:00"}, {"start": "20:00", "end": "24:00"}],
    }


def test_hours_and_days_that_have_no_day_in_common_are_refused() -> None:
    hours = {"calling_hours": {"mon": [{"start": "09:00", "end": "12:00"}]}}

    assert list(faults(hours | {"days": ["tue"]})) == ["days"]
    assert parse(hours | {"days": ["mon", "tue"]})["days"] == ["mon", "tue"]


def test_a_retry_policy_is_taken_per_outcome() -> None:
    policy = {"busy": {"delays": [60], "limit": 5}, "declined": {"delays": [5, 10], "limit": 2}}

    assert parse_retry_policy(policy) == policy
    assert parse_retry_policy({"busy": {"delays": [60], "limit": 5}, "no_answer": None}) == {
        "busy": {"delays": [60], "limit": 5}
    }


def test_a_retry_policy_in_the_short_form_is_expanded() -> None:
    short = {"number_of_retries": 3, "interval_minutes": 10, "on_status": ["busy", "no-answer", "failed"]}

    linear = parse_retry_policy(short | {"mechanism": "Linear"})
    exponential = parse_retry_policy(short | {"mechanism": "exponential"})

    assert linear == {name: {"delays": [10], "limit": 3} for name in ("no_answer", "busy", "network_error")}
    assert exponential["busy"] == {"delays": [10, 20, 40], "limit": 3}
    assert parse_retry_policy(exponential) == exponential


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"answered": {"delays": [1], "limit": 1}}, "answered"),
        ({"invalid_number": {"delays": [1], "limit": 1}}, "invalid_number"),
        ({"busy": {"delays": [], "limit": 1}}, "busy.delays"),
        ({"busy": {"delays": [5, 0], "limit": 1}}, "busy.delays.1"),
        ({"busy": {"delays": [5], "limit": 51}}, "busy.limit"),
        ({"busy": {"delays": [5]}}, "busy.limit"),
        ({"busy": {"delays": [5], "limit": 1, "max": 1}}, "busy.max"),
        ({"busy": [5]}, "busy"),
        ({"number_of_retries": 0, "interval_minutes": 5, "on_status": ["busy"]}, "number_of_retries"),
        ({"number_of_retries": 1, "on_status": ["busy"]}, "interval_minutes"),
        ({"number_of_retries": 1, "interval_minutes": 5, "on_status": []}, "on_status"),
        ({"number_of_retries": 1, "interval_minutes": 5, "on_status": ["ok"]}, "on_status.0"),
        ({"number_of_retries": 1, "interval_minutes": 5, "on_status": ["busy"], "mechanism": "x"}, "mechanism"),
        ({"number_of_retries": 1, "interval_minutes": 5, "on_status": ["busy"], "busy": {}}, "busy"),
        (
            {"number_of_retries": 9, "interval_minutes": 200, "on_status": ["busy"], "mechanism": "exponential"},
            "number_of_retries",
        ),
        ([], "non_field_errors"),
    ],
)
def test_a_bad_retry_policy_is_refused_naming_the_field(raw: object, path: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        parse_retry_policy(raw)

    assert list(refused.value.errors) == [path]


def test_contact_limits_are_taken_and_their_scope_is_the_number_unless_said() -> None:
    assert parse_contact_limits([{"max": 3, "period_hours": 24}]) == [
        {"max": 3, "period_hours": 24, "scope": "number"},
    ]
    assert parse_contact_limits([]) == []


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({}, "contact_limits"),
        (None, "contact_limits"),
        ([3], "contact_limits.0"),
        ([{"max": 0, "period_hours": 24}], "contact_limits.0.max"),
        ([{"max": True, "period_hours": 24}], "contact_limits.0.max"),
        ([{"max": 1}], "contact_limits.0.period_hours"),
        ([{"max": 1, "period_hours": 24, "scope": "contact"}], "contact_limits.0.scope"),
    ],
)
def test_bad_contact_limits_are_refused_naming_the_field(raw: object, path: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        parse_contact_limits(raw)

    assert list(refused.value.errors) == [path]


def test_the_retries_of_a_campaign_are_the_rules_of_a_policy_in_short() -> None:
    retries = {
        "number_of_retries": 3,
        "interval_mins": 10,
        "mechanism": "Exponential",
        "on_status": ["busy", "no-answer", "failed"],
    }

    rule = {"delays": [10, 20, 40], "limit": 3}
    assert parse_retries(retries) == {"no_answer": rule, "busy": rule, "network_error": rule}
    assert parse_retries({"number_of_retries": 0}) == {}


@pytest.mark.parametrize(
    ("sent", "at_fault"),
    [
        ({}, "retries.number_of_retries"),
        ({"number_of_retries": False}, "retries.number_of_retries"),
        ({"number_of_retries": 1, "interval_mins": 0, "on_status": ["busy"]}, "retries.interval_mins"),
        ({"number_of_retries": 1, "interval_mins": 5, "interval_minutes": 5}, "retries.interval_mins"),
        ({"number_of_retries": 1, "interval_mins": 5, "on_status": ["rang"]}, "retries.on_status.0"),
        ({"number_of_retries": 1, "busy": {"delays": [1], "limit": 1}}, "retries.busy"),
    ],
)
def test_bad_retries_are_named_as_they_were_given(sent: dict[str, Any], at_fault: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        parse_retries(sent)

    assert at_fault in refused.value.errors
