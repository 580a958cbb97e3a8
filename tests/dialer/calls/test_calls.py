"""Calls taken out of the queue: withdrawn or cancelled before anybody is dialled."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from callbacks.models import Callback
from dialer.calls import calls
from dialer.calls.chains import chains_of
from dialer.models import Call
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry
from tests.factories import NOW, ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

ANN = Actor(kind="user", id="1", label="Ann")


def told(type_: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(event.body))["data"] for event in Event.objects.filter(type=type_)]


def withdraw(call: Call) -> list[UUID]:
    with transaction.atomic():
        return calls.withdraw([call.pk], why=Withdrawal.CANCELLED, now=NOW)


def a_retry_that_waits() -> Call:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    dial(NOW)
    end_all(NOW, "no_answer")
    found: Call = Call.objects.get(status="queued")
    return found


@pytest.mark.parametrize("status", ["dialing", "ringing", "in_progress", "ended", "withdrawn"])
def test_only_what_is_queued_is_withdrawn(status: str) -> None:
    call = make_call(status=status)

    assert withdraw(call) == []

    assert Call.objects.get().status == status
    assert not Event.objects.exists()


def test_a_first_call_that_is_withdrawn_ends_no_chain() -> None:
    member = make_campaign_contact(make_campaign(), state="calling")
    call = make_call(campaign_contact=member, rank=3)

    assert withdraw(call) == [call.pk]

    member.refresh_from_db()
    assert (member.state, member.ended_at) == ("cancelled", NOW)
    assert told("call.exhausted") == []


def test_a_call_that_a_client_made_ends_cancelled_where_it_is_withdrawn() -> None:
    call = make_call(rank=3)

    with transaction.atomic():
        calls.withdraw([call.pk], why=Withdrawal.SUPPRESSED, now=NOW)

    call.refresh_from_db()
    assert (call.status, call.outcome, call.held_reason, call.ended_at) == ("ended", "cancelled", "suppressed", NOW)
    (ended,), (exhausted,) = told("call.ended"), told("call.exhausted")
    assert (ended["status"], ended["ended_reason"], ended["retry"]["will_retry"]) == ("failed", "cancelled", False)
    assert (exhausted["result"], exhausted["reason"], exhausted["attempts"]) == ("suppressed", "suppressed", 0)
    assert told("call.attempted") == []


def test_the_call_of_a_callback_that_is_withdrawn_is_not_told_as_a_call(carrier: InProcessCarrier) -> None:
    retry = a_retry_that_waits()
    before = len(told("call.ended"))

    withdraw(retry)

    retry.refresh_from_db()
    assert (retry.status, retry.held_reason) == ("withdrawn", "cancelled")
    assert len(told("call.ended")) == before
    assert len(told("callback.cancelled")) == 1


def test_a_contact_that_is_at_its_end_stays_as_it_is_when_a_call_is_withdrawn() -> None:
    ended_at = NOW - timedelta(days=1)
    member = make_campaign_contact(make_campaign(), state="suppressed", end_reason="suppressed", ended_at=ended_at)
    call = make_call(campaign_contact=member)

    withdraw(call)

    member.refresh_from_db()
    assert (member.state, member.end_reason, member.ended_at) == ("suppressed", "suppressed", ended_at)


@pytest.mark.usefixtures("carrier")
def test_a_retry_that_was_cancelled_before_dialling_is_no_attempt_of_its_chain() -> None:
    retry = a_retry_that_waits()

    calls.cancel(retry.pk, workspace_id=retry.workspace_id, actor=ANN, reason="moved away", now=NOW)

    retry.refresh_from_db()
    assert (retry.status, retry.outcome, retry.ended_at) == ("ended", "cancelled", NOW)
    assert Callback.objects.get().status == "cancelled"
    assert retry.campaign_contact is not None
    assert (retry.campaign_contact.state, retry.campaign_contact.end_reason) == ("cancelled", "cancelled")
    (exhausted,) = told("call.exhausted")
    assert (exhausted["result"], exhausted["attempts"]) == ("cancelled", 1)
    (whole,) = chains_of([retry.chain_id]).values()
    assert [attempt.outcome for attempt in whole.attempts] == ["no_answer"]


def test_the_audit_says_who_cancelled_a_call_and_why() -> None:
    call = make_call()

    calls.cancel(call.pk, workspace_id=call.workspace_id, actor=ANN, reason="moved away", now=NOW)

    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id, entry.actor_label, entry.reason) == (
        "cancel",
        call.public_id,
        "Ann",
        "moved away",
    )
    assert (entry.from_state, entry.to_state) == ({"status": "queued"}, {"status": "ended"})


def test_a_live_call_that_is_to_be_stopped_is_marked_for_a_worker_to_hang_up(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    live = Call.objects.get()

    stopped = calls.cancel(live.pk, workspace_id=live.workspace_id, actor=ANN, reason="", now=NOW)

    assert (stopped.status, stopped.cancel_requested_at, stopped.hang_up_at) == ("dialing", NOW, NOW)
    assert told("call.ended") == []
