"""One active callback per contact and campaign, over HTTP: what a promise replaces, and how its time moves."""

from datetime import timedelta
from typing import Any

import pytest

from callbacks.models import Callback
from dialer.models import Call
from dialer.workspaces.models import Workspace
from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import live_call, make_callback, open_campaign, soon
from tests.factories import make_call, make_campaign_contact, make_workspace
from webhooks.models import Event

pytestmark = pytest.mark.django_db


def ask(api: Api, pending: Callback, kind: str, **fields: Any) -> Answer:
    assert pending.campaign is not None
    body = {
        "contact_id": pending.contact.public_id,
        "campaign_id": pending.campaign.public_id,
        "type": kind,
        "scheduled_at": soon(hours=2).isoformat(),
        **fields,
    }
    return api.post("callbacks/", body)


def pending(workspace: Workspace, kind: str = "auto_retry") -> Callback:
    return make_callback(open_campaign(workspace), at=soon(hours=1), kind=kind)


def test_a_requested_callback_supersedes_a_pending_retry_and_says_which() -> None:
    api = Api()
    retry = pending(api.workspace)

    answer = ask(api, retry, "customer_requested")

    assert answer.status_code == 201, answer.content
    assert answer.json()["superseded_id"] == retry.pk
    retry.refresh_from_db()
    assert retry.status == "superseded"
    assert Call.objects.get(pk=retry.call_id).status == "withdrawn"
    told = list(Event.objects.order_by("sequence").values_list("type", flat=True))
    assert told == ["callback.superseded", "callback.scheduled"]


def test_a_second_request_replaces_the_first_and_says_so() -> None:
    api = Api()
    first = pending(api.workspace, "customer_requested")

    assert ask(api, first, "customer_requested").json()["superseded_id"] == first.pk


@pytest.mark.parametrize("kind", ["customer_requested", "manual"])
def test_a_manual_one_never_replaces_a_promise_and_the_conflict_names_it(kind: str) -> None:
    api = Api()
    promise = pending(api.workspace, kind)

    for replace in (False, True):
        refused = ask(api, promise, "manual", replace=replace)
        assert refused.status_code == 409
        assert error_of(refused)["code"] == "already_pending"
        assert error_of(refused)["details"] == {"callback_id": promise.pk}


def test_a_request_in_a_call_supersedes_the_pending_retry_of_its_campaign() -> None:
    api = Api()
    call = live_call(open_campaign(api.workspace))

    made = api.post(f"calls/{call.public_id}/request-callback/", {"scheduled_at": soon(hours=1).isoformat()}).json()
    again = api.post(f"calls/{call.public_id}/request-callback/", {"scheduled_at": soon(hours=2).isoformat()}).json()

    assert (made["superseded_id"], again["superseded_id"]) == (None, made["id"])
    assert Callback.objects.filter(status="pending").count() == 1


def test_a_contact_limit_moves_a_promise_too_and_the_answer_says_from_when_and_why() -> None:
    api = Api(make_workspace(contact_limits=[{"max": 1, "period_hours": 24, "scope": "number"}]))
    campaign = open_campaign(api.workspace)
    member = make_campaign_contact(campaign, state="exhausted")
    called_at = soon(hours=-1)
    make_call(campaign_contact=member, status="ended", dialing_at=called_at, ended_at=called_at)
    wanted = soon(hours=2)
    body = {"contact_id": member.contact.public_id, "campaign_id": campaign.public_id, "type": "customer_requested"}

    row = api.post("callbacks/", {**body, "scheduled_at": wanted.isoformat()}).json()

    assert (row["adjusted_reason"], row["adjusted_from"]) == (
        "contact_limit",
        wanted.isoformat().replace("+00:00", "Z"),
    )
    assert row["scheduled_at"] >= (called_at + timedelta(hours=24)).isoformat().replace("+00:00", "Z")
    assert [step["code"] for step in row["explanation"]] == ["requested", "contact_limit"]


def test_force_keeps_the_time_exactly() -> None:
    api = Api(scope="admin")
    hour = soon(hours=6).hour
    closed = {"calling_hours": {"start": f"{(hour + 5) % 22:02d}:00", "end": f"{(hour + 5) % 22 + 1:02d}:00"}}
    campaign = open_campaign(api.workspace, schedule=closed)
    member = make_campaign_contact(campaign)
    wanted = soon(hours=6)
    forced = {"force": ["outside_window"], "reason": "She works at night"}
    body = {"contact_id": member.contact.public_id, "campaign_id": campaign.public_id, "type": "customer_requested"}

    row = api.post("callbacks/", {**body, **forced, "scheduled_at": wanted.isoformat()}).json()

    assert (row["scheduled_at"], row["adjusted_reason"]) == (wanted.isoformat().replace("+00:00", "Z"), None)
    assert row["explanation"][-1]["code"] == "forced"
