import json
import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dialer.workspaces.ids import public_id
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from webhooks.endpoints import suppress_unheard
from webhooks.models import ChainSequence, Delivery, Event
from webhooks.outbox import NotInTransaction, record_events

pytestmark = pytest.mark.django_db


def test_an_event_is_frozen_as_the_envelope() -> None:
    workspace = make_workspace()
    chain = uuid4()

    (event_id,) = record(
        new_event(
            workspace,
            data={"name": "Zoë", "campaign_id": None},
            metadata={"crm": 7},
            top_level={"call_id": "call_9"},
            chain_id=chain,
        )
    )

    body = bytes(Event.objects.get(pk=event_id).body)
    assert body.decode() == (
        f'{{"event":"call.ended","event_id":"{public_id("evt", event_id)}","workspace_id":"{workspace.public_id}",'
        f'"timestamp":"2025-01-15T10:30:00Z","chain_id":"{public_id("chn", chain)}","sequence":1,"call_id":"call_9",'
        '"data":{"name":"Zoë","campaign_id":null},"metadata":{"crm":7}}'
    )


def test_an_event_outside_of_a_chain_has_no_sequence() -> None:
    (event_id,) = record(new_event(make_workspace(), type="campaign.started"))

    event = Event.objects.get(pk=event_id)
    assert event.sequence is None
    assert list(json.loads(bytes(event.body))) == ["event", "event_id", "workspace_id", "timestamp", "data", "metadata"]


def test_each_endpoint_that_hears_an_event_gets_one_delivery() -> None:
    workspace = make_workspace()
    hears_all = make_endpoint(workspace)
    hears_it = make_endpoint(workspace, events=["call.started", "call.ended"])
    make_endpoint(workspace, events=["call.started"])
    make_endpoint(workspace, is_active=False, deleted_at=NOW)
    make_endpoint(make_workspace())

    (event_id,) = record(new_event(workspace))

    deliveries = Delivery.objects.filter(event=event_id)
    assert {delivery.endpoint_id for delivery in deliveries} == {hears_all.id, hears_it.id}
    assert {(d.status, d.due_at, d.workspace_id, d.generation) for d in deliveries} == {
        ("pending", NOW, workspace.id, 0)
    }


def test_what_an_endpoint_misses_while_it_is_off_is_kept() -> None:
    workspace = make_workspace()
    make_endpoint(workspace, is_active=False)

    record(new_event(workspace))
    suppress_unheard(now=NOW, limit=10)

    assert Delivery.objects.get().status == "suppressed"


def test_a_scoped_endpoint_gets_only_events_that_carry_its_persona_or_campaign() -> None:
    workspace = make_workspace()
    persona, campaign = uuid4(), uuid4()
    of_persona = make_endpoint(workspace, scope_type="persona", scope_id=persona)
    of_campaign = make_endpoint(workspace, scope_type="campaign", scope_id=campaign)

    def heard_by(**carried: UUID) -> set[UUID]:
        (event_id,) = record(new_event(workspace, **carried))
        return set(Delivery.objects.filter(event=event_id).values_list("endpoint_id", flat=True))

    assert heard_by(persona_id=persona) == {of_persona.id}
    assert heard_by(campaign_id=campaign, persona_id=uuid4()) == {of_campaign.id}
    assert heard_by(campaign_id=persona, persona_id=campaign) == set()
    assert heard_by() == set()


def test_inline_webhooks_replace_every_subscription_even_where_they_are_empty() -> None:
    workspace = make_workspace()
    make_endpoint(workspace)

    (event_id,) = record(new_event(workspace, inline_webhooks=[]))

    assert Event.objects.filter(pk=event_id).exists()
    assert not Delivery.objects.filter(event=event_id).exists()


def test_the_sequence_of_a_chain_counts_up_in_the_order_of_recording() -> None:
    workspace = make_workspace()
    chain, other = uuid4(), uuid4()

    ids = record(
        new_event(workspace, chain_id=chain, type="call.ended"),
        new_event(workspace, chain_id=other),
        new_event(workspace, chain_id=chain, type="call.exhausted"),
    )
    ids += record(new_event(workspace, chain_id=chain, type="callback.scheduled"))

    sequences = dict(Event.objects.values_list("id", "sequence"))
    assert [sequences[event_id] for event_id in ids] == [1, 1, 2, 3]


