"""A contact that is deleted is forgotten: no column of any table names it afterwards."""

import json
from datetime import timedelta

import pytest

from dialer.carriers.base import MessageReport
from dialer.contacts import contacts
from dialer.messages import reports as message_reports
from dialer.models import Call, CarrierEvent, Contact, Erasure, Suppression
from dialer.retention import erasure
from dialer.tasks.housekeeping import erase_contacts
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import AuditEntry
from tests.contracts.schemas import faults, recorded
from tests.dialer.retention.everything import NAME, WORDS, columns_that_name, spellings, tell_of_a_contact
from tests.factories import NOW, make_call, make_contact, make_line, make_message, make_suppression, make_workspace
from tests.webhooks.rows import make_endpoint
from tests.world import World, world
from webhooks import batches
from webhooks.models import BatchItem, Delivery, Event

__all__ = ["world"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_column_of_any_table_names_a_forgotten_contact(world: World) -> None:
    contact, number = tell_of_a_contact(world)
    needles = (*WORDS, *spellings(number))
    named = columns_that_name(*needles)
    assert named >= _TELL_OF_IT, "the story leaves out some of what names a contact"

    assert world.api.delete(f"contacts/{contact.public_id}/", {"reason": f"{NAME} asked for it"}).status_code == 204
    assert erasure.run_due(now=world.now) == 1

    assert columns_that_name(*needles) == set()
    assert [fault for name, payload in recorded() for fault in faults(name, payload)] == []


_TELL_OF_IT = {
    "callbacks_bulkaction.fields",
    "callbacks_callback.notes",
    "dialer_call.analysis",
    "dialer_call.metadata",
    "dialer_call.number",
    "dialer_call.recording_url",
    "dialer_call.transcript",
    "dialer_campaign.pause_reason",
    "dialer_carrierevent.facts",
    "dialer_contact.external_id",
    "dialer_contact.metadata",
    "dialer_contact.name",
    "dialer_contact.phone",
    "dialer_contact.status",
    "dialer_import.file_name",
    "dialer_importproblem.row",
    "dialer_message.body",
    "dialer_message.metadata",
    "dialer_message.number",
    "dialer_suppression.phone",
    "dialer_suppression.source",
    "webhooks_batchitem.body",
    "webhooks_delivery.body",
    "webhooks_deliveryattempt.answer",
    "webhooks_event.body",
    "workspaces_auditentry.reason",
    "workspaces_auditentry.to_state",
}


def deleted(contact: Contact, *, reason: str = "") -> None:
    contacts.delete(contact.pk, workspace_id=contact.workspace_id, actor=SYSTEM, reason=reason, now=NOW)


def test_name_and_number_are_dropped_once_they_were_searched_for() -> None:
    deleted(make_contact(name=NAME))
    assert NAME in (Erasure.objects.get().person or "")

    erasure.run_due(now=NOW)

    left = Erasure.objects.get()
    assert (left.person, left.searched_at, left.done_at) == (None, NOW, None)


def test_a_step_whose_worker_died_is_done_again_when_its_lease_is_over() -> None:
    deleted(make_contact())
    Erasure.objects.update(due_at=NOW + erasure.LEASE)

    assert erasure.run_due(now=NOW + erasure.LEASE - timedelta(seconds=1)) == 0
    assert erasure.run_due(now=NOW + erasure.LEASE) == 1


def test_a_run_begins_no_step_after_its_time_so_that_other_work_goes_on() -> None:
    workspace = make_workspace()
    for _ in range(3):
        deleted(make_contact(workspace))

    assert [erasure.run_due(seconds=0, now=NOW) for _ in range(4)] == [1, 1, 1, 0]


def test_what_came_late_is_erased_a_day_later_and_then_nothing_is_left_to_do() -> None:
    call = make_call(make_contact(), status="ended", outcome="answered")
    deleted(call.contact)
    erasure.run_due(now=NOW)
    Call.objects.filter(pk=call.pk).update(transcript="Too late.", analysis={"summary": "late"})
    a_day_later = NOW + erasure.LATE

    assert erasure.run_due(now=a_day_later - timedelta(seconds=1)) == 0
    assert erasure.run_due(now=a_day_later) == 1

    call.refresh_from_db()
    assert (call.transcript, call.analysis) == (None, None)
    assert Erasure.objects.get().done_at == a_day_later
    assert erasure.run_due(now=a_day_later + timedelta(days=9)) == 0


def test_a_number_that_another_contact_has_stays_where_it_is_written() -> None:
    workspace = make_workspace()
    first, second = (make_contact(workspace, name=name, phone="+493055500") for name in ("Ann Roe", "Ben Roe"))
    make_suppression(workspace, "+493055500", source="+493055500, Ann Roe and Ben Roe")

    deleted(first)
    erasure.run_due(now=NOW)

    kept = Suppression.objects.get()
    assert (kept.number, kept.source) == ("+493055500", "+493055500, [erased] and Ben Roe")
    deleted(second)
    erasure.run_due(now=NOW)
    kept.refresh_from_db()
    assert (kept.number, kept.source) == (None, "[erased], [erased] and [erased]")


def test_the_failure_of_a_text_is_found_by_the_text_where_name_and_number_find_nothing() -> None:
    workspace = make_workspace()
    first, _ = (make_contact(workspace, name="Ann", phone="+493055503") for _ in range(2))
    message = make_message(first)
    told = MessageReport(
        kind="failed", message_id=message.pk, carrier_message_id="m-1", occurred_at=NOW, reason="+493055503 is off"
    )
    message_reports.apply("simulated", [told], now=NOW)
    assert b"is off" in bytes(Event.objects.get(type="message.failed").body)

    deleted(first)
    erasure.run_due(now=NOW)

    body = bytes(Event.objects.get(type="message.failed").body)
    assert b"is off" not in body
    assert b"493055503" not in body


def test_what_the_account_of_another_line_reported_under_the_same_id_stays() -> None:
    line = make_line()
    call = make_call(make_contact(line.workspace), line=line, status="ended", direction="inbound", inbound_id="in-1")
    reports = [
        CarrierEvent.objects.create(
            line_carrier=line.carrier,
            line_id=line_id,
            event_id="e-1",
            carrier_call_id="in-1",
            kind="ringing",
            occurred_at=NOW,
            facts={"from_number": "+493055504"},
        )
        for line_id in (line.pk, new_id())
    ]

    deleted(call.contact)

    assert [CarrierEvent.objects.get(pk=report.pk).facts for report in reports] == [{}, {"from_number": "+493055504"}]


def test_a_suppression_of_an_earlier_number_becomes_a_hash_too() -> None:
    call = make_call(make_contact(phone="+493055501"), status="ended")
    make_suppression(call.workspace, "+493055501")
    contacts.edit(call.contact_id, workspace_id=call.workspace_id, phone="+493055502", actor=SYSTEM, now=NOW)

    deleted(call.contact)

    assert Suppression.objects.get().number is None


def test_texts_of_other_workspaces_stay_as_they_are() -> None:
    theirs = make_workspace(name="Globex")
    make_suppression(theirs, "+493055503", source=NAME)

    deleted(make_contact(name=NAME, phone="+493055503"))
    erasure.run_due(now=NOW)

    kept = Suppression.objects.get()
    assert (kept.number, kept.source) == ("+493055503", NAME)


def test_an_event_that_still_waits_is_delivered_without_the_person(world: World) -> None:
    call = world.call()
    contact = Contact.objects.get()
    world.run_for(minutes=5)
    before = {row.pk: json.loads(row.sent_body) for row in Delivery.objects.select_related("event")}

    world.api.delete(f"contacts/{contact.public_id}/")
    erasure.run_due(now=world.now)

    after = {row.pk: json.loads(row.sent_body) for row in Delivery.objects.select_related("event")}
    assert before.keys() <= after.keys()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"pending"}
    told = [body for body in after.values() if body["event"] == "call.ended"]
    assert [(body["data"]["job_id"], body["data"]["status"]) for body in told] == [(call["id"], "no_answer")]
    naming = [body for body in after.values() if "contact" in body["data"]]
    assert [body["data"]["contact"]["phone"] for body in naming] == [""] * len(naming)
    assert all(body["metadata"] == {"redacted": True} for body in naming)
    for pk, body in before.items():
        kept = ("event", "event_id", "timestamp", "chain_id", "sequence")
        assert [after[pk][name] for name in kept] == [body[name] for name in kept]


