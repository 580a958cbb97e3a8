"""Text messages over HTTP: sent by programs, reported by the simulated carrier, a process of its own."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from dialer.carriers.simulation.ledger import Text, entries
from dialer.messages import messages
from dialer.models import Message, Suppression
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.api.client import Api, error_of
from tests.dialer.carriers.receiver import Receiver, receiving
from tests.factories import make_contact, make_line, make_message, make_suppression
from tests.simulated_carrier import RunningCarrier, StartCarrier

pytestmark = pytest.mark.django_db(transaction=True)

OURS = "+493012345678"


@pytest.fixture
def receiver() -> Any:
    with receiving() as listening:
        yield listening


def line_over(carrier: RunningCarrier, workspace: Workspace, settings: Settings) -> None:
    settings.SIMULATED_CARRIER_URL = carrier.url
    settings.SIMULATED_CARRIER_SECRET = carrier.secret
    make_line(workspace, is_default=True, caller_ids=[OURS])


def deliver(receiver: Receiver) -> list[dict[str, Any]]:
    """Hand what the carrier reported to our own route, byte for byte; return the reports."""
    taken = receiver.wait_for(bool)
    for request in taken:
        assert request.path.endswith("/messages/")
        answer = Client().post(
            "/carriers/simulated/messages/", request.body, content_type="application/json", headers=request.headers
        )
        assert answer.status_code == 200, answer.content
    return [entry for request in taken for entry in request.content["reports"]]


def send_all() -> int:
    return messages.send_due(limit=10, now=database_now() + timedelta(seconds=1))


def test_a_message_goes_through_the_carrier_and_its_arrival_comes_back(
    start_carrier: StartCarrier, receiver: Receiver, settings: Settings
) -> None:
    carrier = start_carrier(report_url=receiver.url)
    api = Api()
    line_over(carrier, api.workspace, settings)
    body = {"contact": {"name": "Jane", "phone": "+493055500000"}, "body": "Grüße, bis fünf!", "metadata": {"a": 1}}

    made = api.post("messages/", body)
    send_all()
    (report,) = deliver(receiver)

    assert made.status_code == 201
    assert made.json()["status"] == "queued"
    shown = api.get(f"messages/{made.json()['id']}/").json()
    assert (shown["status"], shown["segments"], shown["metadata"]) == ("delivered", 1, {"a": 1})
    assert report["kind"] == "delivered"
    assert [row["id"] for row in api.get("messages/", status="delivered").json()["results"]] == [shown["id"]]


@pytest.mark.parametrize(
    ("number", "status", "failure"),
    [
        ("+493055500004", "failed", "there is no such number"),
        ("+493055500016", "unknown", "HTTP 500"),
        ("+493055500011", "queued", "capacity_once"),
    ],
)
def test_numbers_follow_their_scripts_and_the_ledger_shows_one_request_each(
    start_carrier: StartCarrier, settings: Settings, number: str, status: str, failure: str
) -> None:
    carrier = start_carrier()
    api = Api()
    line_over(carrier, api.workspace, settings)
    api.post("messages/", {"contact": {"phone": number}, "body": "Hello"})

    send_all()

    message = Message.objects.get()
    assert (message.status, message.failure) == (status, failure)
    asked = [entry for entry in entries(carrier.ledger) if isinstance(entry, Text)]
    assert [entry.message_id for entry in asked] == [str(message.pk)]


def test_the_carrier_takes_a_message_once_however_often_it_is_asked_also_after_a_restart(
    start_carrier: StartCarrier,
) -> None:
    carrier = start_carrier()
    body = {
        "message_id": "01957a3c-0000-7000-8000-000000000001",
        "to": "+493055500000",
        "from": OURS,
        "body": "Hello",
    }

    first = carrier.request("POST", "/messages", json=body)
    carrier.kill()
    carrier.start()
    second = carrier.request("POST", "/messages", json=body)

    assert (first.status_code, second.status_code) == (201, 409)


def test_what_somebody_writes_to_us_arrives_and_stop_suppresses(
    start_carrier: StartCarrier, receiver: Receiver, settings: Settings
) -> None:
    carrier = start_carrier(report_url=receiver.url)
    api = Api()
    line_over(carrier, api.workspace, settings)
    contact = make_contact(api.workspace)

    answer = carrier.request("POST", "/inbound-messages", json={"from": contact.phone, "to": OURS, "body": "STOP"})
    deliver(receiver)
    deliver(receiver)

    assert answer.status_code == 202
    (shown,) = api.get("messages/", direction="inbound").json()["results"]
    assert (shown["contact_id"], shown["body"], shown["status"]) == (contact.public_id, "STOP", "received")
    assert Suppression.objects.get().reason == "stop_message"


def test_a_report_that_is_not_signed_changes_nothing() -> None:
    message = make_message()
    report = {
        "kind": "delivered",
        "message_id": str(message.pk),
        "carrier_message_id": "x",
        "occurred_at": "2025-01-01T00:00:00Z",
    }

    answer = Client().post(
        "/carriers/simulated/messages/", json.dumps({"reports": [report]}), content_type="application/json"
    )

    message.refresh_from_db()
    assert (answer.status_code, message.status) == (401, "sent")
    assert Client().post("/carriers/nobody/messages/", "{}", content_type="application/json").status_code == 404


def test_whoever_is_not_to_be_called_is_refused_with_a_conflict() -> None:
    api = Api()
    make_line(api.workspace, is_default=True, caller_ids=[OURS])
    make_suppression(api.workspace, "+493055500001")

    answer = api.post("messages/", {"contact": {"phone": "+493055500001"}, "body": "Hello"})

    assert answer.status_code == 409
    assert error_of(answer)["code"] == "contact_suppressed"
    assert not Message.objects.exists()


def test_what_is_no_message_is_refused_by_its_field() -> None:
    api = Api()
    make_line(api.workspace, is_default=True, caller_ids=[OURS])

    answer = api.post("messages/", {"body": "Hello"})

    assert answer.status_code == 400
    assert "contact_id" in error_of(answer)["fields"]
