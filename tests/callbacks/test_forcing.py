"""A force lasts for one dial, the checks it named, and a quarter of an hour after the time it was meant for."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from callbacks import actions, scheduling
from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force, Scheduled
from dialer.campaigns import lifecycle
from dialer.dialing import claim
from dialer.models import Call, Campaign
from dialer.rules.forcing import FORCE_LASTS
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier, in_process_carrier
from tests.pipeline import dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)
EVENING = NOW + timedelta(hours=11)
"""22:00 in Berlin: the default window closed two hours ago."""


@pytest.fixture
def _carrier() -> Iterator[InProcessCarrier]:
    with in_process_carrier() as carrier:
        yield carrier


@pytest.fixture
def retry(_carrier: InProcessCarrier) -> Callback:
    make_campaign_contact(make_campaign(schedule={"callback_retry_schedule": [60, 60]}))
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    made: Callback = Callback.objects.get()
    return made


def force(retry: Callback, *checks: str) -> None:
    actions.call_now(
        retry.pk,
        workspace_id=retry.workspace_id,
        force=Force(checks=frozenset(checks), reason="She asked for it"),
        actor=SYSTEM,
        now=EVENING,
    )


def test_a_call_forced_past_the_window_is_dialled_for_a_quarter_of_an_hour(retry: Callback) -> None:
    force(retry, "outside_window")

    assert why_waiting([Callback.objects.get()], now=EVENING + SECOND) == {}
    assert dial(EVENING + FORCE_LASTS)["placed"] == 1


def test_a_force_is_void_where_the_call_could_not_be_dialled_in_time(retry: Callback) -> None:
    force(retry, "outside_window")
    late = EVENING + FORCE_LASTS + SECOND

    assert why_waiting([Callback.objects.get()], now=late)[retry.pk].code == "outside_window"
    assert dial(late) == {"placed": 0, "held": 1, "dropped": 0, "not_ours": 0}

    call = Call.objects.get(pk=retry.call_id)
    assert (call.held_reason, call.due_at) == ("outside_window", NOW + timedelta(hours=22))
    assert dial(call.due_at)["placed"] == 1


def test_a_force_past_a_pause_is_void_as_late_and_the_claim_leaves_the_call_alone(retry: Callback) -> None:
    campaign = Campaign.objects.get()
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)
    force(retry, "campaign_paused", "outside_window")

    assert claim.claim_due(limit=10, now=EVENING + FORCE_LASTS + SECOND) == []
    assert len(claim.claim_due(limit=10, now=EVENING + FORCE_LASTS)) == 1


def test_a_force_lasts_for_one_dial(retry: Callback) -> None:
    force(retry, "outside_window")
    dial(EVENING)
    end_all(EVENING, "no_answer", lasted=timedelta())

    following = Callback.objects.get(status="pending")
    assert following.scheduled_at == NOW + timedelta(hours=22)
    assert Call.objects.get(pk=following.call_id).force is None


def test_what_is_moved_past_a_pause_by_force_is_dialled_then(retry: Callback) -> None:
    campaign = Campaign.objects.get()
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)
    at = NOW + timedelta(minutes=5)

    actions.reschedule(
        retry.pk,
        workspace_id=retry.workspace_id,
        scheduled_at=at,
        force=Force(checks=frozenset({"campaign_paused"}), reason="She asked for it"),
        actor=SYSTEM,
        now=NOW,
    )

    assert dial(at - timedelta(minutes=1))["placed"] == 0
    assert dial(at)["placed"] == 1


def test_what_is_promised_past_a_pause_by_force_is_held_by_nothing(retry: Callback) -> None:
    campaign = Campaign.objects.get()
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)
    at = NOW + timedelta(minutes=5)

    def promise(force: Force | None) -> Scheduled:
        return scheduling.request(
            workspace_id=retry.workspace_id,
            contact_id=retry.contact_id,
            campaign_id=retry.campaign_id,
            type=CallbackType.CUSTOMER_REQUESTED,
            scheduled_at=at,
            force=force,
            actor=SYSTEM,
            now=NOW,
        )

    assert promise(None).held_by == "campaign_paused"
    assert dial(at)["placed"] == 0
    assert promise(Force(checks=frozenset({"campaign_paused"}), reason="She asked for it")).held_by == ""
    assert dial(at)["placed"] == 1
