"""Calls over HTTP, and what the voice agent tells."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from dialer.dialing import hanging_up
from dialer.models import Call, Suppression
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry
from tests.api.client import Api, error_of
from tests.broker import Broker, broker
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_contact,
    make_line,
    make_persona,
    make_suppression,
    make_workspace,
)
from tests.in_process_carrier import in_process_carrier
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db
__all__ = ["broker"]


@pytest.fixture
def api() -> Api:
    made = Api(make_workspace(schedule=ROUND_THE_CLOCK))
    make_line(made.workspace, is_default=True)
    make_persona(made.workspace)
    return made


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=2)).isoformat()


def a_call(api: Api, **fields: Any) -> Call:
    return make_call(make_contact(api.workspace), **fields)


def test_a_call_is_queued_for_a_number_with_settings_of_its_own(api: Api) -> None:
    made = api.post(
        "calls/",
        {
            "contact": {"name": "Jane", "phone": "+49301234567"},
            "call": {"callback_retry_schedule": [5, 15], "day_selection_mode": "all_days"},
            "metadata": {"order": 7},
        },
    )

    assert made.status_code == 201, made.content
    shown = made.json()
    assert (shown["status"], shown["number"], shown["campaign_id"]) == ("queued", "+49301234567", None)
    assert shown["call"]["callback_retry_schedule"] == [5, 15]
    assert (shown["adjusted_from"], shown["metadata"]) == (None, {"order": 7})


_SECRET = "hush"  # noqa: S105
_HOOK = {"url": "https://9.9.9.9/hook", "events": ["call.ended"], "secret": _SECRET}


@pytest.mark.parametrize(
    ("webhook", "at_fault"),
    [
        ({}, {"url", "events", "secret"}),
        ({**_HOOK, "url": "ftp://9.9.9.9/hook"}, {"url"}),
        ({**_HOOK, "url": "http://10.0.0.1/hook"}, {"url"}),
        ({**_HOOK, "url": "http://[::ffff:10.0.0.1]/hook"}, {"url"}),
        ({**_HOOK, "events": ["call.begun"]}, {"events"}),
        ({**_HOOK, "events": ["CallComplete"]}, {"events"}),
        ({**_HOOK, "profile": "status"}, {"profile"}),
        ({**_HOOK, "secret": None}, {"secret"}),
        ({**_HOOK, "secret": "a\nb"}, {"secret"}),
        ({**_HOOK, "signing_method": "none"}, {"secret"}),
        ({**_HOOK, "colour": "red", "name": "CRM"}, {"colour", "name"}),
        ({**_HOOK, "timeout_ms": 100}, {"timeout_seconds"}),
        ({**_HOOK, "timeout_ms": 10**400}, {"timeout_seconds"}),
        ({**_HOOK, "timeout_seconds": 10**400}, {"timeout_seconds"}),
        ({**_HOOK, "timeout_ms": 1000, "timeout_seconds": 1}, {"timeout_ms"}),
        ({**_HOOK, "custom_headers": {"Host": "x"}}, {"custom_headers"}),
    ],
)
def test_a_webhook_given_with_a_call_is_checked_like_an_endpoint(
    api: Api, webhook: dict[str, Any], at_fault: set[str]
) -> None:
    refused = api.post("calls/", {"contact": {"phone": "+49301234567"}, "config": {"webhooks": [_HOOK, webhook]}})

    assert refused.status_code == 400
    assert set(refused.json()["error"]["fields"]) == {f"config.webhooks.1.{name}" for name in at_fault}
    assert not Call.objects.exists()
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("webhooks", ["x", {"url": "https://9.9.9.9/"}, [_HOOK] * 21, ["https://9.9.9.9/"]])
def test_webhooks_of_a_call_that_are_no_list_of_a_few_objects_are_refused(api: Api, webhooks: object) -> None:
    refused = api.post("calls/", {"contact": {"phone": "+49301234567"}, "config": {"webhooks": webhooks}})

    assert refused.status_code == 400
    assert all(path.startswith("config.webhooks") for path in refused.json()["error"]["fields"])


def test_webhooks_of_a_call_are_shown_without_their_secret_and_stored_encrypted(api: Api) -> None:
    made = api.post("calls/", {"contact": {"phone": "+49301234567"}, "config": {"webhooks": [_HOOK]}})

    assert made.status_code == 201, made.content
    shown = {"url": _HOOK["url"], "events": ["call.ended"], "profile": "envelope", "signing_method": "hmac_sha256"}
    assert made.json()["config"] == {"webhooks": [shown]}
    assert _SECRET not in str(Call.objects.get().config_webhooks)
    assert Endpoint.objects.get().secret == _SECRET
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_endpoint")
        assert _SECRET.encode() not in bytes(cursor.fetchone()[0])
    assert api.get("webhooks/").json()["results"] == []
    assert api.get(f"webhooks/{Endpoint.objects.get().public_id}/").status_code == 404


def test_a_call_outside_the_window_says_where_it_was_moved(api: Api) -> None:
    contact = make_contact(api.workspace)

    # One minute a week is open: hardly ever the one in which this runs.
    made = api.post(
        "calls/",
        {
            "contact_id": contact.public_id,
            "call": {"calling_hours": {"sun": [{"start": "03:00", "end": "03:01"}]}},
        },
    ).json()

    assert made["adjusted_reason"] == "outside_window"
    assert made["adjusted_from"] < made["due_at"]


def test_a_suppressed_number_is_a_conflict(api: Api) -> None:
    contact = make_contact(api.workspace)
    make_suppression(api.workspace, contact.phone)

    answer = api.post("calls/", {"contact_id": contact.public_id})

    assert (answer.status_code, error_of(answer)["code"]) == (409, "contact_suppressed")


@pytest.mark.parametrize(
    ("sent", "at_fault"),
    [
        ({}, {"contact_id"}),
        ({"contact": {"phone": "12"}}, {"contact.phone"}),
        (
            {"contact": {"phone": "+49301234567"}, "call": {"max_callback_attempts": True}},
            {"call.max_callback_attempts"},
        ),
        ({"contact": {"phone": "+49301234567"}, "scheduled_at": "2030-01-01T10:00:00"}, {"scheduled_at"}),
        ({"contact": {"phone": "+49301234567"}, "config": {"hooks": []}}, {"config.hooks"}),
        ({"contact": {"phone": "+49301234567"}, "force": True}, {"force"}),
    ],
)
def test_a_bad_call_is_told_field_by_field_and_nothing_is_stored(
    api: Api, sent: dict[str, Any], at_fault: set[str]
) -> None:
    answer = api.post("calls/", sent)

    assert (answer.status_code, set(error_of(answer)["fields"])) == (400, at_fault)
    assert not Call.objects.exists()


def test_calls_are_listed_by_what_is_asked_for_without_their_talk(api: Api) -> None:
    campaign = make_campaign(api.workspace)
    wanted = make_call(make_contact(api.workspace), campaign=campaign, status="ended", outcome="busy", transcript="…")
    a_call(api, status="ended", outcome="busy")

    found = api.get("calls/", campaign_id=campaign.public_id, outcome="busy").json()["results"]

    assert [row["id"] for row in found] == [wanted.public_id]
    assert "transcript" not in found[0]
    assert api.get(f"calls/{wanted.public_id}/").json()["transcript"] == "…"


def test_a_withdrawn_call_can_be_read_and_is_listed_only_by_its_status(api: Api) -> None:
    call = a_call(api, status="withdrawn", held_reason="superseded")

    shown = api.get(f"calls/{call.public_id}/").json()
    assert (shown["status"], shown["held_reason"]) == ("withdrawn", "superseded")
    assert api.get("calls/").json()["results"] == []
    assert [row["id"] for row in api.get("calls/", status="withdrawn").json()["results"]] == [call.public_id]


@pytest.mark.parametrize("how", ["suppressed", "contact_deleted"])
def test_the_end_of_a_call_that_was_accepted_can_be_read_and_is_told_to_its_own_webhook(api: Api, how: str) -> None:
    contact = make_contact(api.workspace)
    hook = {"url": "https://9.9.9.9/mine", "events": ["call.ended", "call.exhausted"], "signing_method": "none"}
    sent = {"contact_id": contact.public_id, "config": {"webhooks": [hook]}}
    call_id = api.post("calls/", sent).json()["id"]

    if how == "suppressed":
        assert api.post("suppressions/", {"phone": contact.phone}).status_code == 201
    else:
        assert api.delete(f"contacts/{contact.public_id}/").status_code == 204

    shown = api.get(f"calls/{call_id}/").json()
    assert (shown["status"], shown["outcome"], shown["held_reason"]) == ("ended", "cancelled", how)
    told = Delivery.objects.order_by("event_id").values_list("event__type", flat=True)
    assert list(told) == ["call.ended", "call.exhausted"]


def test_the_call_of_a_cancelled_callback_can_be_read(api: Api) -> None:
    asked = {"contact_id": make_contact(api.workspace).public_id, "scheduled_at": _soon()}
    callback = api.post("callbacks/", asked).json()

    assert api.post(f"callbacks/{callback['id']}/cancel/").status_code == 200

    shown = api.get(f"calls/{callback['call_id']}/").json()
    assert (shown["status"], shown["held_reason"]) == ("withdrawn", "cancelled")


def test_a_queued_call_is_cancelled_at_once_and_only_once(api: Api) -> None:
    call = a_call(api)

    cancelled = api.post(f"calls/{call.public_id}/cancel/", {"reason": "changed my mind"}).json()
    again = api.post(f"calls/{call.public_id}/cancel/")

    assert (cancelled["status"], cancelled["outcome"]) == ("ended", "cancelled")
    assert (again.status_code, error_of(again)["code"]) == (409, "conflict")
    assert AuditEntry.objects.get(verb="cancel").reason == "changed my mind"


@pytest.mark.django_db(transaction=True)
def test_the_answer_to_the_cancel_of_a_live_call_does_not_wait_for_the_carrier(api: Api) -> None:
    call = a_call(api, status="ringing")

    with in_process_carrier() as carrier:
        cancelled = api.post(f"calls/{call.public_id}/cancel/").json()
        assert carrier.hung_up == []

        hanging_up.ask_due(limit=10, now=database_now())

    assert (cancelled["status"], cancelled["hanging_up"]) == ("ringing", True)
    assert carrier.hung_up == [call.pk]


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_told_at_once_of_a_live_call_that_was_cancelled(api: Api, broker: Broker) -> None:
    queued, live = a_call(api), a_call(api, status="ringing")

    for call in (queued, live):
        assert api.post(f"calls/{call.public_id}/cancel/").status_code == 200

    assert [message.task for message in broker.take("dial")] == ["dialer.hang_up"]


def test_a_wish_not_to_be_called_suppresses_the_number(api: Api) -> None:
    call = a_call(api, status="in_progress", answered_at=NOW)

    assert api.post(f"calls/{call.public_id}/request-dnc/").status_code == 200
    assert Suppression.objects.get().phone == call.contact.phone


def test_a_recording_is_kept(api: Api) -> None:
    call = a_call(api, status="ended", outcome="answered")
    path = f"calls/{call.public_id}/recording/"

    kept = api.post(path, {"transcript": "Hello", "recording_url": "https://example.com/1.mp3"}).json()

    assert (kept["transcript"], kept["recording_url"]) == ("Hello", "https://example.com/1.mp3")
    assert api.post(path, {"recording_url": "ftp://example.com/1.mp3"}).status_code == 400


def test_an_analysis_is_taken_once_unless_it_replaces(api: Api) -> None:
    call = a_call(api, status="ended", outcome="answered")
    path = f"calls/{call.public_id}/analysis/"
    analysis = {
        "summary": "Interested.",
        "outcome_id": "interested",
        "score": 80,
        "structured_data": {"budget": 5},
        "flow": "sales",
        "flow_completed": True,
        "last_step_name": "goodbye",
        "requests": [{"name": "callback"}],
        "in_call_tools": [],
        "post_call_actions": [],
    }

    assert api.post(path, analysis).json()["analysis"] == analysis
    refused = api.post(path, analysis)
    assert (refused.status_code, error_of(refused)["code"]) == (409, "already_analyzed")
    assert api.post(path, {"score": 1, "replace": True}).json()["analysis"] == {"score": 1}
    assert api.get(f"contacts/{call.contact.public_id}/").json()["status"] == "interested"


def test_a_call_under_one_idempotency_key_is_made_once(api: Api) -> None:
    sent = {"contact_id": make_contact(api.workspace).public_id}

    first = api.post("calls/", sent, idempotency_key="order-7")
    again = api.post("calls/", sent, idempotency_key="order-7")

    assert (again.json(), again.status_code) == (first.json(), 201)
    assert Call.objects.count() == 1