def test_an_event_with_a_unique_key_is_recorded_once_and_leaves_no_gap() -> None:
    workspace = make_workspace()
    make_endpoint(workspace)
    chain = uuid4()
    ended = new_event(workspace, chain_id=chain, unique_key="call.ended:1")

    first = record(ended)
    again = record(ended, new_event(workspace, chain_id=chain), ended)

    assert again[0] == again[2] == first[0]
    assert list(Event.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2]
    assert ChainSequence.objects.get(pk=chain).last == 2
    assert Delivery.objects.filter(event=first[0]).count() == 1


def test_the_same_unique_key_twice_in_one_batch_is_one_event() -> None:
    ended = new_event(make_workspace(), chain_id=uuid4(), unique_key="call.ended:1")

    first, second = record(ended, ended)

    assert first == second
    assert Event.objects.count() == 1


def test_two_workspaces_may_use_the_same_unique_key() -> None:
    ids = record(*(new_event(make_workspace(), unique_key="campaign.ended") for _ in range(2)))

    assert len(set(ids)) == 2


def test_a_batch_of_100_events_costs_four_statements() -> None:
    workspace = make_workspace()
    for _ in range(3):
        make_endpoint(workspace)
    events = [new_event(workspace, chain_id=uuid4(), unique_key=f"key {n}") for n in range(100)]

    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        record_events(events, now=NOW)

    statements = [query["sql"] for query in queries if query["sql"].startswith("/*")]
    assert [sql.split()[1] for sql in statements] == [
        "take_sequences",
        "find_recorded",
        "insert_events",
        "insert_deliveries",
    ]
    assert Delivery.objects.count() == 300


def test_nothing_is_asked_of_the_database_where_there_is_nothing_to_record() -> None:
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        assert record_events([], now=NOW) == []

    assert not [query for query in queries if query["sql"].startswith("/*")]


@pytest.mark.django_db(transaction=True)
def test_recording_outside_of_a_transaction_is_refused() -> None:
    with pytest.raises(NotInTransaction):
        record_events([new_event(make_workspace())], now=NOW)


def test_top_level_keys_cannot_take_the_names_of_the_envelope() -> None:
    with pytest.raises(ValueError, match="data"):
        record(new_event(make_workspace(), top_level={"data": {}}))


def test_what_is_not_json_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(ValueError, match="JSON"):
        record(new_event(make_workspace(), data={"score": float("nan")}, chain_id=uuid4()))

    assert not ChainSequence.objects.exists()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def and_close() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=and_close)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("chain", [None, uuid4()], ids=["without a chain", "in a chain"])
def test_two_writers_of_one_unique_key_record_one_event_and_both_learn_its_id(chain: UUID | None) -> None:
    workspace = make_workspace()
    make_endpoint(workspace)
    event = new_event(workspace, chain_id=chain, unique_key="campaign.ended:1")
    second: list[UUID] = []

    with transaction.atomic():
        (first,) = record_events([event], now=NOW)
        other = in_thread(lambda: second.extend(record(event)))
        wait_until_someone_waits_for_a_lock()
    other.join(10)

    assert second == [first]
    assert Event.objects.count() == Delivery.objects.count() == 1
    assert not ChainSequence.objects.exclude(last=1).exists()


@pytest.mark.django_db(transaction=True)
def test_chains_are_locked_in_the_order_of_their_ids() -> None:
    workspace = make_workspace()
    low, high = sorted((uuid4(), uuid4()))
    recorded: list[UUID] = []

    with transaction.atomic():
        record_events([new_event(workspace, chain_id=low)], now=NOW)
        both = [new_event(workspace, chain_id=chain) for chain in (high, low)]
        other = in_thread(lambda: recorded.extend(record(*both)))
        wait_until_someone_waits_for_a_lock()
        # The other waits for the first chain, and so has not taken the second one.
        record_events([new_event(workspace, chain_id=high)], now=NOW)
    other.join(10)

    assert list(ChainSequence.objects.values_list("last", flat=True)) == [2, 2]


def wait_until_someone_waits_for_a_lock() -> None:
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute(
                "SELECT pg_sleep(0.005), count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
            )
            row = cursor.fetchone()
            assert row is not None
            if row[1]:
                return
    pytest.fail("nobody waits")
