"""Do-not-call: what stops at once, in which workspace, and who can see it."""

import threading
from collections.abc import Sequence

import pytest
from django.db import connection, transaction

from dialer.contacts import suppressions
from dialer.models import Call, CampaignContact, Suppression
from dialer.workspaces.audit import Actor
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.models import AuditEntry, Workspace
from tests.factories import NOW, a_phone, make_call, make_campaign, make_campaign_contact, make_contact, make_workspace
from webhooks.models import Event

pytestmark = pytest.mark.django_db
ANN = Actor(kind="user", id="1", label="Ann")


def suppress(workspace: Workspace, phones: Sequence[str], *, reason: str = "complained") -> suppressions.Added:
    return suppressions.add(workspace.pk, phones, reason=reason, actor=ANN, now=NOW)


def test_a_contact_that_waits_for_its_first_call_comes_to_its_end() -> None:
    member = make_campaign_contact(make_campaign())

    suppress(member.workspace, [member.contact.phone])

    member.refresh_from_db()
    assert (member.state, member.end_reason, member.ended_at, member.due_at) == ("suppressed", "suppressed", NOW, None)


def test_a_number_is_stopped_in_its_workspace_and_in_no_other() -> None:
    phone = a_phone()
    workspaces = [make_workspace(), make_workspace()]
    for workspace in workspaces:
        contact = make_contact(workspace, phone=phone)
        make_call(contact)
        make_campaign_contact(make_campaign(workspace), contact)

    done = suppress(workspaces[0], [phone])

    assert done.withdrawn == 1
    for workspace, status, state in zip(workspaces, ("ended", "queued"), ("suppressed", "waiting"), strict=True):
        assert Call.objects.get(workspace=workspace).status == status
        assert CampaignContact.objects.get(workspace=workspace).state == state


def test_a_suppression_is_told_once_however_often_it_is_asked_for() -> None:
    workspace, phone = make_workspace(), a_phone()

    first, again = (suppress(workspace, [phone, phone]) for _ in range(2))

    assert ([entry.phone for entry in first.added], first.already) == ([phone], [])
    assert (again.added, again.already) == ([], [phone])
    assert list(Event.objects.values_list("type", flat=True)) == ["contact.suppressed"]


def test_the_audit_says_who_suppressed_a_number_and_who_lifted_it_and_why() -> None:
    workspace, phone = make_workspace(), a_phone()
    suppress(workspace, [phone])
    entry = Suppression.objects.get()

    assert suppressions.remove(entry, actor=ANN, reason="asked to be called", now=NOW)
    assert not suppressions.remove(entry, actor=ANN, reason="asked to be called", now=NOW)

    assert list(AuditEntry.objects.order_by("id").values_list("verb", "object_id", "actor_label", "reason")) == [
        ("suppress", entry.public_id, "Ann", "complained"),
        ("lift", entry.public_id, "Ann", "asked to be called"),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_suppression_waits_for_whoever_holds_the_number() -> None:
    workspace, phone = make_workspace(), a_phone()

    def work() -> None:
        suppress(workspace, [phone])
        connection.close()

    worker = threading.Thread(target=work)
    with transaction.atomic(), connection.cursor() as cursor:
        # A call to the number is being handed over.
        lock_numbers([(workspace.pk, phone)])
        worker.start()
        waiting = 0
        while worker.is_alive() and not waiting:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            (waiting,) = cursor.fetchone()
        assert waiting, "it did not wait"
    worker.join(20)

    assert Suppression.objects.get().phone == phone
