"""What time does to pending callbacks: stale retries wait and expire, late promises are told once."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from callbacks import actions, deadlines, scheduling, tasks
from callbacks.deadlines import EXPIRES_AFTER, LATE_AFTER
from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from callbacks.rules.statuses import CallbackType
from dialer.calls import calls
from dialer.models import Call, Campaign, CampaignContact
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry, Workspace
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from tests.webhooks.rows import make_endpoint
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def a_retry(delay: int = 60) -> Callback:
    """Make a retry that is due ``delay`` minutes after the first call ended, twenty seconds after NOW."""
    schedule = {**ROUND_THE_CLOCK, "callback_retry_schedule": [delay]}
    make_campaign_contact(make_campaign(schedule=schedule))
    dial(NOW)
    end_all(NOW, "no_answer")
    made: Callback = Callback.objects.latest("id")
    return made


def a_promise(kind: CallbackType = CallbackType.CUSTOMER_REQUESTED) -> Callback:
    member: CampaignContact = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    return scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=kind,
        scheduled_at=NOW + HOUR,
        actor=SYSTEM,
        now=NOW,
    ).callback


def told(type_: str) -> int:
    return Event.objects.filter(type=type_).count()


def test_a_retry_is_dialled_until_the_stale_hours_are_over_and_waits_for_a_person_after(
    carrier: InProcessCarrier,
) -> None:
    retry = a_retry()
    stale_at = retry.scheduled_at + timedelta(hours=72)

    assert dial(stale_at + SECOND)["placed"] == 0
    assert why_waiting([retry], now=stale_at + SECOND)[retry.pk].code == "stale"
    assert dial(stale_at)["placed"] == 1


def test_the_hours_until_a_retry_is_stale_are_a_setting_of_the_workspace(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    Workspace.objects.update(stale_after_hours=2)
    dial(NOW)
    end_all(NOW, "no_answer")
    retry = Callback.objects.get()

    assert dial(retry.scheduled_at + 2 * HOUR + SECOND)["placed"] == 0


def test_an_operator_may_call_a_stale_retry_now(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    late = retry.scheduled_at + timedelta(hours=80)

    actions.call_now(retry.pk, workspace_id=retry.workspace_id, actor=SYSTEM, now=late)

    assert dial(late)["placed"] == 1


def test_a_stale_retry_expires_when_it_is_seven_days_late_and_its_chain_ends_exhausted(
    carrier: InProcessCarrier,
) -> None:
    retry = a_retry()
    assert deadlines.expire(now=retry.scheduled_at + timedelta(days=7) - SECOND) == []

    at = retry.scheduled_at + timedelta(days=7)
    assert deadlines.expire(now=at) == [retry.call_id]

    retry.refresh_from_db()
    retry.call.refresh_from_db()
    assert (retry.status, retry.call.status) == ("expired", "withdrawn")
    assert retry.explanation[-1]["code"] == "expired"
    member = CampaignContact.objects.get()
    assert (member.state, member.end_reason, member.ended_at) == ("exhausted", "expired", at)
    assert told("callback.expired") == told("call.exhausted") == 1
    assert AuditEntry.objects.filter(verb="expire", object_id=str(retry.pk)).count() == 1


def test_a_retry_expires_once_however_often_the_sweep_looks(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    at = retry.scheduled_at + EXPIRES_AFTER

    deadlines.expire(now=at)
    deadlines.expire(now=at + MINUTE)

    assert told("callback.expired") == told("call.exhausted") == 1


def test_two_sweeps_at_once_expire_each_retry_once(carrier: InProcessCarrier) -> None:
    retries = [a_retry() for _ in range(4)]
    at = max(retry.scheduled_at for retry in retries) + EXPIRES_AFTER
    found: list[object] = []
    together = threading.Barrier(2)

    def sweep() -> None:
        together.wait()
        found.extend(deadlines.expire(now=at))
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, found)) == sorted(str(retry.call_id) for retry in retries)
    assert told("callback.expired") == told("call.exhausted") == 4


def test_a_retry_that_an_operator_moved_while_the_sweep_looked_does_not_expire(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    at = retry.scheduled_at + EXPIRES_AFTER
    actions.reschedule(retry.pk, workspace_id=retry.workspace_id, scheduled_at=at + HOUR, actor=SYSTEM, now=at - MINUTE)

    with transaction.atomic():
        withdrawn = calls.withdraw([retry.call_id], why=Withdrawal.EXPIRED, now=at, only_stale=True)

    assert withdrawn == []
    retry.refresh_from_db()
    assert retry.status == "pending"


def test_a_retry_that_its_workspace_does_not_hold_for_stale_does_not_expire(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    Workspace.objects.update(stale_after_hours=24 * 10)
    dial(NOW)
    end_all(NOW, "no_answer")
    retry = Callback.objects.get()

    assert deadlines.expire(now=retry.scheduled_at + EXPIRES_AFTER + MINUTE) == []
    assert dial(retry.scheduled_at + EXPIRES_AFTER + MINUTE)["placed"] == 1


@pytest.mark.parametrize("kind", [CallbackType.CUSTOMER_REQUESTED, CallbackType.MANUAL])
def test_a_promise_fifteen_minutes_late_is_told_once_and_never_dropped(
    kind: CallbackType, carrier: InProcessCarrier
) -> None:
    promise = a_promise(kind)
    assert deadlines.tell_late(now=promise.scheduled_at + 15 * MINUTE - SECOND) == []

    assert deadlines.tell_late(now=promise.scheduled_at + 15 * MINUTE) == [promise.pk]
    assert deadlines.tell_late(now=promise.scheduled_at + 16 * MINUTE) == []

    assert told("callback.late") == 1
    promise.refresh_from_db()
    assert promise.late_event_at == promise.scheduled_at + 15 * MINUTE
    much_later = promise.scheduled_at + timedelta(days=20)
    assert deadlines.expire(now=much_later) == []
    assert dial(much_later)["placed"] == 1


def test_a_late_promise_says_what_holds_it(carrier: InProcessCarrier) -> None:
    promise = a_promise()
    Campaign.objects.update(status="paused")

    deadlines.tell_late(now=promise.scheduled_at + LATE_AFTER)

    assert b'"reason":"campaign_paused"' in bytes(Event.objects.get(type="callback.late").body).replace(b" ", b"")


def test_an_alert_is_for_whoever_runs_the_queue_and_not_for_the_webhooks_of_the_call(carrier: InProcessCarrier) -> None:
    promise = a_promise()
    workspace = promise.contact.workspace
    alerted = make_endpoint(workspace, events=["callback.late"])
    given = make_endpoint(workspace, purpose="inline", fingerprint="a")
    entry = {"endpoint_id": str(given.pk), "events": ["*"], "profile": "envelope"}
    Call.objects.filter(pk=promise.call_id).update(config_webhooks=[entry])

    deadlines.tell_late(now=promise.scheduled_at + LATE_AFTER)

    assert Delivery.objects.get().endpoint == alerted


def test_a_promise_that_was_moved_may_be_late_again(carrier: InProcessCarrier) -> None:
    promise = a_promise()
    late = promise.scheduled_at + LATE_AFTER
    deadlines.tell_late(now=late)
    actions.reschedule(promise.pk, workspace_id=promise.workspace_id, scheduled_at=late + HOUR, actor=SYSTEM, now=late)

    assert deadlines.tell_late(now=late + HOUR) == []
    assert deadlines.tell_late(now=late + HOUR + LATE_AFTER) == [promise.pk]


def test_a_late_retry_raises_no_alert(carrier: InProcessCarrier) -> None:
    retry = a_retry()

    assert deadlines.tell_late(now=retry.scheduled_at + HOUR) == []


def test_the_sweep_goes_on_while_there_is_more_than_a_batch(
    carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    retries = [a_retry() for _ in range(3)]
    Callback.objects.update(scheduled_at=NOW - timedelta(days=400))
    Call.objects.filter(status="queued").update(not_after=NOW - timedelta(days=390))
    monkeypatch.setattr(tasks, "BATCH", 2)

    tasks.keep_deadlines()

    assert set(Callback.objects.filter(pk__in=[r.pk for r in retries]).values_list("status", flat=True)) == {"expired"}


def test_the_sweep_for_late_promises_reads_its_own_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("""
            EXPLAIN SELECT id FROM callbacks_callback
            WHERE status = 'pending' AND type <> 'auto_retry' AND late_event_at IS NULL AND scheduled_at <= now()
            ORDER BY scheduled_at LIMIT 500
        """)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")

    assert "callback_late_to_tell" in plan
