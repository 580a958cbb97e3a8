"""Campaigns over HTTP: from the draft to its end."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.models import Campaign, CampaignContact
from dialer.workspaces.clock import database_now
from tests.api.client import Api, error_of
from tests.factories import make_campaign, make_campaign_contact, make_contact, make_line, make_persona, make_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    made = Api()
    make_line(made.workspace, is_default=True)
    return made


def body(api: Api, **fields: Any) -> dict[str, Any]:
    return {"name": "Q1", "persona_id": make_persona(api.workspace).public_id, **fields}


def test_a_campaign_is_made_with_everything_that_may_be_said_of_it(api: Api) -> None:
    start_at = (database_now() + timedelta(days=1)).replace(microsecond=0)

    made = api.post(
        "campaigns/",
        body(
            api,
            **{"from": "+493012345678"},
            schedule={
                "callback_retry_schedule": [1, 2, 5],
                "calling_hours": {"start": "00:00", "end": "24:00"},
                "time_zone": "Europe/Berlin",
                "start_at": start_at.isoformat(),
            },
            pacing={"calls_per_second": 2, "max_concurrent_calls": 10},
            priority=5,
            contact_limits=[{"max": 3, "period_hours": 24}],
            metadata={"source": "crm"},
        ),
    )

    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["status"], shown["from"], shown["priority"]) == ("draft", "+493012345678", 5)
    assert shown["schedule"]["callback_retry_schedule"] == [1, 2, 5]
    assert shown["schedule"]["time_zone"] == "Europe/Berlin"
    assert shown["schedule"]["start_at"] == start_at.isoformat().replace("+00:00", "Z")
    assert shown["pacing"] == {"calls_per_second": 2.0, "max_concurrent_calls": 10}
    assert shown["contacts"] == {"submitted": 0, "added": 0, "duplicates": 0, "refused": []}
    assert api.get(f"campaigns/{shown['id']}/").json()["metadata"] == {"source": "crm"}


def test_every_field_at_fault_is_named_where_it_was_sent_and_nothing_is_stored(api: Api) -> None:
    answer = api.post(
        "campaigns/",
        {
            "name": "Q1",
            "persona_id": make_persona().public_id,
            "from": "+491",
            "schedule": {"callback_retry_schedule": [5, 43201], "time_zone": "Mars", "end_at": "2020-01-01T00:00:00Z"},
        },
    )

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {
        "persona_id",
        "from",
        "schedule.callback_retry_schedule.1",
        "schedule.time_zone",
        "schedule.end_at",
    }
    assert not Campaign.objects.exists()


def test_a_campaign_is_started_in_the_request_that_makes_it(api: Api) -> None:
    contact = make_contact(api.workspace)

    made = api.post("campaigns/", body(api, contact_ids=[contact.public_id, "ct_nobody"], auto_start=True)).json()

    assert made["status"] == "running"
    assert (made["contacts"]["added"], made["contacts"]["refused"][0]["index"]) == (1, 1)


def test_contacts_are_added_as_ids_and_objects_and_bad_ones_named(api: Api) -> None:
    campaign = make_campaign(api.workspace, status="draft")
    contact = make_contact(api.workspace)
    stranger = make_contact()

    answer = api.post(
        f"campaigns/{campaign.public_id}/contacts/",
        {
            "contacts": [
                contact.public_id,
                contact.public_id,
                stranger.public_id,
                {"name": "Jane", "phone": "+49301234567"},
                {"phone": "x"},
                {"phone": "+49301234568", "nick": "J"},
                7,
            ]
        },
    )

    assert answer.status_code == 200
    told = answer.json()
    assert (told["submitted"], told["added"], told["duplicates"]) == (7, 2, 1)
    assert [(bad["index"], bad["field"]) for bad in told["refused"]] == [
        (2, "contact_id"),
        (4, "phone"),
        (5, "nick"),
        (6, "contact"),
    ]


def test_a_campaign_is_started_paused_resumed_and_cancelled(api: Api) -> None:
    campaign = make_campaign(api.workspace, status="draft")
    make_campaign_contact(campaign)
    path = f"campaigns/{campaign.public_id}"

    assert api.post(f"{path}/start/").json()["status"] == "running"
    paused = api.post(f"{path}/pause/", {"reason": "lunch"}).json()
    assert (paused["status"], paused["pause_reason"], paused["touched"]["waiting"]) == ("paused", "lunch", 1)
    assert api.post(f"{path}/resume/", {"overdue": "reschedule"}).json()["status"] == "running"
    assert api.post(f"{path}/cancel/").json()["status"] == "cancelled"

    refused = api.post(f"{path}/start/")
    assert (refused.status_code, error_of(refused)["details"]) == (409, {"from": "cancelled", "to": "running"})
    assert CampaignContact.objects.get().state == "cancelled"


def test_a_campaign_without_contacts_does_not_start(api: Api) -> None:
    campaign = make_campaign(api.workspace, status="draft")

    answer = api.post(f"campaigns/{campaign.public_id}/start/")

    assert (answer.status_code, error_of(answer)["code"]) == (409, "campaign_not_startable")


def test_a_campaign_is_changed_by_what_is_named(api: Api) -> None:
    campaign = make_campaign(api.workspace, priority=3, time_zone="Europe/Berlin", schedule={"auto_callback": True})

    changed = api.patch(f"campaigns/{campaign.public_id}/", {"pacing": {"max_concurrent_calls": 4}}).json()

    assert changed["pacing"] == {"calls_per_second": None, "max_concurrent_calls": 4}
    assert (changed["priority"], changed["schedule"]["auto_callback"]) == (3, True)


def test_how_a_campaign_stands(api: Api) -> None:
    campaign = make_campaign(api.workspace)
    make_campaign_contact(campaign, state="reached", result="answered")
    make_campaign_contact(campaign, state="exhausted", result="busy")
    make_campaign_contact(campaign)

    stats = api.get(f"campaigns/{campaign.public_id}/stats/").json()

    assert (stats["total_contacts"], stats["completed"], stats["busy"], stats["open"]) == (3, 1, 1, 1)
    assert stats["connect_rate_percent"] == 33.3


def test_campaigns_are_listed_by_status_and_name(api: Api) -> None:
    make_campaign(api.workspace, name="B")
    make_campaign(api.workspace, name="A")
    make_campaign(api.workspace, name="C", status="draft")

    found = api.get("campaigns/", status="running", ordering="name").json()["results"]

    assert [row["name"] for row in found] == ["A", "B"]


RETRIES = {"number_of_retries": 2, "interval_mins": 30, "mechanism": "Linear", "on_status": ["busy", "no-answer"]}


def test_a_campaign_with_retries_and_send_at_uses_a_policy_with_these_rules(api: Api) -> None:
    send_at = (database_now() + timedelta(days=1)).replace(microsecond=0).isoformat()
    sent = body(api, schedule={"send_at": send_at}, retries=RETRIES)

    first, second = (api.post("campaigns/", {**sent, "name": name}).json() for name in ("Spring", "Summer"))

    assert first["retry_policy_id"] == second["retry_policy_id"]
    assert first["schedule"]["start_at"] == send_at.replace("+00:00", "Z")
    policy = api.get(f"retry-policies/{first['retry_policy_id']}/").json()
    rule = {"delays": [30], "limit": 2}
    assert (policy["name"], policy["rules"]) == ("Retries of Spring", {"no_answer": rule, "busy": rule})


def test_retries_of_a_campaign_do_not_take_a_name_that_is_in_use(api: Api) -> None:
    make_policy(api.workspace, name="Retries of Spring")

    made = api.post("campaigns/", body(api, name="Spring", retries=RETRIES)).json()

    policy = api.get(f"retry-policies/{made['retry_policy_id']}/").json()
    assert policy["name"] == "Retries of Spring 2"


def test_retries_contradict_a_policy(api: Api) -> None:
    policy = make_policy(api.workspace)

    refused = api.post("campaigns/", body(api, retries=RETRIES, retry_policy_id=policy.public_id))

    assert (refused.status_code, list(error_of(refused)["fields"])) == (400, ["retries"])
    assert not Campaign.objects.exists()
