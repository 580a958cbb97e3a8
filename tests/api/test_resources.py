"""Personas, lines, retry policies and the workspace's settings over HTTP."""

import json

import pytest
from pytest_django.fixtures import Settings

from dialer.models import Line, Persona
from tests.api.client import Api, error_of
from tests.factories import make_call, make_campaign, make_contact, make_line, make_persona, make_policy

pytestmark = pytest.mark.django_db


def test_a_persona_is_made_changed_listed_and_archived() -> None:
    api = Api()

    made = api.post("personas/", {"name": "Sara", "endpoint": "sip:sara@example.com"})
    assert made.status_code == 201
    path = f"personas/{made.json()['id']}/"
    assert api.patch(path, {"name": "Mia"}).json()["name"] == "Mia"
    assert api.get(path).json()["endpoint"] == "sip:sara@example.com"
    assert api.delete(path).status_code == 204

    assert api.get("personas/").json()["results"] == []
    assert [row["name"] for row in api.get("personas/", archived="true").json()["results"]] == ["Mia"]


def test_credentials_of_a_line_are_written_and_never_shown(settings: Settings) -> None:
    settings.CARRIERS = {"vendor": "tests.in_process_carrier.VendorAdapter"}
    line = {"name": "Main", "carrier": "vendor", "caller_ids": ["+4930123"]}

    made = Api(scope="admin").post("lines/", {**line, "credentials": {"token": "of the carrier"}})

    assert made.status_code == 201
    assert "of the carrier" not in made.content.decode()
    assert (made.json()["has_credentials"], "credentials" in made.json()) == (True, False)
    assert made.json()["health"] == {"status": "up", "reason": "", "until": None}
    assert json.loads(Line.objects.get().credentials) == {"token": "of the carrier"}


def test_a_policy_can_be_written_in_the_short_form() -> None:
    made = Api().post(
        "retry-policies/",
        {
            "name": "Short",
            "rules": {"number_of_retries": 2, "interval_minutes": 5, "mechanism": "exponential", "on_status": ["busy"]},
        },
    )

    assert made.status_code == 201
    assert made.json()["rules"] == {"busy": {"delays": [5, 10], "limit": 2}}


def test_a_bad_policy_is_told_field_by_field_and_not_stored() -> None:
    api = Api()

    answer = api.post("retry-policies/", {"name": "Bad", "rules": {"busy": {"delays": [5, True, 0], "limit": 51}}})

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {"rules.busy.delays.1", "rules.busy.delays.2", "rules.busy.limit"}
    assert api.get("retry-policies/").json()["results"] == []


def test_the_default_policy_cannot_be_archived() -> None:
    api = Api()
    policy = make_policy(api.workspace, is_default=True)

    answer = api.delete(f"retry-policies/{policy.public_id}/")

    assert (answer.status_code, error_of(answer)["code"]) == (409, "default_needed")


def test_a_name_that_is_taken_is_refused() -> None:
    api = Api()
    make_persona(api.workspace, name="Sara")

    answer = api.post("personas/", {"name": "Sara"})

    assert error_of(answer)["fields"] == {"name": ["is taken"]}
    assert Persona.objects.count() == 1


def test_settings_are_read_by_all_and_changed_by_an_admin_key() -> None:
    api = Api(scope="admin")
    writer = Api(api.workspace, scope="write")

    assert writer.get("settings/").json()["time_zone"] == "Europe/Berlin"
    assert writer.patch("settings/", {"stale_after_hours": 5}).status_code == 403
    changed = api.patch(
        "settings/",
        {"schedule": {"auto_callback": None, "call_start_hour": 8, "call_end_hour": 18}, "contact_limits": []},
    )

    assert changed.status_code == 200
    assert changed.json()["schedule"] == {"calling_hours": {"start": "08:00", "end": "18:00"}}
    assert changed.json()["contact_limits"] == []


def test_bad_settings_are_named_by_their_path() -> None:
    api = Api(scope="admin")

    answer = api.patch(
        "settings/",
        {"schedule": {"callback_retry_schedule": [5, 0], "max_callback_attempts": 1.5}, "time_zone": "Mars/Olympus"},
    )

    assert set(error_of(answer)["fields"]) == {
        "schedule.callback_retry_schedule.1",
        "schedule.max_callback_attempts",
        "time_zone",
    }


def test_another_workspaces_line_is_not_there() -> None:
    api = Api(scope="admin")
    path = f"lines/{make_line().public_id}/"

    assert [api.get(path).status_code, api.patch(path, {"name": "x"}).status_code, api.delete(path).status_code] == [
        404,
        404,
        404,
    ]


def test_a_line_names_the_campaign_of_calls_that_come_in_and_only_one_of_its_workspace() -> None:
    api = Api(scope="admin")
    mine, theirs = make_campaign(api.workspace), make_campaign()
    line = make_line(api.workspace)

    taken = api.patch(f"lines/{line.public_id}/", {"inbound_campaign_id": mine.public_id})
    refused = api.patch(f"lines/{line.public_id}/", {"inbound_campaign_id": theirs.public_id})

    assert (taken.status_code, taken.json()["inbound_campaign_id"]) == (200, mine.public_id)
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["inbound_campaign_id"])


def test_calls_that_came_in_are_listed_apart() -> None:
    api = Api(scope="read")
    inbound = make_call(make_contact(api.workspace), direction="inbound", status="ended", outcome="answered")
    make_call(inbound.contact, status="ended")

    assert [row["id"] for row in api.get("inbound-calls/").json()["results"]] == [inbound.public_id]
