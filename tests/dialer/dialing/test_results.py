"""What a talk meant, and which result it lets go."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from dialer.calls import context, events
from dialer.calls.chains import Attempt, Chain, chains_of
from dialer.calls.listener import CallEnd, FollowUp
from dialer.dialing import conversation
from dialer.models import Call
from dialer.rules.statuses import Outcome
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.ids import new_id
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact, make_contact
from tests.webhooks.rows import make_endpoint
from webhooks.models import BatchItem
from webhooks.outbox import record_events

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOTHING = FollowUp(stop="answered")


def held() -> list[tuple[datetime, Any]]:
    """Return when each result may go, and what it says."""
    return [(item.ready_at, json.loads(bytes(item.body))) for item in BatchItem.objects.order_by("id")]


def analyze(call: Call, *, at: datetime) -> None:
    conversation.add_analysis(call.pk, {"summary": "Well."}, workspace_id=call.workspace_id, actor=SYSTEM, now=at)


def test_what_an_earlier_talk_meant_is_not_the_result_of_the_chain() -> None:
    member = make_campaign_contact(make_campaign(), state="reached")
    make_endpoint(member.workspace, profile="batch")
    first, last = (
        make_call(campaign_contact=member, status="ended", outcome="answered", attempt_number=n, answered_at=NOW)
        for n in (1, 2)
    )
    (call,) = context.contexts_of([last.pk])
    chain = chains_of([last.chain_id])[last.chain_id]
    told = events.call_exhausted(call, chain, result="reached", reason="answered", attempts=2, at=NOW + MINUTE)
    record_events([told], now=NOW + MINUTE)
    ((waits_until, _),) = held()
    assert waits_until > NOW + MINUTE

    analyze(first, at=NOW + 2 * MINUTE)
    assert held()[0][0] == waits_until

    analyze(last, at=NOW + 3 * MINUTE)
    assert held()[0][0] == NOW + 3 * MINUTE


def test_what_a_call_that_came_in_meant_lets_its_result_go() -> None:
    contact = make_contact()
    make_endpoint(contact.workspace, profile="batch")
    call = make_call(contact, direction="inbound", status="ended", outcome="answered", answered_at=NOW)
    (fact,) = context.contexts_of([call.pk])
    end = CallEnd(
        call_id=call.pk,
        outcome=Outcome.ANSWERED,
        ended_reason="contact_hangup",
        at=NOW,
        duration_seconds=9,
        answered_at=NOW,
    )
    record_events([events.call_ended(fact, end, NOTHING)], now=NOW)
    assert held()[0][0] > NOW + MINUTE

    analyze(call, at=NOW + MINUTE)

    assert held()[0][0] == NOW + MINUTE


def test_the_last_talk_decides_about_a_chain_else_the_last_attempt() -> None:
    def a_chain(*outcomes: Outcome) -> Chain:
        return Chain(
            attempts=tuple(
                Attempt(
                    id=new_id(),
                    outcome=outcome,
                    number="+4930111222",
                    caller_id="",
                    began_at=NOW,
                    answered_at=None,
                    ended_at=NOW,
                )
                for outcome in outcomes
            )
        )

    talked, in_vain = a_chain(Outcome.ANSWERED, Outcome.NO_ANSWER), a_chain(Outcome.BUSY, Outcome.NO_ANSWER)

    assert talked.deciding is talked.attempts[0]
    assert in_vain.deciding is in_vain.attempts[1]
    assert Chain().deciding is None
