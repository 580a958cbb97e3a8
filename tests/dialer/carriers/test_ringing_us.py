"""Somebody rings through the simulated carrier: signed reports over HTTP, and no call back to whoever was talked to."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from callbacks.models import Callback
from dialer.dialing import carrier_reports
from dialer.models import Call, CarrierEvent
from dialer.workspaces.clock import database_now
from tests.admin.people import make_callback
from tests.config.processes import eventually
from tests.factories import make_workspace
from tests.simulated_carrier import SECRET, StartCarrier

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("talk", "status"), [(12, "completed"), (None, "pending")])
def test_a_contact_who_rings_us_and_talks_needs_no_retry(
    talk: int | None, status: str, start_carrier: StartCarrier, live_server: Any, settings: Settings
) -> None:
    settings.SIMULATED_CARRIER_SECRET = SECRET
    carrier = start_carrier(report_url=f"{live_server.url}/carriers/simulated/")
    retry = make_callback(make_workspace(), late=timedelta(minutes=1))
    ring = {"from": retry.contact.phone, "to": retry.call.line.caller_ids[0], "talk_seconds": talk}
    # Made by hand in one instant with what it waits for, which must be older than the call.
    Callback.objects.update(created_at=database_now() - timedelta(hours=1))

    assert carrier.request("POST", "/inbound", json=ring).status_code == 202
    count = 2 if talk is None else 3
    eventually(lambda: CarrierEvent.objects.count() == count, what="the carrier reports the whole call")
    carrier_reports.apply_stored(limit=10, now=database_now())

    call = Call.objects.get(direction="inbound")
    assert (call.status, call.outcome) == ("ended", "no_answer" if talk is None else "answered")
    retry.refresh_from_db()
    assert (retry.status, retry.completed_by) == (status, "inbound_call" if talk else "")
