"""One action on many callbacks: counted, rehearsed, gone on with after a crash, and never done twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import QuerySet

from callbacks import actions, bulk, scheduling, tasks
from callbacks.bulk import Order
from callbacks.models import BulkAction, BulkRow, Callback
from callbacks.refusals import code_of, words_of
from callbacks.rules.statuses import BulkStatus, CallbackType
from callbacks.verbs import counted
from dialer.models import Call
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_suppression, make_workspace
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

MINUTE = timedelta(minutes=1)
SARA = Actor(kind="user", id="7", label="Sara")


def retries(count: int, **campaign: Any) -> QuerySet[Callback]:
    """Make pending retries of one campaign, due in an hour."""
    made = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 120]}, **campaign)
    for _ in range(count):
        make_campaign_contact(made)
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    return Callback.objects.filter(campaign=made, status="pending").order_by("id")


def order(rows: QuerySet[Callback], action: str, *, dry_run: bool = False, **fields: Any) -> Order:
    first = rows.first()
    assert first is not None
    fields.setdefault("reason", "storm")
    return Order(action=action, fields=fields, workspace_id=first.workspace_id, actor=SARA, dry_run=dry_run)


def start(rows: QuerySet[Callback], action: str, **options: Any) -> BulkAction:
    return bulk.start(order(rows, action, **options), rows, asked={"queue": "all_pending"}, now=NOW)


def run(job: BulkAction) -> BulkAction:
    while bulk.run_batch(job.pk, now=NOW + MINUTE):
        pass
    return BulkAction.objects.get(pk=job.pk)


def statuses() -> list[str]:
    return list(Callback.objects.order_by("id").values_list("status", flat=True))


def test_each_callback_is_done_by_itself_and_what_refuses_is_counted_by_its_reason(carrier: InProcessCarrier) -> None:
    rows = retries(3)
    job = start(rows, "cancel")
    first = rows[0]
    actions.call_now(first.pk, workspace_id=first.workspace_id, actor=SARA, now=NOW)
    dial(NOW)

    done = run(job)

    assert (done.status, done.total, done.done, done.refused) == (BulkStatus.DONE, 3, 2, {"already_dialing": 1})
    assert counted("cancel", done=done.done, refused=done.refused) == "2 cancelled, 1 already being dialled"
    assert statuses() == ["dialing", "cancelled", "cancelled"]
    assert [row.callback_id for row in bulk.refused_rows(done)] == [first.pk]
    assert BulkRow.objects.count() == 1


def test_every_change_leaves_its_own_audit_entry_of_whoever_asked_for_it(carrier: InProcessCarrier) -> None:
    job = start(retries(2), "cancel")

    run(job)

    assert set(AuditEntry.objects.filter(verb="cancel").values_list("actor_label", "reason")) == {("Sara", "storm")}
    assert AuditEntry.objects.get(verb="bulk_cancel").to_state == {"callbacks": 2, "queue": "all_pending"}


def test_a_dry_run_counts_what_would_change_and_changes_nothing(carrier: InProcessCarrier) -> None:
    rows = retries(3)
    being_dialled, promise, _ = rows
    job = start(rows, "skip", dry_run=True)
    Callback.objects.filter(pk=promise.pk).update(type="manual", number=None, limit=None)
    Call.objects.filter(pk=being_dialled.call_id).update(status="dialing", dialing_at=NOW)
    before = (statuses(), Event.objects.count(), AuditEntry.objects.count())

    done = run(job)

    assert (done.done, done.refused) == (1, {"already_dialing": 1, "not_a_retry": 1})
    assert (statuses(), Event.objects.count(), AuditEntry.objects.count()) == before
    assert counted("skip", done=1, refused={}, dry_run=True) == "1 would be skipped"


def test_what_the_filter_matches_later_is_not_done(carrier: InProcessCarrier) -> None:
    rows = retries(2)
    job = start(rows, "complete")
    late = make_campaign_contact(make_campaign(rows[0].contact.workspace, schedule=ROUND_THE_CLOCK))
    dial(NOW)
    end_all(NOW, "no_answer")

    assert run(job).total == 2
    assert Callback.objects.get(contact=late.contact).status == "pending"


def test_a_worker_that_was_killed_costs_nothing_and_nothing_is_done_twice(
    carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(retries(3), "reschedule", scheduled_at=(NOW + timedelta(hours=5)).isoformat())
    monkeypatch.setattr(bulk, "BATCH", 2)
    assert bulk.run_batch(job.pk, now=NOW + MINUTE)
    assert BulkAction.objects.get().done == 2

    assert bulk.resume_open(now=NOW + 2 * MINUTE + bulk.LEASE) == [job.pk]
    done = run(job)

    assert (done.status, done.done) == (BulkStatus.DONE, 3)
    assert AuditEntry.objects.filter(verb="reschedule").count() == 3
    assert not bulk.run_batch(job.pk, now=NOW + MINUTE)
    assert bulk.resume_open(now=NOW + timedelta(days=1)) == []


def test_a_job_that_a_worker_is_at_is_left_to_it(carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 1)
    job = start(retries(2), "cancel")
    bulk.run_batch(job.pk, now=NOW)

    assert bulk.resume_open(now=NOW + bulk.LEASE / 2) == []


def test_a_job_that_is_stopped_leaves_the_rest_alone(
    carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BATCH", 1)
    job = start(retries(3), "cancel")
    bulk.run_batch(job.pk, now=NOW)

    stopped = bulk.stop(job.pk, workspace_id=job.workspace_id, actor=SARA, reason="wrong tab", now=NOW)

    assert (run(job).status, stopped.done, statuses().count("pending")) == (BulkStatus.STOPPED, 1, 2)
    assert AuditEntry.objects.get(verb="stop_bulk").reason == "wrong tab"
    with pytest.raises(TransitionConflict):
        bulk.stop(job.pk, workspace_id=job.workspace_id, actor=SARA, now=NOW)


def test_one_row_that_breaks_something_keeps_no_other_from_its_turn(carrier: InProcessCarrier) -> None:
    rows = retries(2)
    broken, good = rows
    Callback.objects.filter(pk=broken.pk).update(time_zone="Nowhere/Land")

    done = run(start(rows, "reschedule", local_time="2025-03-13T12:00"))

    assert (done.status, done.done, done.refused) == (BulkStatus.DONE, 1, {"failed": 1})
    good.refresh_from_db()
    assert good.scheduled_at.day == 13


class _Deadlock:
    """Breaks off the statement that withdraws a call, as PostgreSQL does with one side of a deadlock."""

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        if "/* withdraw_calls */" in sql:
            message = "deadlock detected"
            raise OperationalError(message)
        return execute(sql, *arguments)


def test_a_row_that_met_a_deadlock_is_asked_again(carrier: InProcessCarrier) -> None:
    job = start(retries(1), "cancel")

    with connection.execute_wrapper(_Deadlock()), pytest.raises(OperationalError):
        bulk.run_batch(job.pk, now=NOW)

    assert (run(job).done, statuses()) == (1, ["cancelled"])


def test_a_contact_that_was_suppressed_is_counted_as_such(carrier: InProcessCarrier) -> None:
    rows = retries(1)
    make_suppression(rows[0].contact.workspace, rows[0].contact.phone)

    assert run(start(rows, "call_now")).refused == {"contact_suppressed": 1}


def test_a_local_time_is_on_each_contacts_own_clock(carrier: InProcessCarrier) -> None:
    rows = retries(2)
    berlin, tokyo = rows
    Callback.objects.filter(pk=tokyo.pk).update(time_zone="Asia/Tokyo")

    run(start(rows, "reschedule", local_time="2025-03-13T12:00"))

    times = {row.pk: row.scheduled_at.strftime("%d %H:%M") for row in Callback.objects.all()}
    assert times == {berlin.pk: "13 11:00", tokyo.pk: "13 03:00"}


def test_what_was_cancelled_in_bulk_can_be_taken_back_in_bulk(carrier: InProcessCarrier) -> None:
    rows = retries(3)
    run(start(rows, "cancel"))

    done = run(start(Callback.objects.filter(status="cancelled"), "undo"))

    assert (done.done, statuses()) == (3, ["pending"] * 3)
    assert Call.objects.filter(status="queued").count() == 3


@pytest.mark.parametrize("way", ["by ids", "as a job"])
def test_of_two_that_were_cancelled_for_one_contact_the_last_is_taken_back(carrier: InProcessCarrier, way: str) -> None:
    first = retries(1).get()
    actions.cancel(first.pk, workspace_id=first.workspace_id, actor=SARA, now=NOW + MINUTE)
    second = scheduling.request(
        workspace_id=first.workspace_id,
        contact_id=first.contact_id,
        campaign_id=first.campaign_id,
        type=CallbackType.MANUAL,
        scheduled_at=NOW + 120 * MINUTE,
        actor=SARA,
        now=NOW + 2 * MINUTE,
    ).callback
    actions.cancel(second.pk, workspace_id=first.workspace_id, actor=SARA, now=NOW + 3 * MINUTE)
    cancelled = Callback.objects.filter(status="cancelled")

    if way == "by ids":
        bulk.act(order(cancelled, "undo"), [first.pk, second.pk], now=NOW + 4 * MINUTE)
    else:
        run(start(cancelled, "undo"))

    assert Callback.objects.get(status="pending").pk == second.pk


def test_rows_of_another_workspace_are_never_among_them(carrier: InProcessCarrier) -> None:
    mine, theirs = retries(1), retries(1, workspace=make_workspace())

    job = bulk.start(order(mine, "cancel"), Callback.objects.all(), asked={}, now=NOW)

    assert run(job).total == 1
    assert theirs.get().status == "pending"


def test_the_task_goes_on_until_nothing_is_left(carrier: InProcessCarrier) -> None:
    job = start(retries(2), "cancel")

    tasks.run_bulk(str(job.pk))

    assert statuses() == ["cancelled", "cancelled"]


def test_to_take_back_what_is_pending_is_refused_as_such(carrier: InProcessCarrier) -> None:
    rows = retries(1)

    answers = bulk.act(order(rows, "undo"), [row.pk for row in rows], now=NOW)

    (refused,) = answers.values()
    assert refused is not None
    code = code_of(refused)
    assert code == "still_pending"
    assert words_of(code) == "still pending, with nothing to be undone"
