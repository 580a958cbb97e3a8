"""What follows a call that has ended: a retry within the contact's limits, and none for whom is not to be called."""

from datetime import timedelta

import pytest

from callbacks.models import Callback
from dialer.models import Call
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_suppression,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

HOUR = timedelta(hours=1)
RETRIED = {**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}


def test_a_retry_says_which_call_it_follows_and_how_that_ended(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=RETRIED))
    dial(NOW)
    first = Call.objects.get()

    end_all(NOW, "busy")

    retry = Callback.objects.get()
    assert (retry.origin_call, retry.original_outcome) == (first, "busy")


def test_a_number_that_is_suppressed_during_its_call_is_not_retried(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule=RETRIED))
    dial(NOW)
    make_suppression(member.contact.workspace, member.contact.phone)

    end_all(NOW, "no_answer")

    member.refresh_from_db()
    assert member.end_reason == "suppressed"
    assert not Callback.objects.exists()


def test_a_retry_is_promised_for_when_the_limits_permit_it_and_says_so(carrier: InProcessCarrier) -> None:
    workspace = make_workspace(contact_limits=[{"max": 1, "period_hours": 24, "scope": "number"}])
    make_campaign_contact(make_campaign(workspace, schedule=RETRIED))
    dial(NOW)

    end_all(NOW, "no_answer", lasted=timedelta())

    retry = Callback.objects.get()
    assert (retry.scheduled_at, retry.adjusted_from) == (NOW + 24 * HOUR, NOW + HOUR)
    assert retry.adjusted_reason == "contact_limit"
