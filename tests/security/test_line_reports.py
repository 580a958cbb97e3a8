"""A carrier with an account per line: what an account says counts for its own line alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from dialer.carriers.base import Found
from dialer.dialing import carrier_reports, reconciliation
from dialer.models import Call, CarrierEvent, Line, Message
from tests.factories import NOW, make_call, make_contact, make_line, make_message, make_persona, make_workspace
from tests.in_process_carrier import InProcessCarrier, ended
from tests.pipeline import carrier

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

TOKEN = "the line's own"  # noqa: S105 — guards nothing
OTHERS_NUMBER = "+442079460001"


@pytest.fixture(autouse=True)
def _vendor(settings: Settings) -> None:
    settings.CARRIERS = {**settings.CARRIERS, "vendor": "tests.in_process_carrier.VendorAdapter"}


def a_line(token: str = TOKEN, **fields: Any) -> Line:
    return make_line(carrier="vendor", credentials=f'{{"token": "{token}"}}', **fields)


def a_live_call(line: Line) -> Call:
    contact = make_contact(line.workspace)
    return make_call(contact, line=line, status="dialing", dialing_at=NOW, number=contact.phone)


def an_end(call: Call, outcome: str = "busy", event_id: str = "e-1") -> dict[str, Any]:
    return {
        "kind": "ended",
        "event_id": event_id,
        "call_id": str(call.pk),
        "carrier_call_id": "c-1",
        "occurred_at": NOW.isoformat(),
        "outcome": outcome,
    }


def tell(address: str, *reports: dict[str, Any], token: str = TOKEN) -> Any:
    answer = Client().post(
        f"/carriers/{address}/", {"reports": reports}, content_type="application/json", headers={"X-Token": token}
    )
    carrier_reports.apply_stored(limit=100, now=NOW + timedelta(seconds=1))
    return answer


def test_an_account_ends_a_call_over_its_own_line() -> None:
    line = a_line()
    call = a_live_call(line)

    answer = tell(f"vendor/{line.public_id}", an_end(call))

    assert (answer.status_code, answer.json()) == (200, {"stored": 1})
    assert Call.objects.get(pk=call.pk).outcome == "busy"


def test_an_account_ends_no_call_over_another_line_of_its_carrier() -> None:
    attackers, victims = a_line(), a_line("the victim's")
    call = a_live_call(victims)

    answer = tell(f"vendor/{attackers.public_id}", an_end(call, "dnc_request"))

    assert answer.status_code == 200
    assert Call.objects.get(pk=call.pk).status == "dialing"
    assert CarrierEvent.objects.get().note == "is of a call over another line"


def test_the_token_of_one_line_signs_nothing_at_the_address_of_another() -> None:
    a_line()
    victims = a_line("the victim's")
    call = a_live_call(victims)

    answer = tell(f"vendor/{victims.public_id}", an_end(call))

    assert answer.status_code == 401
    assert not CarrierEvent.objects.exists()
    assert Call.objects.get(pk=call.pk).status == "dialing"


def test_two_accounts_may_give_their_reports_the_same_id() -> None:
    lines = [a_line(), a_line()]
    calls = [a_live_call(line) for line in lines]

    for line, call in zip(lines, calls, strict=True):
        assert tell(f"vendor/{line.public_id}", an_end(call)).json() == {"stored": 1}
        assert tell(f"vendor/{line.public_id}", an_end(call)).json() == {"stored": 0}

    assert [Call.objects.get(pk=call.pk).outcome for call in calls] == ["busy", "busy"]


def test_an_address_that_is_no_lines_of_the_carrier_is_not_found() -> None:
    vendors, installations = a_line(), make_line()
    closed = a_line(workspace=make_workspace(closed_at=NOW))

    for address in (
        "vendor",
        f"vendor/{installations.public_id}",
        f"simulated/{installations.public_id}",
        f"simulated/{vendors.public_id}",
        f"vendor/{closed.public_id}",
        "vendor/line_0",
        "vendor/nobody",
    ):
        assert tell(address).status_code == 404, address
        assert tell(f"{address}/messages").status_code == 404, address


def test_an_archived_line_still_hears_how_its_last_call_ends() -> None:
    line = a_line(archived_at=NOW)
    call = a_live_call(line)

    tell(f"vendor/{line.public_id}", an_end(call))

    assert Call.objects.get(pk=call.pk).outcome == "busy"


def test_a_call_and_a_text_that_come_in_are_those_of_the_account_whatever_number_was_called() -> None:
    owner = make_line(caller_ids=[OTHERS_NUMBER])
    line = a_line()
    for each in (owner, line):
        make_persona(each.workspace)
    ring = an_end(a_live_call(line)) | {"direction": "inbound", "from": "+493099999999", "to": OTHERS_NUMBER}
    text = {
        "kind": "received",
        "carrier_message_id": "m-1",
        "occurred_at": NOW.isoformat(),
        "from": "+493099999999",
        "to": OTHERS_NUMBER,
        "body": "Hello",
    }

    tell(f"vendor/{line.public_id}", ring)
    tell(f"vendor/{line.public_id}/messages", text)

    assert Call.objects.get(direction="inbound").line_id == line.pk
    assert Message.objects.get().line_id == line.pk


def test_an_account_settles_no_message_of_another_line() -> None:
    attackers, victims = a_line(), a_line("the victim's")
    message = make_message(make_contact(victims.workspace), line=victims)
    told = {
        "kind": "failed",
        "message_id": str(message.pk),
        "carrier_message_id": "m-1",
        "occurred_at": NOW.isoformat(),
    }

    forged = tell(f"vendor/{attackers.public_id}/messages", told)

    assert forged.json() == {"applied": 0}
    assert Message.objects.get().status == "sent"
    own = tell(f"vendor/{victims.public_id}/messages", told, token="the victim's")  # noqa: S106
    assert own.json() == {"applied": 1}


def test_what_a_look_up_tells_is_not_stored_again_when_the_account_reports_it(carrier: InProcessCarrier) -> None:
    carrier_settings = {"vendor": "tests.in_process_carrier.VendorAdapter"}
    line = a_line()
    call = a_live_call(line)
    Call.objects.filter(pk=call.pk).update(check_at=NOW)
    told = ended(call.pk, NOW, "busy")
    carrier.fate = lambda _: Found(reports=[told], is_live=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.CARRIERS", carrier_settings)
        reconciliation.check_due(limit=10, now=NOW)
        again = tell(f"vendor/{line.public_id}", an_end(call, event_id=told.event_id))

    assert again.json() == {"stored": 0}
    assert Call.objects.get(pk=call.pk).outcome == "busy"
