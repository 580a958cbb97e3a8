"""Promises made beside what a chain already holds: first calls in the queue, live calls, what was skipped."""

import json
from datetime import timedelta
from functools import partial

import pytest

from callbacks import actions, scheduling
from callbacks.models import Callback
from callbacks.refusals import CampaignOver, NoLineOrPersona
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Scheduled
from dialer.models import Call, Campaign, CampaignContact, Line
from dialer.rules.statuses import Rank
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def a_member(*delays: int) -> CampaignContact:
    return make_campaign_contact(
        make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": list(delays or (60, 120, 180))})
    )


def promise(member: CampaignContact, *, in_: timedelta = HOUR) -> Scheduled:
    return scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + in_,
        actor=SYSTEM,
        now=NOW,
    )


def test_a_promise_takes_the_place_of_a_first_call_that_is_queued(carrier: InProcessCarrier) -> None:
    member = a_member()
    claims = claim(NOW)

    promised = promise(member)

    first = Call.objects.exclude(pk=promised.callback.call_id).get()
    assert first.status == "withdrawn"
    call = Call.objects.get(pk=promised.callback.call_id)
    assert (call.attempt_number, call.retries_used) == (1, 0)
    member.refresh_from_db()
    assert member.state == "callback_pending"
    assert [claimed.call_id for claimed in claims] == [first.pk]
    assert dial(NOW)["placed"] == 0
    assert dial(NOW + HOUR)["placed"] == 1


def test_a_promise_made_during_a_call_has_the_outcome_of_that_call(carrier: InProcessCarrier) -> None:
    member = a_member()
    dial(NOW)

    made = promise(member).callback
    end_all(NOW, "answered")

    assert (made.original_outcome, Callback.objects.get().original_outcome) == ("", "answered")


def test_a_promise_in_place_of_a_retry_keeps_the_outcome_that_the_retry_followed(carrier: InProcessCarrier) -> None:
    member = a_member()
    dial(NOW)
    end_all(NOW, "busy")

    first = promise(member).callback
    second = promise(member, in_=2 * HOUR).callback

    assert (first.original_outcome, second.original_outcome) == ("busy", "busy")


def test_a_promise_after_a_cancelled_retry_follows_the_outcome_of_the_last_call(carrier: InProcessCarrier) -> None:
    member = a_member()
    dial(NOW)
    end_all(NOW, "busy")
    callback = Callback.objects.get()
    actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=NOW + MINUTE)

    assert promise(member).callback.original_outcome == "busy"


def test_a_retry_that_an_operator_cancelled_is_not_used_up_by_a_later_promise(carrier: InProcessCarrier) -> None:
    member = a_member()
    dial(NOW)
    end_all(NOW, "no_answer")
    callback = Callback.objects.get()
    actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=NOW + MINUTE)

    call = Call.objects.get(pk=promise(member).callback.call_id)

    assert (call.attempt_number, call.retries_used) == (2, 0)


def test_retries_that_were_skipped_stay_used_up_after_a_promise(carrier: InProcessCarrier) -> None:
    member = a_member(60)
    dial(NOW)
    end_all(NOW, "no_answer")
    callback = Callback.objects.get()
    actions.skip(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=NOW + MINUTE)

    call = Call.objects.get(pk=promise(member).callback.call_id)

    assert (call.attempt_number, call.retries_used) == (2, 1)


def test_a_retry_waits_behind_what_was_promised(carrier: InProcessCarrier) -> None:
    member = a_member()
    dial(NOW)
    end_all(NOW, "no_answer")
    retry = Call.objects.get(status="queued")

    promised = Call.objects.get(pk=promise(member).callback.call_id)

    assert (promised.rank, retry.rank) == (Rank.PROMISED, Rank.RETRY)


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed"])
def test_nothing_is_promised_in_a_campaign_that_is_over(status: str) -> None:
    member = a_member()
    Campaign.objects.update(status=status, ended_at=NOW)

    with pytest.raises(CampaignOver):
        promise(member)
    assert not Callback.objects.exists()


def test_a_promise_leaves_who_when_and_why() -> None:
    member = a_member()

    made = promise(member).callback

    entry = AuditEntry.objects.get(object_type="callback")
    assert (entry.verb, entry.actor_kind, entry.object_id) == ("schedule", SYSTEM.kind, str(made.pk))
    assert entry.to_state == {"type": "customer_requested", "scheduled_at": "2025-03-12T11:00:00Z"}


def test_others_are_told_of_a_promise() -> None:
    made = promise(a_member()).callback

    told = json.loads(bytes(Event.objects.get(type="callback.scheduled").body))["data"]
    assert (told["id"], told["status"], told["reason"]) == (made.pk, "pending", "customer_requested")


def test_of_several_lines_the_default_one_calls_and_where_there_is_none_nobody_guesses() -> None:
    contact = make_contact()
    make_persona(contact.workspace)
    make_line(contact.workspace)
    main = make_line(contact.workspace, is_default=True)
    ask = partial(
        scheduling.request,
        workspace_id=contact.workspace_id,
        contact_id=contact.pk,
        type=CallbackType.MANUAL,
        scheduled_at=NOW + HOUR,
        actor=SYSTEM,
        now=NOW,
    )

    Line.objects.update(is_default=False)
    with pytest.raises(NoLineOrPersona):
        ask()
    Line.objects.filter(pk=main.pk).update(is_default=True)
    assert ask().callback.call.line_id == main.pk


def test_where_there_are_several_personas_somebody_must_name_one() -> None:
    contact = make_contact()
    make_line(contact.workspace)
    one, _ = (make_persona(contact.workspace) for _ in range(2))
    ask = partial(
        scheduling.request,
        workspace_id=contact.workspace_id,
        contact_id=contact.pk,
        type=CallbackType.MANUAL,
        scheduled_at=NOW + HOUR,
        actor=SYSTEM,
        now=NOW,
    )

    with pytest.raises(NoLineOrPersona):
        ask()
    assert ask(persona_id=one.pk).callback.assigned_persona == one
