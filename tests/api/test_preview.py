"""What would happen, asked over HTTP."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callbacks.models import Callback
from callbacks.rules import retry
from dialer.models import Call
from tests.api.client import Api, error_of
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_line,
    make_policy,
    make_workspace,
)
from tests.in_process_carrier import in_process_carrier
from tests.pipeline import dial, end_all

pytestmark = pytest.mark.django_db

CASES = json.loads((Path(__file__).parent.parent / "vectors" / "preview.json").read_text())
QUESTION: dict[str, Any] = {
    "time_zone": "Europe/Berlin",
    "first_attempt_at": "2025-03-03T10:00:00Z",
    "outcomes": ["no_answer"],
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_preview_gives_the_answers_of_the_independent_model(case: dict[str, Any]) -> None:
    answer = Api().post("callbacks/preview/", case["request"])

    assert answer.status_code == 200, answer.content
    given = answer.json()
    attempts = [{name: attempt[name] for name in ("attempt_number", "at", "outcome")} for attempt in given["attempts"]]
    assert attempts == case["expected"]["attempts"]
    assert given["stop"] == case["expected"]["stop"]
    assert given["timezone"] == case["request"]["timezone"]
    assert given["timezone_source"] == "contact"
    assert not Callback.objects.exists()
    assert not Call.objects.exists()


def test_every_attempt_after_the_first_is_explained() -> None:
    attempts = Api().post("callbacks/preview/", QUESTION).json()["attempts"]

    assert attempts[0]["explanation"] == []
    assert {step["code"] for step in attempts[1]["explanation"]} >= {"delay", "limit"}


def test_a_number_gives_the_zone_where_none_is_named() -> None:
    question = {name: value for name, value in QUESTION.items() if name != "time_zone"}

    answer = Api().post("callbacks/preview/", {**question, "phone": "+493012345678"}).json()

    assert (answer["timezone"], answer["timezone_source"]) == ("Europe/Berlin", "number")


def test_the_policy_in_the_path_is_taken_as_a_campaigns() -> None:
    api = Api()
    policy = make_policy(api.workspace, rules={"no_answer": {"delays": [7], "limit": 1}})

    by_path = api.post(f"retry-policies/{policy.public_id}/preview/", QUESTION).json()
    by_field = api.post("callbacks/preview/", {**QUESTION, "retry_policy_id": policy.public_id}).json()

    assert by_path["attempts"][1]["at"] == "2025-03-03T10:07:00Z"
    assert by_path == by_field


def test_only_the_default_policy_stands_behind_a_question() -> None:
    api = Api()
    make_policy(api.workspace, rules={"no_answer": {"delays": [7], "limit": 1}})

    by_ringback = api.post("callbacks/preview/", QUESTION).json()["attempts"]
    make_policy(api.workspace, rules={"no_answer": {"delays": [9], "limit": 1}}, is_default=True)
    by_default = api.post("callbacks/preview/", QUESTION).json()["attempts"]

    assert by_ringback[1]["at"] == "2025-03-04T10:00:00Z"
    assert by_default[1]["at"] == "2025-03-03T10:09:00Z"


def test_the_workspaces_defaults_stand_behind_the_question() -> None:
    api = Api(make_workspace(schedule={"callback_retry_schedule": [11]}))

    attempts = api.post("callbacks/preview/", QUESTION).json()["attempts"]

    assert attempts[1]["at"] == "2025-03-03T10:11:00Z"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"call": {"callback_retry_schedule": [5, 15, 0]}}, "call.callback_retry_schedule.2"),
        ({"call": {"callback_retry_schedule": []}}, "call.callback_retry_schedule"),
        ({"call": {"callback_retry_schedule": [True]}}, "call.callback_retry_schedule.0"),
        ({"call": {"max_callback_attempts": 51}}, "call.max_callback_attempts"),
        ({"call": {"auto_callback": "yes"}}, "call.auto_callback"),
        ({"call": {"nonsense": 1}}, "call.nonsense"),
        ({"schedule": {"calling_hours": {"start": "20:00", "end": "09:00"}}}, "schedule.calling_hours.end"),
        ({"schedule": {"days": ["monday"]}}, "schedule.days.0"),
        ({"schedule": {"time_zone": "Mars/Olympus"}}, "schedule.time_zone"),
        ({"schedule": {"time_zone": 5}}, "schedule.time_zone"),
        ({"schedule": []}, "schedule"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"phone": "12"}, "phone"),
        ({"outcomes": []}, "outcomes"),
        ({"outcomes": ["busy", "sleeping"]}, "outcomes.1"),
        ({"first_attempt_at": "2025-03-03T10:00:00"}, "first_attempt_at"),
        ({"retry_policy_id": "pol_01h455vb4pex5vsknk084sn02q"}, "retry_policy_id"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_bad_question_is_refused_by_the_path_of_its_field(change: dict[str, Any], path: str) -> None:
    answer = Api().post("callbacks/preview/", {**QUESTION, **change})

    assert answer.status_code == 400, answer.content
    assert list(error_of(answer)["fields"]) == [path]


def test_a_question_without_number_and_zone_is_refused() -> None:
    question = {name: value for name, value in QUESTION.items() if name != "time_zone"}

    assert "phone" in error_of(Api().post("callbacks/preview/", question))["fields"]


def test_another_workspaces_policy_is_not_found() -> None:
    theirs = make_policy(make_workspace())

    assert Api().post(f"retry-policies/{theirs.public_id}/preview/", QUESTION).status_code == 404


def test_a_campaigns_preview_is_by_its_schedule_zone_policy_limits_and_line() -> None:
    api = Api(make_workspace(contact_limits=[], schedule={"max_callback_attempts": 9}))
    campaign = make_campaign(
        api.workspace,
        schedule={"calling_hours": {"start": "08:00", "end": "21:00"}},
        retry_policy=make_policy(api.workspace, rules={"no_answer": {"delays": [7], "limit": 2}}),
        contact_limits=[{"max": 2, "period_hours": 24, "scope": "campaign"}],
    )

    answer = api.post(f"campaigns/{campaign.public_id}/preview/", {**QUESTION, "outcomes": ["no_answer"] * 3}).json()

    assert [attempt["at"] for attempt in answer["attempts"]] == [
        "2025-03-03T10:00:00Z",
        "2025-03-03T10:07:00Z",
        "2025-03-04T10:00:00Z",  # two within 24 hours are the campaign's limit
    ]
    assert answer["attempts"][2]["explanation"][-1]["code"] == "contact_limit"
    assert answer["stop"] == {"reason": "exhausted", "after_attempt": 3}


def test_a_campaigns_preview_leaves_its_line_the_time_to_ring() -> None:
    api = Api(make_workspace(contact_limits=[]))
    campaign = make_campaign(
        api.workspace,
        line=make_line(api.workspace, ring_timeout_seconds=120),
        schedule={"calling_hours": {"start": "08:00", "end": "21:00"}, "callback_retry_schedule": [7]},
    )
    late = {**QUESTION, "first_attempt_at": "2025-03-03T19:52:00Z"}  # 20:52 in Berlin

    attempts = api.post(f"campaigns/{campaign.public_id}/preview/", late).json()["attempts"]

    assert attempts[1]["at"] == "2025-03-04T07:00:00Z"


def test_settings_of_the_call_stand_above_the_campaigns_in_its_preview() -> None:
    api = Api()
    campaign = make_campaign(api.workspace, schedule={"callback_retry_schedule": [60]})
    question = {**QUESTION, "call": {"callback_retry_schedule": [5]}}

    attempts = api.post(f"campaigns/{campaign.public_id}/preview/", question).json()["attempts"]

    assert attempts[1]["at"] == "2025-03-03T10:05:00Z"
    assert attempts[1]["explanation"][0]["level"] == "call"


@pytest.mark.parametrize("field", [{"schedule": {}}, {"retry_policy_id": None}])
def test_a_campaigns_preview_takes_no_other_settings_of_a_campaign(field: dict[str, Any]) -> None:
    api = Api()
    campaign = make_campaign(api.workspace)

    answer = api.post(f"campaigns/{campaign.public_id}/preview/", {**QUESTION, **field})

    assert list(error_of(answer)["fields"]) == list(field)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("factor", [1, 2])
def test_a_mutation_of_the_delay_rule_changes_what_is_scheduled_and_what_is_previewed_alike(
    monkeypatch: pytest.MonkeyPatch, factor: int
) -> None:
    monkeypatch.setattr(retry, "timedelta", lambda minutes: timedelta(minutes=factor * minutes))
    api = Api()
    campaign = make_campaign(api.workspace, schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [5]})
    policy = make_policy(api.workspace, rules={"no_answer": {"delays": [5], "limit": 1}})
    question = {"time_zone": "Europe/Berlin", "first_attempt_at": NOW.isoformat(), "outcomes": ["no_answer"]}
    always = {"schedule": ROUND_THE_CLOCK}

    with in_process_carrier():
        make_campaign_contact(campaign)
        dial(NOW)
        end_all(NOW, "no_answer", lasted=timedelta())
    scheduled = Callback.objects.get().scheduled_at
    previewed = [
        api.post(path, body).json()["attempts"][1]["at"]
        for path, body in (
            ("callbacks/preview/", {**question, **always, "call": {"callback_retry_schedule": [5]}}),
            (f"campaigns/{campaign.public_id}/preview/", question),
            (f"retry-policies/{policy.public_id}/preview/", {**question, **always}),
        )
    ]

    assert scheduled == NOW + factor * timedelta(minutes=5)
    assert previewed == [f"2025-03-12T10:{5 * factor:02}:00Z"] * 3
