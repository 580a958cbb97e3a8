"""A promise against the end of what it belongs to: whoever comes second sees the other, and nothing is lost."""

from datetime import timedelta

import pytest

from callbacks import scheduling
from callbacks.models import Callback
from callbacks.refusals import CampaignOver
from callbacks.rules.statuses import CallbackType
from dialer.campaigns import completion as campaign_completion
from dialer.models import CampaignContact
from dialer.workspaces.audit import SYSTEM
from tests.concurrency.interleaving import Rewrites, Stop, threads
from tests.concurrency.members import a_member
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

NO_LOCK_ON_CALLS: Rewrites = {"lock_open_calls": (("FOR NO KEY UPDATE", ""),)}
NO_LOCK_ON_CAMPAIGN: Rewrites = {"share_campaign": (("FOR SHARE", ""),)}


def a_contact_in_a_campaign() -> CampaignContact:
    return a_member(make_campaign(schedule=ROUND_THE_CLOCK, completes_at_once=True))


def promise(member: CampaignContact) -> None:
    scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + timedelta(hours=1),
        actor=SYSTEM,
        now=NOW,
    )


def state_after_an_end_beside_a_promise(rewrites: Rewrites) -> str:
    member = a_contact_in_a_campaign()
    dial(NOW)
    stop = Stop(before="queue_calls")
    with threads(rewrites) as run:
        promising = run.start(lambda: promise(member), stop, name="promiser")
        stop.wait()
        ending = run.start(lambda: end_all(NOW, "answered"), name="reports")
        run.held_back(ending, by=promising)
        stop.go_on.set()
        promising.result()
        ending.result()
    member.refresh_from_db()
    return str(member.state)


def test_a_call_that_ends_while_its_contact_is_promised_another_leaves_the_chain_waiting(
    carrier: InProcessCarrier,
) -> None:
    assert state_after_an_end_beside_a_promise({}) == "callback_pending"
    assert Callback.objects.get().status == "pending"


def test_without_its_lock_the_promise_is_not_seen_by_the_end(carrier: InProcessCarrier) -> None:
    assert state_after_an_end_beside_a_promise(NO_LOCK_ON_CALLS) == "reached"


def campaign_after_completing_beside_a_promise(rewrites: Rewrites) -> str:
    member = a_contact_in_a_campaign()
    dial(NOW)
    end_all(NOW, "answered")
    stop = Stop(before="queue_calls")
    with threads(rewrites) as run:
        promising = run.start(lambda: promise(member), stop, name="promiser")
        stop.wait()
        completing = run.start(lambda: campaign_completion.complete_finished(now=NOW), name="sweep")
        run.gets_through(completing)
        stop.go_on.set()
        promising.result()
        completing.result()
    campaign_completion.complete_finished(now=NOW)
    member.campaign.refresh_from_db()
    return str(member.campaign.status)


def test_a_campaign_does_not_complete_over_a_promise_that_is_being_made(carrier: InProcessCarrier) -> None:
    assert campaign_after_completing_beside_a_promise({}) == "running"


def test_without_its_lock_the_campaign_completes_over_the_promise(carrier: InProcessCarrier) -> None:
    assert campaign_after_completing_beside_a_promise(NO_LOCK_ON_CAMPAIGN) == "completed"


def test_a_promise_waits_for_a_claim_under_way_and_supersedes_its_call(carrier: InProcessCarrier) -> None:
    member = a_contact_in_a_campaign()
    stop = Stop(before="first_calls_claimed")
    with threads({}) as run:
        claiming = run.start(lambda: claim(NOW), stop, name="dispatcher")
        stop.wait()
        promising = run.start(lambda: promise(member), name="promiser")
        run.held_back(promising, by=claiming)
        stop.go_on.set()
        claiming.result()
        promising.result()

    assert [call.status for call in member.calls.order_by("id")] == ["withdrawn", "queued"]


def test_nothing_is_promised_in_a_campaign_that_has_just_completed(carrier: InProcessCarrier) -> None:
    member = a_contact_in_a_campaign()
    dial(NOW)
    end_all(NOW, "answered")
    stop = Stop(before="share_campaign")
    with threads({}) as run:
        promising = run.start(lambda: promise(member), stop, name="promiser")
        stop.wait()
        campaign_completion.complete_finished(now=NOW)
        stop.go_on.set()
        with pytest.raises(CampaignOver):
            promising.result()
