"""A dialer without callbacks: nobody promises anything, and every chain is over with its first call."""

import json

import pytest
from django.test import override_settings

from callbacks.models import Callback
from dialer.models import Call
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]


@override_settings(CALL_LISTENER="dialer.calls.listener.NoListener")
def test_a_call_that_nobody_answers_is_followed_by_nothing(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [1]}))

    dial(NOW)
    end_all(NOW, "no_answer")

    member.refresh_from_db()
    assert (member.state, member.end_reason, member.result) == ("exhausted", "no_answer", "no_answer")
    assert (Call.objects.count(), Callback.objects.count()) == (1, 0)
    exhausted = json.loads(bytes(Event.objects.get(type="call.exhausted").body))["data"]
    assert (exhausted["result"], exhausted["reason"]) == ("exhausted", "no_answer")
