"""Promises made beside what a chain already holds: first calls in the queue, live calls, what was skipped."""

from datetime import timedelta

import pytest

from callbacks import actions, scheduling
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Scheduled
from dialer.models import Call, CampaignContact
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial, end_all

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
