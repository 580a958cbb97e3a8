"""Who talks, and what is to be known before: changed of a pending callback, and of no other."""

import pytest

from callbacks import editing
from callbacks.models import Callback
from dialer.models import Call, Persona
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_persona
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SARA = Actor(kind="user", id="7", label="Sara")


def a_retry() -> Callback:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 120]})
    make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer")
    return Callback.objects.select_related("campaign").get(status="pending")


def edit(callback: Callback, **edits: object) -> Callback:
    return editing.edit(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=NOW, **edits)  # type: ignore[arg-type]


def test_the_assigned_persona_makes_the_call_and_those_that_follow_it(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    maria = make_persona(callback.campaign.workspace if callback.campaign else None, endpoint="sip:maria@example.com")

    edited = edit(callback, persona_id=maria.pk)
    carrier.placed.clear()
    dial(callback.scheduled_at)
    end_all(callback.scheduled_at, "no_answer")

    assert edited.assigned_persona == maria
    assert [request.persona_endpoint for request in carrier.placed] == ["sip:maria@example.com"]
    assert Call.objects.get(status="queued").persona == maria


def test_without_an_assignment_the_campaigns_persona_talks_again(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    assert callback.campaign
    edit(callback, persona_id=make_persona(callback.campaign.workspace).pk)

    edited = edit(callback, persona_id=None)

    assert edited.assigned_persona is None
    assert Call.objects.get(pk=callback.call_id).persona == callback.campaign.persona


def test_notes_are_written_and_the_audit_says_by_whom(carrier: InProcessCarrier) -> None:
    callback = a_retry()

    assert edit(callback, notes="Ask for Max").notes == "Ask for Max"
    entry = AuditEntry.objects.get(verb="edit")
    assert (entry.actor_label, entry.object_id, entry.to_state) == ("Sara", str(callback.pk), {"notes": "Ask for Max"})


def test_another_workspaces_persona_and_an_archived_one_are_refused(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    assert callback.campaign
    archived = make_persona(callback.campaign.workspace, archived_at=NOW)

    for persona in (make_persona(), archived):
        with pytest.raises(Persona.DoesNotExist):
            edit(callback, persona_id=persona.pk)


def test_a_callback_that_is_being_dialled_or_over_is_not_edited(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    dial(callback.scheduled_at)

    with pytest.raises(TransitionConflict) as refused:
        edit(callback, notes="Too late")
    assert refused.value.from_ == "dialing"
