"""Deadlines against people and against themselves: an operator's word in time counts, and everything is told once."""

from datetime import timedelta

import pytest

from callbacks import actions, deadlines, scheduling
from callbacks.deadlines import EXPIRES_AFTER, LATE_AFTER
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from dialer.workspaces.audit import SYSTEM
from tests.concurrency.interleaving import Rewrites, Stop, threads
from tests.concurrency.members import a_member
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

NOT_ASKED_AGAIN: Rewrites = {"withdraw_calls": (("AND (NOT %(only_stale)s OR not_after < %(now)s)", ""),)}
NOT_MARKED: Rewrites = {
    "tell_late_promises": (("AND late_event_at IS NULL", ""), ("FOR NO KEY UPDATE SKIP LOCKED", "")),
}


def status_after_a_call_now_beside_the_expiry(rewrites: Rewrites) -> str:
    a_member(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    dial(NOW)
    end_all(NOW, "no_answer")
    retry = Callback.objects.get()
    at = retry.scheduled_at + EXPIRES_AFTER
    stop = Stop(before="withdraw_calls")
    with threads(rewrites) as run:
        expiring = run.start(lambda: deadlines.expire(now=at), stop, name="sweep")
        stop.wait()
        actions.call_now(retry.pk, workspace_id=retry.workspace_id, actor=SYSTEM, now=at)
        stop.go_on.set()
        expiring.result()
    retry.refresh_from_db()
    return retry.status


def test_a_retry_that_an_operator_calls_while_it_is_to_expire_is_called(carrier: InProcessCarrier) -> None:
    assert status_after_a_call_now_beside_the_expiry({}) == "pending"


def test_the_sweep_that_does_not_ask_again_takes_it_from_the_operator(carrier: InProcessCarrier) -> None:
    assert status_after_a_call_now_beside_the_expiry(NOT_ASKED_AGAIN) == "expired"


def alerts_of_two_sweeps(rewrites: Rewrites) -> int:
    member = a_member(make_campaign(schedule=ROUND_THE_CLOCK))
    promise = scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + timedelta(hours=1),
        actor=SYSTEM,
        now=NOW,
    ).callback
    at = promise.scheduled_at + LATE_AFTER
    stop = Stop(before="callback_facts")
    with threads(rewrites) as run:
        first = run.start(lambda: deadlines.tell_late(now=at), stop, name="first sweep")
        stop.wait()
        second = run.start(lambda: deadlines.tell_late(now=at), name="second sweep")
        run.gets_through(second)
        stop.go_on.set()
        first.result()
        second.result()
    return Event.objects.filter(type="callback.late").count()


def test_two_sweeps_at_once_tell_a_late_promise_once(carrier: InProcessCarrier) -> None:
    assert alerts_of_two_sweeps({}) == 1


def test_sweeps_that_do_not_mark_what_they_told_tell_it_twice(carrier: InProcessCarrier) -> None:
    assert alerts_of_two_sweeps(NOT_MARKED) == 2