def test_only_its_own_items_of_an_array_are_redacted(world: World) -> None:
    make_endpoint(
        world.workspace, name="Arrays", url="https://9.9.9.9/batch", profile="batch", events=["CallAttempted"]
    )
    world.call()
    gone = Contact.objects.latest("id")
    world.call()
    stays = Contact.objects.latest("id")
    world.run_for(minutes=5)
    batches.freeze_due(now=world.now + timedelta(hours=1))
    array = Delivery.objects.exclude(batch_type="").get()

    world.api.delete(f"contacts/{gone.public_id}/")
    erasure.run_due(now=world.now)

    array.refresh_from_db()
    phones = [item["phone"] for item in json.loads(array.sent_body)]
    assert sorted(phones) == ["", stays.phone.removeprefix("+")]
    assert b"".join(bytes(body) for body in BatchItem.objects.values_list("body", flat=True)).count(b'"phone":""') == 1


def test_a_request_about_a_forgotten_contact_is_neither_answered_again_nor_done_again(world: World) -> None:
    body = {"name": NAME, "phone": "+493055504"}
    made = world.api.post("contacts/", body, idempotency_key="one")
    world.api.delete(f"contacts/{made.json()['id']}/")
    erasure.run_due(now=world.now)

    again = world.api.post("contacts/", body, idempotency_key="one")

    assert (again.status_code, again.json()["error"]["code"]) == (409, "answer_forgotten")
    assert NAME not in again.content.decode()
    assert not contacts.living(world.workspace.pk).exists()


def test_the_audit_still_says_what_was_done_and_when(world: World) -> None:
    made = world.say("calls/", {"contact": {"name": NAME, "phone": "+493055505"}})
    world.say(f"calls/{made['id']}/cancel/", {"reason": "the husband wants it"})

    world.api.delete(f"contacts/{made['contact_id']}/", {"reason": "Article 17"})
    erasure.run_due(now=world.now)

    entries = AuditEntry.objects.filter(object_type__in=("call", "contact")).order_by("id")
    assert [(entry.verb, entry.reason) for entry in entries] == [
        ("create", ""),
        ("cancel", ""),
        ("delete", "Article 17"),
    ]
    assert entries[1].to_state == {"status": "ended"}


def test_beat_erases_what_is_left_of_deleted_contacts() -> None:
    deleted(make_contact(name=NAME))

    erase_contacts.apply(throw=True)

    assert Erasure.objects.get().person is None
