"""Resuming a campaign: what becomes of retries whose time passed meanwhile, and of promises."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from callbacks import scheduling
from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from callbacks.rules.statuses import CallbackType
from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import lifecycle
from dialer.campaigns.lifecycle import CampaignNotStartable, Overdue
from dialer.dialing import claim, placing
from dialer.dialing.placing import Claim
from dialer.models import Call, Campaign
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier, in_process_carrier
from tests.pipeline import dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def carrier() -> Iterator[InProcessCarrier]:
    with in_process_carrier() as carrier:
        yield carrier


def a_paused_retry(outcome: str = "no_answer", **schedule: Any) -> Callback:
    """Make a retry in a campaign that is paused before its time."""
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, **schedule}))
    dial(NOW)
    end_all(NOW, outcome, lasted=timedelta())
    campaign = Campaign.objects.get()
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)
    retry: Callback = Callback.objects.select_related("call").get()
    return retry


def resume(overdue: Overdue, now: Any) -> lifecycle.Touched:
    campaign = Campaign.objects.get()
    return lifecycle.resume(campaign.pk, workspace_id=campaign.workspace_id, overdue=overdue, actor=SYSTEM, now=now)


def test_a_retry_that_is_rescheduled_keeps_its_own_delay_from_the_resume_on() -> None:
    retry = a_paused_retry(callback_retry_schedule=[45, 600])
    now = NOW + 5 * HOUR

    assert resume("reschedule", now).overdue == 1

    retry.refresh_from_db()
    retry.call.refresh_from_db()
    assert retry.scheduled_at == retry.call.due_at == now + 45 * MINUTE
    assert retry.call.not_after == retry.scheduled_at + timedelta(hours=72)
    assert (retry.number, retry.call.retries_used) == (1, 1)
    assert retry.explanation[-1]["code"] == "campaign_resumed"
    assert b'"campaign_resumed"' in bytes(Event.objects.get(type="callback.rescheduled").body)
    assert dial(now)["placed"] == 0
    assert dial(now + 45 * MINUTE)["placed"] == 1


@pytest.mark.parametrize("overdue", ["reschedule", "cancel"])
def test_a_resume_of_many_that_breaks_off_leaves_the_campaign_paused_and_is_gone_on_with(
    overdue: Overdue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_MOVES", 2)
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [45]})
    for _ in range(5):
        make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)
    now = NOW + 5 * HOUR
    untouched = Callback.objects.filter(status="pending", scheduled_at__lt=now)

    with connection.execute_wrapper(_BreaksOff(after=2)), pytest.raises(_Killed):
        resume(overdue, now)
    assert Campaign.objects.get().status == "paused"
    assert untouched.count() == 1

    assert resume(overdue, now + MINUTE).overdue == 1
    assert Campaign.objects.get().status == "running"
    assert untouched.count() == 0
    assert Event.objects.filter(type__in=["callback.rescheduled", "callback.cancelled"]).count() == 5


class _Killed(Exception):
    """The process is gone."""


class _BreaksOff:
    """Ends the process when it takes retries for the third time."""

    def __init__(self, *, after: int) -> None:
        self.left = after

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        if "/* withdraw_calls */" in sql or "/* move_calls */" in sql:
            if not self.left:
                raise _Killed
            self.left -= 1
        return execute(sql, *arguments)


def test_the_delay_is_that_of_the_outcome_where_a_policy_gives_it() -> None:
    retry = a_paused_retry("busy")
    now = NOW + 5 * HOUR

    resume("reschedule", now)

    retry.refresh_from_db()
    assert retry.scheduled_at == now + HOUR


def test_a_rescheduled_retry_waits_for_the_window() -> None:
    make_campaign_contact(make_campaign(schedule={"callback_retry_schedule": [45]}))
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    campaign = Campaign.objects.get()
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)

    resume("reschedule", NOW + 8 * HOUR + 30 * MINUTE)  # 19:30 in Berlin

    assert Callback.objects.get().scheduled_at == NOW + 22 * HOUR


def test_a_stale_retry_may_be_rescheduled_by_the_operator_who_resumes() -> None:
    retry = a_paused_retry(callback_retry_schedule=[45])
    now = NOW + timedelta(days=5)

    assert resume("reschedule", now).overdue == 1
    assert dial(now + 45 * MINUTE)["placed"] == 1
    retry.refresh_from_db()
    assert retry.status == "dialing"


@pytest.mark.parametrize("overdue", ["call", "reschedule", "cancel"])
def test_promises_are_called_whatever_is_said_of_retries(overdue: Overdue) -> None:
    retry = a_paused_retry(callback_retry_schedule=[45])
    promise = scheduling.request(
        workspace_id=retry.workspace_id,
        contact_id=retry.contact_id,
        campaign_id=retry.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + HOUR,
        actor=SYSTEM,
        now=NOW,
    )
    assert promise.held_by == "campaign_paused"
    now = NOW + 5 * HOUR

    touched = resume(overdue, now)

    assert (touched.callbacks, touched.promises, touched.overdue) == (1, 1, 0)
    assert dial(now)["placed"] == 1


def test_a_campaign_whose_end_has_come_pauses_and_holds_what_it_promised() -> None:
    retry = a_paused_retry(callback_retry_schedule=[45])
    resume("call", NOW + MINUTE)
    end_at = NOW + 30 * MINUTE
    Campaign.objects.update(end_at=end_at)

    assert len(campaign_completion.pause_at_end(now=end_at)) == 1

    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.pause_reason) == ("paused", "end_at_reached")
    assert dial(NOW + HOUR) == {"placed": 0, "held": 0, "dropped": 0, "not_ours": 0}
    assert why_waiting([retry], now=NOW + HOUR)[retry.pk].code == "campaign_paused"
    with pytest.raises(CampaignNotStartable):
        resume("call", NOW + HOUR)
    later = {**campaign.schedule, "end_at": (NOW + 2 * HOUR).isoformat()}
    lifecycle.edit(campaign.pk, workspace_id=campaign.workspace_id, schedule=later, actor=SYSTEM, now=NOW + HOUR)
    resume("call", NOW + HOUR)
    assert dial(NOW + HOUR)["placed"] == 1


def test_a_call_claimed_before_the_end_is_not_dialled_after_it() -> None:
    a_paused_retry(callback_retry_schedule=[45])
    resume("call", NOW + MINUTE)
    due_at = Call.objects.get(status="queued").due_at
    Campaign.objects.update(end_at=due_at)
    claims = [
        Claim(call_id=call.call_id, generation=call.generation)
        for call in claim.claim_due(limit=10, now=due_at - timedelta(seconds=5))
    ]
    assert len(claims) == 1

    assert placing.place(claims, now=due_at) == {"placed": 0, "held": 1, "dropped": 0, "not_ours": 0}
    assert Call.objects.get(status="queued").held_reason == "campaign_paused"
