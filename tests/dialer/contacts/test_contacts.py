"""Contacts come in, change, and are forgotten."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

import pytest

from dialer.calls.hashed_numbers import is_suppressed
from dialer.contacts import contacts
from dialer.contacts.contacts import Bad, ContactFields, ContactOnACall, Effect, InvalidContact, Taken
from dialer.models import Call, CampaignContact, Contact, Suppression
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry, Workspace
from tests import factories
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact, make_contact, make_workspace

pytestmark = pytest.mark.django_db
ANN = Actor(kind="user", id="1", label="Ann")


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


def effects(workspace: Workspace, *rows: ContactFields) -> list[str]:
    answers = contacts.take_in(workspace.id, rows, now=NOW)
    return [
        answer.effect.value if isinstance(answer, Taken) else f"{answer.field} {answer.reason}" for answer in answers
    ]


def test_a_new_contact_has_its_zones_from_the_number_and_says_so(workspace: Workspace) -> None:
    contact, effect = contacts.create(workspace.id, name="Ann", phone="+49 30 901820", actor=ANN, now=NOW)

    assert effect is Effect.CREATED
    assert (contact.phone, contact.zones, contact.timezone_source) == ("+4930901820", ["Europe/Berlin"], "number")
    assert contact.warnings == []


def test_a_number_that_the_library_doubts_is_taken_with_a_warning(workspace: Workspace) -> None:
    contact, _ = contacts.create(workspace.id, phone="+999123456789", actor=ANN, now=NOW)

    assert contact.warnings == ["unknown country code"]
    assert contact.zones == []


def test_every_field_at_fault_is_named(workspace: Workspace) -> None:
    with pytest.raises(InvalidContact) as refused:
        contacts.create(
            workspace.id,
            name="x" * 201,
            phone="0049301",
            time_zone="Mars/Base",
            external_id="\x00",
            metadata={"a": float("nan")},
            actor=ANN,
            now=NOW,
        )

    assert sorted(refused.value.errors) == ["external_id", "metadata", "name", "phone", "time_zone"]


def test_creating_twice_with_one_number_makes_two_contacts(workspace: Workspace) -> None:
    contacts.create(workspace.id, phone="+4930901820", actor=ANN, now=NOW)
    contacts.create(workspace.id, phone="+4930901820", actor=ANN, now=NOW)

    assert Contact.objects.count() == 2


def test_creating_with_a_known_external_id_changes_that_contact_and_only_what_is_given(workspace: Workspace) -> None:
    old = make_contact(workspace, external_id="17", name="Ann", metadata={"city": "Rome"})

    contact, effect = contacts.create(workspace.id, external_id="17", phone="+12025550123", actor=ANN, now=NOW)

    old.refresh_from_db()
    assert (contact.id, effect) == (old.id, Effect.UPDATED)
    assert (old.phone, old.name, old.metadata) == ("+12025550123", "Ann", {"city": "Rome"})


def test_external_ids_belong_to_their_workspace(workspace: Workspace) -> None:
    make_contact(make_workspace(), external_id="17")

    _, effect = contacts.create(workspace.id, external_id="17", phone="+4930901820", actor=ANN, now=NOW)

    assert effect is Effect.CREATED


def test_the_newest_contact_with_a_number_is_found_else_one_is_made(workspace: Workspace) -> None:
    make_contact(workspace, phone="+4930901820", name="Old")
    newest = make_contact(workspace, phone="+4930901820", name="New")
    make_contact(make_workspace(), phone="+4930901820")

    found = contacts.find_or_create(workspace.id, name="Someone", phone="+49 30 901820", now=NOW)
    made = contacts.find_or_create(workspace.id, name="Bob", phone="+4930901821", now=NOW)

    assert (found.id, found.name) == (newest.id, "New")
    assert (made.name, made.phone) == ("Bob", "+4930901821")


def test_rows_are_taken_in_one_after_the_other_and_a_bad_one_stops_no_other(workspace: Workspace) -> None:
    rows: list[ContactFields] = [
        {"phone": "+4930901820", "name": "Ann"},
        {"phone": "nonsense"},
        {"phone": "+49 (30) 901820", "name": "Again"},
        {"phone": "+4930901821", "external_id": "7"},
        {"phone": "+4930901822", "external_id": "7"},
        {"phone": "+4930901822", "external_id": "7"},
    ]

    assert effects(workspace, *rows) == [
        "created",
        "phone must start with + and the country code",
        "unchanged",
        "created",
        "updated",
        "unchanged",
    ]
    assert effects(workspace, rows[0], rows[5]) == ["unchanged", "unchanged"]
    assert list(Contact.objects.order_by("id").values_list("phone", "name")) == [
        ("+4930901820", "Ann"),
        ("+4930901822", ""),
    ]


def test_a_thousand_rows_cost_as_many_statements_as_three(
    workspace: Workspace, django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    rows: list[ContactFields] = [{"phone": f"+4930{n:08d}"} for n in range(1_000)]

    with django_assert_max_num_queries(8):
        contacts.take_in(workspace.id, rows, now=NOW)

    assert Contact.objects.count() == 1_000


def test_a_changed_number_derives_zone_and_warnings_anew(workspace: Workspace) -> None:
    contact = make_contact(workspace, time_zone="", phone="+4930901820")

    contacts.edit(contact.id, workspace_id=workspace.id, phone="+81312345678", actor=ANN, now=NOW)

    contact.refresh_from_db()
    assert (contact.phone, contact.zones) == ("+81312345678", ["Asia/Tokyo"])
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.to_state) == ("edit", {"changed": ["phone"]})


def test_a_changed_zone_moves_first_calls_that_wait(workspace: Workspace) -> None:
    contact = make_contact(workspace)
    waiting = make_campaign_contact(make_campaign(workspace), contact, due_at=NOW + timedelta(days=2))

    contacts.edit(contact.id, workspace_id=workspace.id, time_zone="America/New_York", actor=ANN, now=NOW)

    waiting.refresh_from_db()
    assert waiting.due_at == NOW + timedelta(hours=3)  # 09:00 in New York


def test_an_external_id_of_another_contact_is_refused(workspace: Workspace) -> None:
    make_contact(workspace, external_id="7")
    contact = make_contact(workspace)

    with pytest.raises(InvalidContact, match="another contact"):
        contacts.edit(contact.id, workspace_id=workspace.id, external_id="7", actor=ANN, now=NOW)


def test_a_contact_of_another_workspace_can_be_neither_edited_nor_deleted(workspace: Workspace) -> None:
    stranger = make_contact(make_workspace())

    with pytest.raises(Contact.DoesNotExist):
        contacts.edit(stranger.id, workspace_id=workspace.id, name="x", actor=ANN, now=NOW)
    with pytest.raises(Contact.DoesNotExist):
        contacts.delete(stranger.id, workspace_id=workspace.id, actor=ANN, now=NOW)


def test_a_deleted_contact_leaves_no_trace_of_who_it_was_and_keeps_its_suppression(workspace: Workspace) -> None:
    contact = make_contact(workspace, name="Ann", external_id="7", metadata={"a": 1})
    member = make_campaign_contact(make_campaign(workspace), contact, state="callback_pending")
    make_call(campaign_contact=member, status="ended", transcript="Hello", recording_url="http://r", metadata={"a": 1})
    queued = make_call(campaign_contact=member)
    make_campaign_contact(make_campaign(workspace), contact)
    number = contact.phone
    factories.make_suppression(workspace, number)

    contacts.delete(contact.id, workspace_id=workspace.id, actor=ANN, reason="asked to", now=NOW)

    contact.refresh_from_db()
    queued.refresh_from_db()
    assert contact.deleted_at == NOW
    assert (contact.name, contact.phone, contact.external_id, contact.metadata, contact.zones) == ("", "", None, {}, [])
    assert set(Call.objects.values_list("number", "transcript", "recording_url")) == {("", None, None)}
    assert queued.status == "withdrawn"
    assert set(CampaignContact.objects.values_list("state", "end_reason")) == {("cancelled", "contact_deleted")}
    (kept,) = Suppression.objects.all()
    assert (kept.number, is_suppressed(workspace.id, number)) == (None, True)
    assert number not in str(list(Suppression.objects.values()))
    assert not contacts.living(workspace.id).exists()


def test_a_contact_on_a_call_cannot_be_deleted(workspace: Workspace) -> None:
    call = make_call(make_contact(workspace), status="ringing")

    with pytest.raises(ContactOnACall):
        contacts.delete(call.contact_id, workspace_id=workspace.id, actor=ANN, now=NOW)


def test_bad_rows_say_which_field_and_why(workspace: Workspace) -> None:
    (answer,) = contacts.take_in(workspace.id, [{"phone": "+4930901820", "time_zone": "Mars"}], now=NOW)

    assert isinstance(answer, Bad)
    assert answer.field == "time_zone"


def test_an_unknown_id_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(Contact.DoesNotExist):
        contacts.edit(UUID(int=1), workspace_id=workspace.id, name="x", actor=ANN, now=NOW)


def test_the_audit_says_who_deleted_a_contact_and_names_neither_name_nor_number(workspace: Workspace) -> None:
    contact = make_contact(workspace, name="Jane Roe")

    contacts.delete(contact.id, workspace_id=workspace.id, actor=ANN, reason="asked to", now=NOW)

    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id, entry.actor_label, entry.reason) == (
        "delete",
        contact.public_id,
        "Ann",
        "asked to",
    )
    assert not any(said in str(AuditEntry.objects.values().get()) for said in ("Jane", contact.phone))
