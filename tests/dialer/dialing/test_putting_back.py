"""A call that the carrier gives back before it took it, where something happened meanwhile."""

from datetime import timedelta

import pytest

from callbacks import actions, scheduling
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from dialer.calls import calls
from dialer.carriers.base import Accepted, Answer, Busy, PlaceRequest
from dialer.dialing import reconciliation, single_calls
from dialer.models import Call, CampaignContact
from dialer.workspaces.audit import SYSTEM
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

BUSY = Busy(reason="carrier_busy", retry_after=timedelta(seconds=5))


def promise(member: CampaignContact) -> Callback:
    return scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + timedelta(hours=5),
        actor=SYSTEM,
        now=NOW,
    ).callback


def test_a_call_that_was_cancelled_meanwhile_ends_instead_of_being_dialled_again(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))

    def cancelled_meanwhile(request: PlaceRequest) -> Answer:
        calls.cancel(request.call_id, workspace_id=member.workspace_id, actor=SYSTEM, reason="", now=NOW)
        return BUSY

    carrier.answer = cancelled_meanwhile
    dial(NOW)

    call = Call.objects.get()
    assert (call.status, call.outcome, call.dialing_at) == ("ended", "cancelled", None)
    member.refresh_from_db()
    assert member.state == "cancelled"
    assert list(Event.objects.order_by("sequence").values_list("type", flat=True)) == ["call.ended", "call.exhausted"]


@pytest.mark.parametrize("is_retry", [True, False])
def test_a_promise_made_meanwhile_takes_its_place_and_the_batch_is_recorded(
    carrier: InProcessCarrier,
    is_retry: bool,  # noqa: FBT001
) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    member, other = make_campaign_contact(campaign), make_campaign_contact(campaign)
    at = NOW
    if is_retry:
        dial(NOW)
        end_all(NOW, "no_answer")
        at = NOW + timedelta(hours=2)

    def promised_meanwhile(request: PlaceRequest) -> Answer:
        if request.to != member.contact.phone:
            return Accepted(carrier_call_id="c-1")
        promise(member)
        return BUSY

    carrier.answer = promised_meanwhile
    dial(at)

    assert Call.objects.get(contact=other.contact, status="dialing").carrier_call_id == "c-1"
    assert not Call.objects.filter(contact=member.contact, status="dialing").exists()
    queued = Call.objects.get(contact=member.contact, status="queued")
    assert Callback.objects.get(contact=member.contact, status="pending").call_id == queued.pk
    assert (queued.attempt_number, queued.retries_used) == (2 if is_retry else 1, 0)
    member.refresh_from_db()
    assert member.state == "callback_pending"


def test_outside_campaigns_a_promise_made_meanwhile_takes_the_place_of_a_retry(carrier: InProcessCarrier) -> None:
    contact = make_contact(make_workspace(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    make_persona(contact.workspace)
    make_line(contact.workspace)
    single_calls.create(contact.workspace_id, contact_id=contact.pk, actor=SYSTEM, now=NOW)
    dial(NOW)
    end_all(NOW, "no_answer")

    def promised_meanwhile(_: PlaceRequest) -> Answer:
        scheduling.request(
            workspace_id=contact.workspace_id,
            contact_id=contact.pk,
            type=CallbackType.CUSTOMER_REQUESTED,
            scheduled_at=NOW + timedelta(hours=5),
            actor=SYSTEM,
            now=NOW,
        )
        return BUSY

    carrier.answer = promised_meanwhile
    dial(NOW + timedelta(hours=2))

    assert sorted(Callback.objects.values_list("type", "status")) == [
        ("auto_retry", "superseded"),
        ("customer_requested", "pending"),
    ]
    assert not Call.objects.filter(status="dialing").exists()


def test_a_call_that_was_given_up_meanwhile_is_not_dialled_again(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))

    def given_up_meanwhile(_: PlaceRequest) -> Answer:
        # The worker stood still, and another looked the call up when its time was over.
        reconciliation.check_due(limit=10, now=NOW + timedelta(minutes=1))
        return BUSY

    carrier.answer = given_up_meanwhile
    dial(NOW)

    call = Call.objects.get()
    assert (call.status, call.outcome) == ("ended", "unknown")
    assert dial(NOW + timedelta(minutes=2))["placed"] == 0


def test_a_retry_that_was_skipped_stays_used_up_for_the_promise_that_takes_the_place_of_the_next(
    carrier: InProcessCarrier,
) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 60, 60]})
    member = make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer")
    skipped = Callback.objects.get()
    actions.skip(skipped.pk, workspace_id=skipped.workspace_id, actor=SYSTEM, now=NOW)

    def promised_meanwhile(_: PlaceRequest) -> Answer:
        promise(member)
        return BUSY

    carrier.answer = promised_meanwhile
    dial(Callback.objects.get(status="pending").scheduled_at)

    queued = Call.objects.get(status="queued")
    assert (queued.attempt_number, queued.retries_used) == (2, 1)
