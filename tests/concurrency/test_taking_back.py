"""An undo beside a promise, a bulk action with two workers: nothing is there twice, and nothing is done twice."""

from datetime import timedelta

import pytest
from django.db import IntegrityError

from callbacks import actions, bulk, scheduling, undoing
from callbacks.bulk import Order
from callbacks.models import BulkAction, Callback
from callbacks.refusals import AlreadyPending
from callbacks.rules.statuses import CallbackType
from dialer.models import Call, CampaignContact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from tests.concurrency.interleaving import Rewrites, Stop, threads
from tests.concurrency.members import a_member
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

LATER = NOW + timedelta(minutes=2)
NO_LOCKS: Rewrites = {"lock_numbers": (("pg_advisory_xact_lock(k)", "k"),)}


def retries(count: int) -> list[Callback]:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    for _ in range(count):
        a_member(campaign)
    dial(NOW)
    end_all(NOW, "no_answer")
    return list(Callback.objects.filter(status="pending").order_by("id"))


def cancelled() -> Callback:
    [callback] = retries(1)
    at = NOW + timedelta(minutes=1)
    return actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=at)


def undo(callback: Callback) -> None:
    undoing.undo(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=LATER)


def promise(callback: Callback, kind: CallbackType = CallbackType.CUSTOMER_REQUESTED) -> None:
    scheduling.request(
        workspace_id=callback.workspace_id,
        contact_id=callback.contact_id,
        campaign_id=callback.campaign_id,
        type=kind,
        scheduled_at=NOW + timedelta(hours=3),
        actor=SYSTEM,
        now=LATER,
    )


def undo_beside_a_promise(callback: Callback, rewrites: Rewrites) -> None:
    stop = Stop(before="requeue_withdrawn")
    with threads(rewrites) as run:
        undoing_it = run.start(lambda: undo(callback), stop, name="operator")
        stop.wait()
        promising = run.start(lambda: promise(callback), name="promiser")
        run.held_back(promising, by=undoing_it)
        stop.go_on.set()
        undoing_it.result()
        promising.result()


def test_a_promise_waits_for_an_undo_and_supersedes_what_it_restored(carrier: InProcessCarrier) -> None:
    callback = cancelled()

    undo_beside_a_promise(callback, {})

    callback.refresh_from_db()
    assert callback.status == "superseded"
    assert Callback.objects.get(status="pending").type == "customer_requested"
    assert Call.objects.filter(status="queued").count() == 1
    assert CampaignContact.objects.get().state == "callback_pending"


def test_without_the_lock_the_database_refuses_the_second_of_two(carrier: InProcessCarrier) -> None:
    callback = cancelled()

    with pytest.raises(IntegrityError):
        undo_beside_a_promise(callback, NO_LOCKS)
    assert Callback.objects.filter(status="pending").count() == 1


def test_an_undo_waits_for_a_promise_and_is_refused_with_its_name(carrier: InProcessCarrier) -> None:
    callback = cancelled()
    stop = Stop(before="queue_calls")
    with threads({}) as run:
        promising = run.start(lambda: promise(callback), stop, name="promiser")
        stop.wait()
        undoing_it = run.start(lambda: undo(callback), name="operator")
        run.held_back(undoing_it, by=promising)
        stop.go_on.set()
        promising.result()
        with pytest.raises(AlreadyPending):
            undoing_it.result()


def test_two_workers_at_one_bulk_action_do_each_callback_once(carrier: InProcessCarrier) -> None:
    rows = retries(4)
    order = Order(action="cancel", fields={"reason": ""}, workspace_id=rows[0].workspace_id, actor=SYSTEM)
    job = bulk.start(order, Callback.objects.all(), asked={}, now=NOW)
    stop = Stop(before="withdraw_calls")
    with threads({}) as run:
        first = run.start(lambda: bulk.run_batch(job.pk, now=LATER), stop, name="first worker")
        stop.wait()
        second = run.start(lambda: bulk.run_batch(job.pk, now=LATER), name="second worker")
        second.result()
        left = Callback.objects.filter(status="pending").count()
        stop.go_on.set()
        first.result()

    job = BulkAction.objects.get()
    assert (left, job.status, job.done, job.refused) == (1, "done", 4, {})
    assert AuditEntry.objects.filter(verb="cancel").count() == 4
