"""A replay sends once more what an endpoint missed, as long as that takes, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.webhooks.receivers import OK, Receivers
from tests.webhooks.rows import NOW, make_delivery, make_endpoint, new_event, record
from tests.webhooks.sending import nothing_pending, run_until
from webhooks import endpoints, replay
from webhooks.endpoints import EndpointInactive
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Replay
from webhooks.replay import NoSuchTime, Turn, Wanted
from webhooks.rules.statuses import DeliveryStatus
from webhooks.sender import Sender

LATER = NOW + timedelta(hours=1)
ALL = Wanted(since=NOW - timedelta(hours=1))
"""Whatever was missed around the time of the tests."""


def settled(endpoint: Endpoint, status: str, *, now: datetime = NOW, **fields: Any) -> Delivery:
    delivery = make_delivery(endpoint, now=now, **fields)
    Delivery.objects.filter(pk=delivery.pk).update(status=status, settled_at=now, generation=4, failures=4)
    return delivery


def start(endpoint: Endpoint, wanted: Wanted = ALL, **options: Any) -> Replay:
    options.setdefault("now", LATER)
    return replay.start(endpoint.pk, wanted, workspace_id=endpoint.workspace_id, actor=SYSTEM, **options)


def pending() -> set[UUID]:
    return set(Delivery.objects.filter(status="pending").values_list("id", flat=True))


@pytest.mark.django_db
def test_what_failed_or_was_suppressed_is_sent_once_more_and_what_arrived_is_not() -> None:
    endpoint = make_endpoint()
    failed, suppressed = settled(endpoint, "failed"), settled(endpoint, "suppressed")
    settled(endpoint, "delivered")
    elsewhere = settled(make_endpoint(endpoint.workspace), "failed")
    Delivery.objects.filter(event=elsewhere.event, endpoint=endpoint).delete()
    Delivery.objects.exclude(status__in=["failed", "suppressed", "delivered"]).delete()

    started = start(endpoint)
    turn = replay.run_batch(started.pk, now=LATER)

    assert turn is Turn.OVER
    assert pending() == {failed.pk, suppressed.pk}
    done = Replay.objects.get()
    assert (done.status, done.total, done.replayed, done.finished_at) == ("done", 2, 2, LATER)
    assert done.counts == {"failed": 1, "suppressed": 1}
    again = Delivery.objects.get(pk=failed.pk)
    assert (again.due_at, again.failures, again.generation, again.settled_at) == (LATER, 0, 4, None)
    entry = AuditEntry.objects.get(verb="replay")
    assert (entry.object_id, entry.to_state["deliveries"]) == (endpoint.public_id, 2)


@pytest.mark.django_db
def test_only_the_types_and_statuses_and_the_time_that_were_named_are_meant() -> None:
    endpoint = make_endpoint()
    hour = timedelta(hours=1)
    settled(endpoint, "delivered", now=NOW - hour)
    first = settled(endpoint, "delivered", now=NOW)
    settled(endpoint, "delivered", now=NOW, type="call.started")
    settled(endpoint, "failed", now=NOW)
    settled(endpoint, "delivered", now=NOW + hour)
    wanted = Wanted(since=NOW, until=NOW + hour, statuses=[DeliveryStatus.DELIVERED], events=["call.ended"])

    started = start(endpoint, wanted, now=NOW + 2 * hour)
    replay.run_batch(started.pk, now=NOW + 2 * hour)

    assert pending() == {first.pk}


@pytest.mark.django_db
def test_a_dry_run_counts_and_sends_nothing() -> None:
    endpoint = make_endpoint(is_active=False)
    settled(endpoint, "suppressed")

    counted = start(endpoint, dry_run=True)

    assert (counted.status, counted.total, counted.replayed) == ("done", 1, 0)
    assert replay.running() == []
    assert replay.run_batch(counted.pk, now=LATER) is Turn.OVER
    assert pending() == set()
    assert AuditEntry.objects.filter(verb="replay_dry_run").exists()


@pytest.mark.django_db
def test_a_replay_goes_on_batch_by_batch_from_where_it_came_to() -> None:
    endpoint = make_endpoint()
    for _ in range(5):
        settled(endpoint, "failed")
    started = start(endpoint)

    turns = []
    for _ in range(3):
        turns.append(replay.run_batch(started.pk, now=LATER, limit=2))
        # What was sent and failed again meanwhile is not sent in a circle.
        Delivery.objects.filter(status="pending").update(status="failed", settled_at=LATER)

    assert turns == [Turn.MORE, Turn.MORE, Turn.OVER]
    assert Replay.objects.get().replayed == 5
    assert replay.run_batch(started.pk, now=LATER) is Turn.OVER


@pytest.mark.django_db
def test_what_is_made_after_a_replay_was_asked_for_is_not_meant() -> None:
    endpoint = make_endpoint()
    settled(endpoint, "failed")
    started = start(endpoint, Wanted(since=NOW, until=LATER + timedelta(days=1)))
    settled(endpoint, "failed", now=LATER)

    replay.run_batch(started.pk, now=LATER)

    assert Replay.objects.get().replayed == 1


@pytest.mark.django_db
def test_a_replay_waits_while_its_endpoint_has_enough_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_AHEAD", 2)
    endpoint = make_endpoint()
    for _ in range(3):
        settled(endpoint, "failed")
    started = start(endpoint)

    assert replay.run_batch(started.pk, now=LATER) is Turn.MORE
    assert len(pending()) == 2
    assert replay.run_batch(started.pk, now=LATER) is Turn.WAITING

    Delivery.objects.filter(status="pending").update(status="delivered", settled_at=LATER)
    assert replay.run_batch(started.pk, now=LATER) is Turn.OVER
    assert len(pending()) == 1


@pytest.mark.django_db
def test_a_replay_ends_where_its_endpoint_is_switched_off() -> None:
    endpoint = make_endpoint()
    settled(endpoint, "failed")
    started = start(endpoint)
    endpoints.deactivate(endpoint.pk, workspace_id=endpoint.workspace_id, actor=SYSTEM, now=LATER)

    assert replay.run_batch(started.pk, now=LATER) is Turn.OVER

    ended = Replay.objects.get()
    assert (ended.status, ended.replayed, ended.stopped_because) == ("stopped", 0, "the endpoint was switched off")
    with pytest.raises(EndpointInactive):
        start(endpoint)


@pytest.mark.django_db
def test_a_stopped_replay_opens_nothing_more() -> None:
    endpoint = make_endpoint()
    settled(endpoint, "failed")
    started = start(endpoint)

    replay.stop(started.pk, workspace_id=endpoint.workspace_id, actor=SYSTEM, reason="enough", now=LATER)

    assert replay.run_batch(started.pk, now=LATER) is Turn.OVER
    assert pending() == set()
    assert AuditEntry.objects.get(verb="stop_replay").reason == "enough"
    with pytest.raises(TransitionConflict):
        replay.stop(started.pk, workspace_id=endpoint.workspace_id, actor=SYSTEM, now=LATER)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wanted", [Wanted(since=LATER), Wanted(since=NOW, until=NOW), Wanted(since=NOW, until=NOW - timedelta(seconds=1))]
)
def test_a_time_that_ends_before_it_begins_is_refused(wanted: Wanted) -> None:
    with pytest.raises(NoSuchTime):
        start(make_endpoint(), wanted)


def _run_elsewhere(replay_id: UUID) -> Turn:
    try:
        return replay.run_batch(replay_id, now=LATER)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_two_workers_are_never_at_one_replay() -> None:
    endpoint = make_endpoint()
    settled(endpoint, "failed")
    started = start(endpoint)

    with transaction.atomic():
        assert replay.run_batch(started.pk, now=LATER, limit=1) is Turn.MORE
        with ThreadPoolExecutor(1) as other:
            assert other.submit(_run_elsewhere, started.pk).result(timeout=10) is Turn.OVER

    assert Replay.objects.get().replayed == 1


@pytest.mark.django_db(transaction=True)
def test_a_replayed_delivery_arrives_with_the_same_bytes_under_the_same_id_and_its_attempts_are_kept(
    servers: Receivers, sender: Sender
) -> None:
    receiver = servers.answering(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", OK)
    endpoint = make_endpoint(url=receiver.url())
    record(new_event(endpoint.workspace), now=database_now())
    run_until(sender, nothing_pending)
    now = database_now()
    started = start(endpoint, Wanted(since=now - timedelta(minutes=1)), now=now)

    replay.run_batch(started.pk, now=database_now())
    run_until(sender, nothing_pending)

    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.headers["x-kejue-attempt"], second.headers["x-kejue-attempt"]) == ("1", "2")
    assert DeliveryAttempt.objects.count() == 2
