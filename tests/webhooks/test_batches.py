"""Arrays of events: buffered, frozen, sent, repeated, and sent item by item."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry, Workspace
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import make_workspace
from tests.webhooks.receivers import OK, Receivers
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from tests.webhooks.sending import nothing_pending, run_until
from webhooks import batches, endpoints
from webhooks.models import BatchItem, Delivery, Endpoint
from webhooks.outbox import NewItem
from webhooks.rules.statuses import BatchType
from webhooks.sender import Sender

pytestmark = pytest.mark.django_db(transaction=True)

UNAVAILABLE = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
OPERATOR = Actor(kind="user", id="7", label="Olga")


def item(number: int, type_: BatchType = BatchType.CALL_ATTEMPTED, *, ready_at: datetime | None = None) -> NewItem:
    def render(item_id: UUID) -> Mapping[str, object]:
        return {"id": str(item_id), "number": number, "name": "Zoë"}

    return NewItem(type=type_, render=render, ready_at=ready_at)


def tell(workspace: Workspace, *items: NewItem, now: datetime = NOW) -> list[UUID]:
    return record(*(new_event(workspace, type="call.attempted", batch=each) for each in items), now=now)


def for_arrays(workspace: Workspace | None = None, **fields: Any) -> Endpoint:
    return make_endpoint(workspace, **{"profile": "batch", **fields})


def frozen() -> list[tuple[str, list[int]]]:
    """Return what each batch holds, by its type, in the order in which they were frozen."""
    return [
        (batch.batch_type, [each["number"] for each in json.loads(batch.sent_body)])
        for batch in Delivery.objects.filter(event=None).order_by("id")
    ]


def test_items_wait_for_others_for_the_time_that_the_endpoint_gives_them_from_the_first_on() -> None:
    endpoint = for_arrays()
    tell(endpoint.workspace, item(1))
    tell(endpoint.workspace, item(2), now=NOW + timedelta(seconds=4))

    too_early = batches.freeze_due(now=NOW + timedelta(seconds=4.999))
    in_time = batches.freeze_due(now=NOW + timedelta(seconds=5))

    assert (too_early, in_time) == (0, 1)
    assert frozen() == [("CallAttempted", [1, 2])]
    batch = Delivery.objects.get()
    assert (batch.status, batch.due_at, batch.endpoint_id) == ("pending", NOW + timedelta(seconds=5), endpoint.id)
    assert batches.freeze_due(now=NOW + timedelta(hours=1)) == 0


def test_an_array_that_is_full_waits_for_nobody_and_the_rest_goes_on_waiting() -> None:
    endpoint = for_arrays(batch_size=2)
    tell(endpoint.workspace, *(item(number) for number in range(5)))

    batches.freeze_due(now=NOW)

    assert frozen() == [("CallAttempted", [0, 1]), ("CallAttempted", [2, 3])]
    assert BatchItem.objects.filter(delivery=None).count() == 1


def test_there_is_a_buffer_per_endpoint_and_type() -> None:
    workspace = make_workspace()
    first = for_arrays(workspace, batch_wait_seconds=0)
    second = for_arrays(workspace, batch_wait_seconds=0, events=["SMSSent"])
    tell(workspace, item(1), item(2, BatchType.SMS_SENT), item(3))

    batches.freeze_due(now=NOW)

    held = {(batch.endpoint_id, batch.batch_type, len(json.loads(batch.sent_body))) for batch in Delivery.objects.all()}
    assert held == {(first.id, "CallAttempted", 2), (first.id, "SMSSent", 1), (second.id, "SMSSent", 1)}


def test_what_has_no_words_in_arrays_reaches_envelopes_only() -> None:
    workspace = make_workspace()
    for_arrays(workspace)
    envelope = make_endpoint(workspace)

    record(new_event(workspace, type="campaign.started"))
    tell(workspace, item(1))

    assert set(Delivery.objects.values_list("endpoint_id", flat=True)) == {envelope.id}
    assert Delivery.objects.count() == 2
    assert BatchItem.objects.count() == 1


def test_one_process_freezes_at_a_time() -> None:
    tell(for_arrays(batch_wait_seconds=0).workspace, item(1))

    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('webhooks.freeze'))")
        beside_it = batches.freeze_due(now=NOW)

    assert (beside_it, batches.freeze_due(now=NOW)) == (0, 1)


def test_an_item_that_is_held_back_joins_no_array_before_its_time() -> None:
    endpoint = for_arrays(batch_wait_seconds=1)
    later = NOW + timedelta(minutes=10)
    tell(endpoint.workspace, item(1, ready_at=later), item(2))

    batches.freeze_due(now=NOW + timedelta(seconds=1))
    batches.freeze_due(now=later + timedelta(seconds=1))

    assert frozen() == [("CallAttempted", [2]), ("CallAttempted", [1])]


def test_a_held_item_is_let_go_with_another_content_once() -> None:
    endpoint = for_arrays(batch_wait_seconds=0)
    workspace = endpoint.workspace
    held = new_event(workspace, unique_key="call.exhausted:1", batch=item(1, ready_at=NOW + timedelta(minutes=10)))
    (event_id,) = record(held)

    with transaction.atomic():
        released = [
            batches.release(workspace.id, "call.exhausted:1", item(number).render, now=NOW) for number in (2, 3)
        ]
    batches.freeze_due(now=NOW)

    assert released == [True, False]
    assert json.loads(Delivery.objects.get().sent_body) == [{"id": str(event_id), "number": 2, "name": "Zoë"}]


def test_a_batch_arrives_as_an_array_and_a_retry_repeats_its_id_and_bytes(servers: Receivers, sender: Sender) -> None:
    receiver = servers.answering(UNAVAILABLE, OK)
    endpoint = for_arrays(url=receiver.url(), backoff_ms=20, batch_wait_seconds=0.1, batch_size=3)
    tell(endpoint.workspace, *(item(number) for number in range(5)))

    run_until(sender, lambda: len(receiver.requests) >= 3 and nothing_pending())

    batch_ids = {batch.public_id: bytes(batch.body or b"") for batch in Delivery.objects.all()}
    assert len(batch_ids) == 2
    for request in receiver.requests:
        assert request.headers["x-kejue-event"] == "CallAttempted"
        assert request.headers["x-kejue-event-id"] == request.headers["webhook-id"]
        assert batch_ids[request.headers["x-kejue-delivery-id"]] == request.body
        assert request.headers["x-kejue-event-id"] in batch_ids
    assert sorted(each["number"] for body in batch_ids.values() for each in json.loads(body)) == list(range(5))
    assert b'"Zo\xc3\xab"' in receiver.requests[0].body


def test_a_batch_that_failed_is_sent_item_by_item_under_the_ids_of_the_events(
    servers: Receivers, sender: Sender
) -> None:
    receiver = servers.answering(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", OK)
    endpoint = for_arrays(url=receiver.url(), batch_wait_seconds=0)
    event_ids = tell(endpoint.workspace, item(1), item(2))
    run_until(sender, lambda: Delivery.objects.filter(status="failed").exists())
    batch = Delivery.objects.get()

    def replay() -> int:
        return batches.replay_items(batch.id, workspace_id=endpoint.workspace_id, actor=OPERATOR, now=NOW)

    sent = replay()
    run_until(sender, nothing_pending)
    Delivery.objects.exclude(event=None).update(status="failed", is_recoverable=True)
    again = replay()
    run_until(sender, nothing_pending)

    assert (sent, again) == (2, 2)
    alone = [json.loads(request.body) for request in receiver.requests[1:]]
    assert sorted(each["number"] for (each,) in alone) == [1, 1, 2, 2]
    assert {request.headers["x-kejue-event"] for request in receiver.requests} == {"CallAttempted"}
    assert len({request.headers["x-kejue-event-id"] for request in receiver.requests[1:]}) == 2
    assert set(Delivery.objects.exclude(event=None).values_list("event_id", flat=True)) == set(event_ids)
    assert [entry.verb for entry in AuditEntry.objects.all()] == ["replay_items", "replay_items"]


def test_only_a_batch_that_was_not_taken_is_sent_item_by_item() -> None:
    endpoint = for_arrays(batch_wait_seconds=0)
    envelope = make_endpoint(endpoint.workspace)
    tell(endpoint.workspace, item(1))
    batches.freeze_due(now=NOW)
    batch, single = Delivery.objects.get(endpoint=endpoint), Delivery.objects.get(endpoint=envelope)
    about: Any = {"workspace_id": endpoint.workspace_id, "actor": OPERATOR, "now": NOW}

    with pytest.raises(TransitionConflict):
        batches.replay_items(batch.id, **about)
    with pytest.raises(batches.NotABatch):
        batches.replay_items(single.id, **about)
    with pytest.raises(Delivery.DoesNotExist):
        batches.replay_items(batch.id, **{**about, "workspace_id": make_workspace().id})


def test_a_test_comes_at_once_as_an_array_of_one(servers: Receivers, sender: Sender) -> None:
    receiver = servers.answering()
    endpoint = for_arrays(url=receiver.url())

    endpoints.send_test(endpoint.id, workspace_id=endpoint.workspace_id, actor=OPERATOR, now=NOW)
    run_until(sender, nothing_pending)

    (request,) = receiver.requests
    (test,) = json.loads(request.body)
    assert request.headers["x-kejue-event"] == test["eventType"] == "webhook.test"
    assert test["createdAt"] == "2025-01-15T10:30:00.000Z"


@pytest.mark.parametrize("number", [1, 50])
def test_recording_takes_as_many_statements_for_one_event_as_for_fifty(number: int) -> None:
    workspace = make_workspace()
    for_arrays(workspace)
    make_endpoint(workspace)
    chained = [
        new_event(workspace, type="call.attempted", chain_id=UUID(int=7), unique_key=f"a:{n}", batch=item(n))
        for n in range(number)
    ]

    with CaptureQueriesContext(connection) as captured:
        record(*chained)

    statements = [query["sql"] for query in captured if query["sql"].startswith("/*")]
    assert [text.split()[1] for text in statements] == [
        "take_sequences",
        "find_recorded",
        "insert_events",
        "insert_deliveries",
        "buffer_items",
    ]
