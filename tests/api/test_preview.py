"""What would happen, asked over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from callbacks.models import Callback
from dialer.models import Call
from tests.api.client import Api, error_of
from tests.factories import make_policy, make_workspace

pytestmark = pytest.mark.django_db

CASES = json.loads((Path(__file__).parent.parent / "vectors" / "preview.json").read_text())
QUESTION: dict[str, Any] = {
    "timezone": "Europe/Berlin",
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
    question = {name: value for name, value in QUESTION.items() if name != "timezone"}

    answer = Api().post("callbacks/preview/", {**question, "phone": "+493012345678"}).json()

    assert (answer["timezone"], answer["timezone_source"]) == ("Europe/Berlin", "number")


def test_the_policy_in_the_path_is_taken_as_a_campaigns() -> None:
    api = Api()
    policy = make_policy(api.workspace, rules={"no_answer": {"delays": [7], "limit": 1}})

    by_path = api.post(f"retry-policies/{policy.public_id}/preview/", QUESTION).json()
    by_field = api.post("callbacks/preview/", {**QUESTION, "retry_policy_id": policy.public_id}).json()

    assert by_path["attempts"][1]["at"] == "2025-03-03T10:07:00Z"
    assert by_path == by_field


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
        ({"schedule": {"timezone": "Mars/Olympus"}}, "schedule.timezone"),
        ({"schedule": {"timezone": 5}}, "schedule.timezone"),
        ({"schedule": []}, "schedule"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": ""}, "timezone"),
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
    question = {name: value for name, value in QUESTION.items() if name != "timezone"}

    assert "phone" in error_of(Api().post("callbacks/preview/", question))["fields"]


def test_another_workspaces_policy_is_not_found() -> None:
    theirs = make_policy(make_workspace())

    assert Api().post(f"retry-policies/{theirs.public_id}/preview/", QUESTION).status_code == 404
