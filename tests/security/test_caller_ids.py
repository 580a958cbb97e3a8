"""Whose number it is: one workspace's, and calls and texts to it go nowhere else."""

import pytest
from django.urls import reverse

from dialer.dialing import carrier_reports
from dialer.messages import reports as message_reports
from dialer.models import Call, CarrierEvent, Line, Message
from dialer.workspaces.models import AuditEntry
from tests.admin.people import browser_of
from tests.api.client import Api, error_of
from tests.factories import NOW, make_call, make_contact, make_line, make_persona, make_workspace
from tests.security.forgeries import a_ring, a_text

pytestmark = pytest.mark.django_db

VICTIMS_NUMBER = "+442079460001"


def test_a_number_that_another_workspace_has_cannot_be_claimed() -> None:
    make_line(make_workspace(name="Victim Ltd"), caller_ids=[VICTIMS_NUMBER])
    attacker = Api(scope="admin")
    line = make_line(attacker.workspace, caller_ids=["+493011111111"])

    made = attacker.post("lines/", {"name": "Mine", "caller_ids": ["+493022222222", "0044 20 79460001"[2:]]})
    changed = attacker.patch(f"lines/{line.public_id}/", {"caller_ids": [VICTIMS_NUMBER]})

    for refused in (made, changed):
        assert refused.status_code == 400
        assert set(error_of(refused)["fields"]) == {"caller_ids"}
        assert "is in use" in error_of(refused)["fields"]["caller_ids"][0]
        assert "Victim" not in refused.content.decode()
    line.refresh_from_db()
    assert line.caller_ids == ["+493011111111"]
    assert Line.objects.in_workspace(attacker.workspace.pk).count() == 1
    assert not AuditEntry.objects.filter(object_type="line").exists()


def test_the_admin_site_refuses_a_number_in_use_beside_the_field() -> None:
    make_line(make_workspace(), caller_ids=[VICTIMS_NUMBER])
    workspace = make_workspace()
    form = {
        "workspace": workspace.pk,
        "name": "Mine",
        "carrier": "simulated",
        "numbers": VICTIMS_NUMBER,
        "new_credentials": "",
        "ring_timeout_seconds": "30",
        "max_duration_seconds": "3600",
    }

    answer = browser_of(workspace).post(reverse("admin:dialer_line_add"), form)

    assert "is in use" in answer.content.decode()
    assert Line.objects.count() == 1


def test_a_row_that_claims_anothers_number_hears_no_call_to_it() -> None:
    """An older row, as an earlier release let it be stored: the oldest line used to win."""
    attackers, victims = make_workspace(), make_workspace()
    for workspace in (attackers, victims):
        make_persona(workspace)
    older = make_line(attackers, caller_ids=[])
    make_line(victims, caller_ids=[VICTIMS_NUMBER])
    Line.objects.filter(pk=older.pk).update(caller_ids=[VICTIMS_NUMBER])
    make_call(make_contact(attackers, phone="+493099999999"), line=older, status="ended")

    carrier_reports.store("simulated", [a_ring(VICTIMS_NUMBER)])
    carrier_reports.apply_stored(limit=10, now=NOW)
    message_reports.apply("simulated", [a_text(VICTIMS_NUMBER)], now=NOW)

    assert Call.objects.get(direction="inbound").workspace_id == victims.pk
    assert Message.objects.get().workspace_id == victims.pk


def test_a_number_that_nobody_has_is_nobodys_where_there_are_several_workspaces() -> None:
    workspace, _ = make_workspace(), make_workspace()
    make_persona(workspace)
    make_line(workspace, caller_ids=[VICTIMS_NUMBER])

    carrier_reports.store("simulated", [a_ring("+442079460999")])
    carrier_reports.apply_stored(limit=10, now=NOW)
    message_reports.apply("simulated", [a_text("+442079460999")], now=NOW)

    assert not Call.objects.exists()
    assert not Message.objects.exists()
    assert CarrierEvent.objects.get().note == "no line has the number that was called"


def test_the_only_workspaces_only_line_takes_calls_to_a_number_it_does_not_show() -> None:
    workspace = make_workspace()
    make_persona(workspace)
    line = make_line(workspace, caller_ids=[])

    carrier_reports.store("simulated", [a_ring("030 4000")])
    carrier_reports.apply_stored(limit=10, now=NOW)

    assert Call.objects.get().line_id == line.pk


def test_a_number_is_not_answered_over_a_carrier_that_its_owner_has_no_line_of() -> None:
    workspace = make_workspace()
    make_persona(workspace)
    make_line(workspace, caller_ids=[VICTIMS_NUMBER])

    carrier_reports.store("vendor", [a_ring(VICTIMS_NUMBER)])
    carrier_reports.apply_stored(limit=10, now=NOW)

    assert not Call.objects.exists()


def test_a_campaign_cannot_show_a_number_that_another_workspace_has() -> None:
    make_line(make_workspace(), caller_ids=[VICTIMS_NUMBER])
    api = Api()
    line = make_line(api.workspace, caller_ids=[])
    persona = make_persona(api.workspace)
    body = {"name": "Spoof", "persona_id": persona.public_id, "line_id": line.public_id}

    refused = api.post("campaigns/", {**body, "from": VICTIMS_NUMBER})

    assert (refused.status_code, error_of(refused)["fields"]) == (400, {"from": ["is in use"]})
