"""The tasks of the callback queue: each finds by the rows alone what there is to do, at the time that it is now."""

from datetime import timedelta

import pytest

from callbacks import bulk, tasks
from callbacks.bulk import Order
from callbacks.deadlines import EXPIRES_AFTER, LATE_AFTER
from callbacks.models import BulkAction, Callback
from callbacks.rules.statuses import BulkStatus
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from tests.broker import Broker, broker
from tests.factories import ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker", "carrier"]

MINUTE = timedelta(minutes=1)


def retries(count: int) -> list[Callback]:
    """Make pending retries that are due in an hour."""
    now = database_now()
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    for _ in range(count):
        make_campaign_contact(campaign)
    dial(now)
    end_all(now, "no_answer", lasted=timedelta())
    return list(Callback.objects.order_by("id"))


def started(callbacks: list[Callback]) -> BulkAction:
    order = Order(action="cancel", fields={}, workspace_id=callbacks[0].workspace_id, actor=SYSTEM)
    return bulk.start(order, Callback.objects.all(), asked={}, now=database_now())


def statuses() -> set[str]:
    return set(Callback.objects.values_list("status", flat=True))


def test_deadlines_are_kept_late_promises_are_told_and_stale_retries_expire(carrier: InProcessCarrier) -> None:
    late, stale = retries(2)
    now = database_now()
    Callback.objects.filter(pk=late.pk).update(type="customer_requested", scheduled_at=now - LATE_AFTER - MINUTE)
    Callback.objects.filter(pk=stale.pk).update(scheduled_at=now - EXPIRES_AFTER - MINUTE)
    Call.objects.filter(pk=stale.call_id).update(not_after=now - MINUTE)

    tasks.keep_deadlines()

    assert Event.objects.filter(type="callback.late").count() == 1
    assert Callback.objects.get(pk=stale.pk).status == "expired"


def test_a_bulk_action_whose_message_was_lost_is_nudged_again_and_one_that_somebody_is_at_is_not(
    carrier: InProcessCarrier, broker: Broker
) -> None:
    callbacks = retries(1)
    lost, at_work = started(callbacks), started(callbacks)
    BulkAction.objects.filter(pk=at_work.pk).update(lease_until=database_now() + MINUTE)

    tasks.resume_bulks()

    (message,) = broker.take("default")
    assert (message.task, message.args) == ("callbacks.run_bulk", [str(lost.pk)])
    tasks.run_bulk(*message.args)
    assert statuses() == {"cancelled"}


def test_a_bulk_action_is_done_to_its_end_in_batches(
    carrier: InProcessCarrier, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(retries(3))
    monkeypatch.setattr(bulk, "BATCH", 1)

    tasks.run_bulk(str(job.pk))

    job.refresh_from_db()
    assert (job.status, job.done) == (BulkStatus.DONE, 3)
    assert broker.take("default") == []


def test_a_bulk_action_whose_turn_is_over_goes_on_with_a_message_of_its_own(
    carrier: InProcessCarrier, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(retries(3))
    monkeypatch.setattr(bulk, "BATCH", 1)
    monkeypatch.setattr(tasks, "BULK_TURN_SECONDS", 0)

    tasks.run_bulk(str(job.pk))

    (message,) = broker.take("default")
    assert (message.task, message.args) == ("callbacks.run_bulk", [str(job.pk)])
    assert statuses() == {"pending", "cancelled"}
