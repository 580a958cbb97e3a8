"""Calls outside campaigns."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.dialing import single_calls
from dialer.dialing.single_calls import InvalidCall, NumberSuppressed
from dialer.models import Call, Contact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry, Workspace
from tests.factories import (
    NOW,
    make_contact,
    make_line,
    make_persona,
    make_suppression,
    make_workspace,
)

pytestmark = pytest.mark.django_db
NIGHT = NOW.replace(hour=22)


@pytest.fixture
def workspace() -> Workspace:
    made = make_workspace()
    make_line(made, is_default=True)
    make_persona(made)
    return made


def test_a_call_is_queued_for_now_with_the_only_persona_and_the_default_line(workspace: Workspace) -> None:
    contact = make_contact(workspace)

    created = single_calls.create(
        workspace.pk,
        contact_id=contact.pk,
        schedule={"max_callback_attempts": 2},
        metadata={"order": 7},
        actor=SYSTEM,
        now=NOW,
    )

    call = Call.objects.get()
    assert (call.status, call.due_at, call.number, call.campaign_id) == ("queued", NOW, contact.phone, None)
    assert (call.schedule, call.metadata) == ({"max_callback_attempts": 2}, {"order": 7})
    assert created.adjusted_from is None
    assert AuditEntry.objects.get().object_id == call.public_id


def test_outside_the_window_it_is_moved_to_the_next_opening_and_says_so(workspace: Workspace) -> None:
    contact = make_contact(workspace)

    created = single_calls.create(workspace.pk, contact_id=contact.pk, actor=SYSTEM, now=NIGHT)

    assert (created.adjusted_from, created.adjusted_reason) == (NIGHT, "outside_window")
    assert created.call.due_at == (NIGHT + timedelta(days=1)).replace(hour=8)


def test_a_number_finds_the_newest_contact_that_has_it(workspace: Workspace) -> None:
    older = make_contact(workspace)
    newer = make_contact(workspace, phone=older.phone)

    created = single_calls.create(workspace.pk, contact={"name": "X", "phone": older.phone}, actor=SYSTEM, now=NOW)

    assert created.call.contact_id == newer.pk
    assert Contact.objects.count() == 2


def test_an_unknown_number_makes_a_contact(workspace: Workspace) -> None:
    created = single_calls.create(
        workspace.pk, contact={"name": "Jane", "phone": "+49 30 99999999"}, actor=SYSTEM, now=NOW
    )

    assert (created.call.contact.name, created.call.number) == ("Jane", "+493099999999")


def test_a_suppressed_number_is_refused_and_nothing_is_stored(workspace: Workspace) -> None:
    phone = "+493099999998"
    make_suppression(workspace, phone)

    with pytest.raises(NumberSuppressed):
        single_calls.create(workspace.pk, contact={"name": "Jane", "phone": phone}, actor=SYSTEM, now=NOW)

    assert not Call.objects.exists()
    assert not Contact.objects.exists()


def test_everything_at_fault_is_named_at_once(workspace: Workspace) -> None:
    make_persona(workspace)
    contact = make_contact(workspace)

    with pytest.raises(InvalidCall) as refused:
        single_calls.create(
            workspace.pk,
            contact_id=contact.pk,
            line_id=make_line().pk,
            schedule={"callback_retry_schedule": [5, 0]},
            scheduled_at=NOW - timedelta(minutes=2),
            actor=SYSTEM,
            now=NOW,
        )

    assert set(refused.value.errors) == {
        "call.callback_retry_schedule.1",
        "scheduled_at",
        "persona_id",
        "line_id",
    }


def test_a_time_just_past_is_taken_as_now(workspace: Workspace) -> None:
    contact = make_contact(workspace)

    created = single_calls.create(
        workspace.pk, contact_id=contact.pk, scheduled_at=NOW - timedelta(seconds=59), actor=SYSTEM, now=NOW
    )

    assert created.call.due_at == NOW


def test_another_workspaces_contact_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(Contact.DoesNotExist):
        single_calls.create(workspace.pk, contact_id=make_contact().pk, actor=SYSTEM, now=NOW)


def test_the_number_that_the_line_shows_first_is_shown(workspace: Workspace) -> None:
    line = make_line(workspace, caller_ids=["+4930111111", "+4930222222"])

    created = single_calls.create(
        workspace.pk, contact_id=make_contact(workspace).pk, line_id=line.pk, actor=SYSTEM, now=NOW
    )

    assert (created.call.line_id, created.call.caller_id) == (line.pk, "+4930111111")


def test_a_persona_or_line_that_is_archived_makes_no_call(workspace: Workspace) -> None:
    gone: dict[str, Any] = {
        "persona_id": make_persona(workspace, archived_at=NOW).pk,
        "line_id": make_line(workspace, archived_at=NOW).pk,
    }

    for name, pk in gone.items():
        with pytest.raises(InvalidCall) as refused:
            single_calls.create(
                workspace.pk,
                contact_id=make_contact(workspace).pk,
                actor=SYSTEM,
                now=NOW,
                **{name: pk},
            )
        assert set(refused.value.errors) == {name}


def test_a_call_may_be_named_for_thirty_days_ahead_and_not_for_more(workspace: Workspace) -> None:
    contact = make_contact(workspace)
    latest = NOW + timedelta(days=30)

    made = single_calls.create(workspace.pk, contact_id=contact.pk, scheduled_at=latest, actor=SYSTEM, now=NOW)
    with pytest.raises(InvalidCall) as refused:
        single_calls.create(
            workspace.pk,
            contact_id=contact.pk,
            scheduled_at=latest + timedelta(seconds=1),
            actor=SYSTEM,
            now=NOW,
        )

    assert made.call.due_at == latest
    assert set(refused.value.errors) == {"scheduled_at"}
