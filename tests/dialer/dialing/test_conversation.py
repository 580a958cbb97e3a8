"""What the voice agent tells about a call."""

import json
from typing import Any

import pytest

from dialer.calls.listener import CallEnd
from dialer.dialing import conversation
from dialer.dialing.completion import record_ends
from dialer.dialing.conversation import AlreadyAnalyzed, InvalidTalk
from dialer.models import Call, Suppression
from dialer.rules.statuses import Outcome
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, make_call, make_contact
from webhooks.models import Event

pytestmark = pytest.mark.django_db


def test_a_wish_not_to_be_called_suppresses_at_once_and_ends_the_live_call_with_it() -> None:
    call = make_call(status="in_progress", answered_at=NOW)

    conversation.request_dnc(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)
    assert Suppression.objects.get().phone == call.contact.phone

    record_ends([CallEnd(call_id=call.pk, outcome=Outcome.ANSWERED, ended_reason="agent_hangup", at=NOW)], now=NOW)
    assert Call.objects.get().outcome == "dnc_request"


def test_a_wish_after_the_end_suppresses_and_leaves_the_outcome() -> None:
    call = make_call(status="ended", outcome="answered")

    conversation.request_dnc(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)
    conversation.request_dnc(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)

    kept = Call.objects.get()
    assert (kept.outcome, kept.dnc_requested_at) == ("answered", None)
    assert {entry.to_state["ends_as"] for entry in AuditEntry.objects.all()} == {"answered"}
    assert Suppression.objects.count() == 1


def test_a_wish_withdraws_what_else_waits_for_the_number() -> None:
    contact = make_contact()
    call = make_call(contact, status="in_progress", answered_at=NOW)
    waiting = make_call(contact, persona=call.persona, line=call.line)

    conversation.request_dnc(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.held_reason) == ("ended", "suppressed")


def test_a_call_that_was_never_handed_over_has_nobody_who_could_wish() -> None:
    call = make_call()

    with pytest.raises(TransitionConflict):
        conversation.request_dnc(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)
    assert not Suppression.objects.exists()


def test_a_recording_is_kept() -> None:
    call = make_call(status="ended", outcome="answered", transcript="old")

    conversation.add_recording(
        call.pk,
        workspace_id=call.workspace_id,
        recording_url="https://recordings.example.com/1.mp3",
        actor=SYSTEM,
        now=NOW,
    )

    kept = Call.objects.get()
    assert (kept.transcript, kept.recording_url) == ("old", "https://recordings.example.com/1.mp3")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "recording.mp3", "https://", "http://[", ""])
def test_a_recording_is_a_web_address(url: str) -> None:
    call = make_call(status="ended", outcome="answered")

    with pytest.raises(InvalidTalk) as refused:
        conversation.add_recording(call.pk, workspace_id=call.workspace_id, recording_url=url, actor=SYSTEM, now=NOW)

    assert set(refused.value.errors) == {"recording_url"}


def test_an_analysis_gives_the_contact_its_status_and_is_told() -> None:
    call = make_call(status="ended", outcome="answered")

    conversation.add_analysis(
        call.pk,
        {"summary": "Interested.", "outcome_id": "interested", "score": 80},
        workspace_id=call.workspace_id,
        actor=SYSTEM,
        now=NOW,
    )

    kept = Call.objects.select_related("contact").get()
    assert (kept.analysis, kept.contact.status) == (
        {"summary": "Interested.", "outcome_id": "interested", "score": 80},
        "interested",
    )
    event = Event.objects.get()
    assert event.type == "call.analyzed"
    assert json.loads(bytes(event.body))["data"]["call"]["summary"] == "Interested."


def test_a_second_analysis_must_say_that_it_replaces_the_first() -> None:
    call = make_call(status="ended", outcome="answered")
    conversation.add_analysis(call.pk, {"score": 1}, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)

    with pytest.raises(AlreadyAnalyzed):
        conversation.add_analysis(call.pk, {"score": 2}, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)
    conversation.add_analysis(
        call.pk, {"score": 3}, workspace_id=call.workspace_id, replace=True, actor=SYSTEM, now=NOW
    )

    assert Call.objects.get().analysis == {"score": 3}
    told = [json.loads(bytes(event.body))["data"].get("replaced") for event in Event.objects.order_by("sequence")]
    assert told == [None, True]


@pytest.mark.parametrize("fields", [{"status": "in_progress", "answered_at": NOW}, {"status": "ended"}])
def test_an_analysis_needs_a_talk_that_is_over(fields: dict[str, Any]) -> None:
    call = make_call(**fields)

    with pytest.raises(TransitionConflict):
        conversation.add_analysis(call.pk, {"score": 1}, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)
    assert not Event.objects.exists()


def test_a_wish_suppresses_the_number_dialled_and_the_contacts_own() -> None:
    call = make_call(status="ended", outcome="answered", number="+4930111222")

    conversation.request_dnc(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)

    assert set(Suppression.objects.values_list("phone", flat=True)) == {"+4930111222", call.contact.phone}
