"""The settings in force: which value holds, and which level it comes from, as real calls are judged."""

from typing import Any

import pytest

from callbacks.effective_settings import Setting, of_call, of_campaign
from callbacks.retry_settings import settings_of
from dialer.calls import context
from dialer.rules.default_retries import DEFAULT_RULES
from tests.api.client import Api
from tests.factories import make_call, make_campaign, make_contact, make_line, make_policy, make_workspace

pytestmark = pytest.mark.django_db


def levels(settings: object) -> dict[str, Any]:
    return {name: value.level for name, value in vars_of(settings).items() if name != "contact_limits"}


def vars_of(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}


def test_where_no_level_sets_anything_the_defaults_hold() -> None:
    workspace = make_workspace()
    found = of_call(make_call(make_contact(workspace), line=make_line(workspace)))

    assert levels(found) == {
        "auto_callback": "default",
        "max_callback_attempts": "policy",
        "callback_retry_schedule": "policy",
        "retry_rules": "default",
        "calling_hours": "default",
        "days": "default",
        "holidays": "default",
        "time_zone": "workspace",
        "calls_per_second": "default",
        "max_concurrent_calls": "default",
        "stale_after_hours": "workspace",
    }
    assert found.retry_rules.value == DEFAULT_RULES
    assert found.calling_hours.value == {"start": "09:00", "end": "20:00"}


def test_each_setting_comes_from_the_most_specific_level_that_has_it() -> None:
    workspace = make_workspace(
        schedule={"auto_callback": True, "max_callback_attempts": 9, "days": ["mon"]}, calls_per_second=5
    )
    campaign = make_campaign(
        workspace,
        schedule={"max_callback_attempts": 4, "calling_hours": {"start": "10:00", "end": "12:00"}},
        time_zone="Asia/Kolkata",
        contact_limits=[{"max": 1, "period_hours": 24, "scope": "campaign"}],
        calls_per_second=7,
        line=make_line(workspace, calls_per_second=2, max_concurrent_calls=3),
    )
    call = make_call(campaign=campaign, schedule={"auto_callback": False, "callback_retry_schedule": [5, 10]})

    found = of_call(call)

    assert (found.auto_callback.value, found.auto_callback.level) == (False, "call")
    assert (found.callback_retry_schedule.value, found.callback_retry_schedule.level) == ([5, 10], "call")
    assert (found.max_callback_attempts.value, found.max_callback_attempts.level) == (4, "campaign")
    assert (found.calling_hours.value["start"], found.calling_hours.level) == ("10:00", "campaign")
    assert (found.days.value, found.days.level) == (["mon"], "workspace")
    assert (found.time_zone.value, found.time_zone.level) == ("Asia/Kolkata", "campaign")
    assert [limit.level for limit in found.contact_limits] == ["workspace", "campaign"]
    assert (found.calls_per_second.value, found.calls_per_second.level) == (2, "line")
    assert (found.max_concurrent_calls.value, found.max_concurrent_calls.level) == (3, "line")
    assert of_campaign(campaign).auto_callback.level == "workspace"


def test_hours_by_weekday_hide_the_days_of_a_less_specific_level() -> None:
    workspace = make_workspace(schedule={"days": ["sat"]})
    campaign = make_campaign(workspace, schedule={"calling_hours": {"mon": [{"start": "10:00", "end": "12:00"}]}})

    found = of_campaign(campaign)

    assert (found.days.value, found.days.level) == (None, "campaign")


def test_a_policy_of_the_campaign_hides_the_workspaces_schedule() -> None:
    workspace = make_workspace(schedule={"callback_retry_schedule": [1], "max_callback_attempts": 1})
    default, own = make_policy(workspace, is_default=True), make_policy(workspace)

    with_policy = of_campaign(make_campaign(workspace, retry_policy=own))
    without = of_campaign(make_campaign(workspace))

    assert (with_policy.callback_retry_schedule.value, with_policy.callback_retry_schedule.level) == (None, "policy")
    assert (with_policy.retry_rules.value, with_policy.retry_rules.level) == (own.rules, "campaign")
    assert (without.callback_retry_schedule.value, without.callback_retry_schedule.level) == ([1], "workspace")
    assert (without.retry_rules.value, without.retry_rules.level) == (default.rules, "workspace")


def test_what_is_shown_is_what_decides_about_the_call() -> None:
    workspace = make_workspace(schedule={"max_callback_attempts": 9})
    campaign = make_campaign(workspace, schedule={"callback_retry_schedule": [3]}, time_zone="Asia/Kolkata")
    call = make_call(campaign=campaign, schedule={"auto_callback": False})
    (judged,) = context.contexts_of([call.pk])

    found, retries, terms = of_call(call), settings_of(judged), context.terms_of(judged)

    assert found.auto_callback == Setting(value=retries.auto_callback, level=retries.auto_callback_level)
    assert found.max_callback_attempts == Setting(value=retries.limit, level=retries.limit_level)
    assert tuple(found.callback_retry_schedule.value) == retries.schedule
    assert (found.time_zone.value, found.time_zone.level) == (terms.fallback.zone, terms.fallback.source)
    assert found.calling_hours.level == terms.window.hours_level


def test_routes_show_the_settings_of_a_campaign_and_of_a_call() -> None:
    api = Api(scope="read")
    campaign = make_campaign(api.workspace, schedule={"max_callback_attempts": 4})
    call = make_call(campaign=campaign, schedule={"auto_callback": False})

    of_it = api.get(f"campaigns/{campaign.public_id}/effective-settings/").json()
    of_its_call = api.get(f"calls/{call.public_id}/effective-settings/").json()

    assert of_it["max_callback_attempts"] == {"value": 4, "level": "campaign"}
    assert of_it["days"] == {"value": None, "level": "default"}
    assert of_it["contact_limits"] == [
        {"value": {"max": 10, "period_hours": 24, "scope": "number"}, "level": "workspace"}
    ]
    assert of_its_call["auto_callback"] == {"value": False, "level": "call"}
    assert of_its_call["max_callback_attempts"] == of_it["max_callback_attempts"]
