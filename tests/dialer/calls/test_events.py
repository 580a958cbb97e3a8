"""What an event of a call says, and under which key it is told once."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.calls import context, events
from dialer.calls.chains import NOTHING_DIALLED
from dialer.calls.context import CallContext
from dialer.calls.events import metadata_of
from dialer.calls.listener import CallEnd, FollowUp, PendingCallback
from dialer.models import Call
from dialer.rules.statuses import Outcome
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact

pytestmark = pytest.mark.django_db


def ended(call: CallContext, outcome: Outcome) -> CallEnd:
    return CallEnd(call_id=call.id, outcome=outcome, ended_reason=outcome.value, at=NOW)


def a_call(**fields: Any) -> Call:
    campaign = make_campaign(time_zone=fields.pop("zone", ""))
    return make_call(campaign_contact=make_campaign_contact(campaign, state="calling"), status="dialing", **fields)


def test_each_event_of_a_call_has_a_key_under_which_it_is_told_once() -> None:
    call = a_call()
    (fact,) = context.contexts_of([call.pk])
    end = ended(fact, Outcome.BUSY)
    nothing = FollowUp(stop="exhausted")
    chain = events.only_call(fact, end)

    told = [
        events.call_started(fact, at=NOW),
        events.call_received(fact, at=NOW),
        events.call_attempted(fact, end),
        events.call_ended(fact, end, nothing),
        events.call_exhausted(fact, chain, result="exhausted", reason="exhausted", attempts=1, at=NOW),
    ]

    assert [event.unique_key for event in told] == [
        f"call.started:{call.pk}",
        f"call.received:{call.pk}",
        f"call.attempted:{call.pk}",
        f"call.ended:{call.pk}",
        f"call.exhausted:{call.chain_id}",
    ]
    assert {(event.campaign_id, event.persona_id, event.call_id) for event in told} == {
        (call.campaign_id, call.persona_id, call.pk)
    }


def test_the_end_of_a_call_says_which_attempt_it_was_of_how_many() -> None:
    (call,) = context.contexts_of([a_call(attempt_number=2).pk])
    at = NOW + timedelta(hours=1)
    retry = FollowUp(
        next_retry_at=at,
        attempts_left=3,
        pending=PendingCallback(id=7, scheduled_at=at),
    )

    told = events.call_ended(call, ended(call, Outcome.BUSY), retry)

    assert told.data["retry"] == {
        "will_retry": True,
        "next_retry_at": "2025-03-12T11:00:00Z",
        "attempt_number": 2,
        "max_attempts": 5,
    }
    assert told.top_level["callback"] == {"id": 7, "scheduled_at": "2025-03-12T11:00:00+00:00"}


def test_what_was_given_with_a_call_comes_before_what_was_given_with_its_campaign() -> None:
    assert metadata_of('{"order": 7}', '{"wave": 3}') == {"order": 7}
    assert metadata_of("{}", '{"wave": 3}') == {"wave": 3}
    assert metadata_of(None, None) == {}


@pytest.mark.parametrize(("zone", "offset"), [("America/New_York", "-04:00"), ("", "+01:00")])
def test_status_urls_hear_of_times_on_the_campaigns_clock(zone: str, offset: str) -> None:
    (call,) = context.contexts_of([a_call(zone=zone).pk])

    tell = events.call_attempted(call, ended(call, Outcome.BUSY)).status

    assert tell is not None
    assert offset in str(tell())


def test_of_a_number_that_was_never_dialled_neither_status_urls_nor_arrays_hear() -> None:
    (call,) = context.contexts_of([a_call().pk])

    told = events.call_exhausted(call, NOTHING_DIALLED, result="cancelled", reason="cancelled", attempts=0, at=NOW)

    assert (told.status, told.batch) == (None, None)
