"""Reports of carriers over HTTP: only signed ones are kept, each once."""

import json
import time
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from dialer.carriers.simulation.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from dialer.contacts import contacts
from dialer.dialing import carrier_reports
from dialer.models import Call, CarrierEvent
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.ids import new_id
from tests.factories import NOW, make_campaign

SECRET = "a secret of the carrier"  # noqa: S105 — a test's

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secret(settings: Settings) -> None:
    settings.SIMULATED_CARRIER_SECRET = SECRET


def report(call_id: UUID, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "ringing",
        "event_id": "ev_1",
        "call_id": str(call_id),
        "carrier_call_id": "cc_1",
        "occurred_at": "2025-03-12T10:00:00+00:00",
        **fields,
    }


def send(*reports: dict[str, Any], secret: str = SECRET, at: float | None = None) -> Any:
    body = json.dumps({"reports": reports}).encode()
    timestamp = str(int(time.time() if at is None else at))
    return Client(enforce_csrf_checks=True).post(
        "/carriers/simulated/",
        body,
        content_type="application/json",
        headers={TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature(secret, timestamp, body)},
    )


def test_a_signed_report_is_stored_without_a_key_or_a_cookie() -> None:
    call_id = new_id()

    answer = send(report(call_id))

    assert (answer.status_code, answer.json()) == (200, {"stored": 1})
    stored = CarrierEvent.objects.get()
    assert (stored.call_id, stored.kind, stored.applied_at) == (call_id, "ringing", None)
    assert stored.occurred_at == datetime.fromisoformat("2025-03-12T10:00:00+00:00")


def test_a_report_that_comes_twice_is_stored_once() -> None:
    call_id = new_id()
    send(report(call_id))

    assert send(report(call_id)).json() == {"stored": 0}
    assert CarrierEvent.objects.count() == 1


def test_a_report_with_another_signature_is_refused_and_not_stored() -> None:
    assert send(report(new_id()), secret="another").status_code == 401  # noqa: S106
    assert not CarrierEvent.objects.exists()


def test_a_report_that_was_signed_long_ago_is_refused() -> None:
    assert send(report(new_id()), at=time.time() - 3600).status_code == 401


def test_a_carrier_that_nobody_knows_is_not_found() -> None:
    assert Client().post("/carriers/nobody/", b"{}", content_type="application/json").status_code == 404


def test_reports_are_posted() -> None:
    assert Client().get("/carriers/simulated/").status_code == 405


def test_a_report_of_a_call_that_came_in_becomes_a_call_and_is_forgotten_with_its_contact() -> None:
    campaign = make_campaign()
    shown = campaign.line.caller_ids[0]
    ring = report(new_id(), direction="inbound", **{"from": "+49307654321", "to": shown})

    assert send(ring).json() == {"stored": 1}
    carrier_reports.apply_stored(limit=10, now=NOW)

    call = Call.objects.get()
    assert (call.direction, call.number, call.caller_id) == ("inbound", "+49307654321", shown)
    assert CarrierEvent.objects.get().call_id == call.pk
    Call.objects.update(status="ended", outcome="answered", ended_at=NOW)
    contacts.delete(call.contact_id, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)
    assert "7654321" not in json.dumps(CarrierEvent.objects.values("facts", "raw").get())
