"""Ordered delivery: an endpoint may ask for the events of each chain one after the other."""

import json
import random
import threading
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from dialer.workspaces.audit import SYSTEM
from tests.factories import make_workspace
from tests.webhooks.crew import Crew
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from webhooks import endpoint_health, endpoints, replay
from webhooks.delivery import Claimed, claim_due
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.models import Delivery, Endpoint
from webhooks.rules.classify import Failure
from webhooks.settling import Sent, settle
from webhooks.transport import Answer

pytestmark = pytest.mark.django_db(transaction=True)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def tell(endpoint: Endpoint, chain: UUID | None, number: int = 1, *, now: datetime = NOW) -> list[Delivery]:
    """Record events of a chain and return their deliveries in the order of the chain."""
    ids = record(*(new_event(endpoint.workspace, chain_id=chain) for _ in range(number)), now=now)
    rows = {row.event_id: row for row in Delivery.objects.filter(endpoint=endpoint, event__in=ids)}
    return [rows[event_id] for event_id in ids]


def claimed(now: datetime = NOW) -> list[UUID]:
    return [each.id for each in claim_due(limit=100, now=now)]


def answer(claims: list[Claimed], *, now: datetime = NOW, **fields: Any) -> None:
    answers = [Answer(key=each, total_ms=1, **fields) for each in claims]
    sent = [Sent(claimed=each.key, started_at=now, answer=each, dice=0) for each in answers]
    settle(sent, now=now)


def send(now: datetime = NOW, **fields: Any) -> list[UUID]:
    """Claim what may be sent, answer it, and return it."""
    claims = claim_due(limit=100, now=now)
    answer(claims, now=now, **fields)
    return [each.id for each in claims]


def test_one_delivery_of_each_chain_is_in_flight_at_a_time_and_they_come_in_order() -> None:
    endpoint = make_endpoint(ordered=True)
    first, second = tell(endpoint, uuid4(), 3), tell(endpoint, uuid4(), 2)
    (alone,) = tell(endpoint, None)

    flights = [set(send(status=200)) for _ in range(4)]

    assert flights == [{first[0].id, second[0].id, alone.id}, {first[1].id, second[1].id}, {first[2].id}, set()]


def test_an_endpoint_that_did_not_ask_for_it_gets_a_chain_side_by_side() -> None:
    endpoint = make_endpoint()
    rows = tell(endpoint, uuid4(), 3)

    assert set(claimed()) == {row.id for row in rows}
    assert set(Delivery.objects.values_list("chain_id", "sequence")) == {(None, None)}


def test_a_chain_waits_for_the_retries_of_its_delivery_and_goes_on_when_that_failed_for_good() -> None:
    endpoint = make_endpoint(ordered=True, max_retries=1)
    first, second = tell(endpoint, uuid4(), 2)

    assert send(status=503) == [first.id]
    assert claimed(NOW + seconds(0.4)) == []
    assert send(NOW + seconds(0.5), status=503) == [first.id]
    first.refresh_from_db()
    assert first.status == "failed"
    assert claimed(NOW + seconds(0.5)) == [second.id]


def test_a_delivery_whose_lease_ran_out_is_sent_again_before_the_next_of_its_chain() -> None:
    first, second = tell(make_endpoint(ordered=True), uuid4(), 2)

    assert claimed() == [first.id]
    assert send(NOW + seconds(60), status=200) == [first.id]
    assert claimed(NOW + seconds(60)) == [second.id]


def test_a_waiting_chain_takes_no_turn_from_other_chains_and_endpoints() -> None:
    """Endpoints whose deliveries all wait must not use up the endpoints of a claim."""
    workspace = make_workspace()
    waiting = [make_endpoint(workspace, ordered=True) for _ in range(4)]
    chain = uuid4()
    tell(waiting[0], chain, 5)
    heads = claim_due(limit=100, now=NOW)
    other = make_endpoint()
    (due,) = tell(other, uuid4())

    claims = claim_due(limit=100, most_endpoints=1, now=NOW)

    assert len(heads) == len(waiting)
    assert [each.id for each in claims] == [due.id]
    (another_chain, *_) = tell(waiting[0], uuid4(), 2)
    assert another_chain.id in claimed()


def test_a_delivery_that_is_sent_again_comes_before_what_still_waits() -> None:
    endpoint = make_endpoint(ordered=True, max_retries=0)
    first, second, third = tell(endpoint, uuid4(), 3)
    assert [send(status=503), send(status=503)] == [[first.id], [second.id]]

    endpoints.redeliver(first.id, workspace_id=endpoint.workspace_id, actor=SYSTEM, now=NOW + seconds(1))

    assert [send(NOW + seconds(1), status=200) for _ in range(3)] == [[first.id], [third.id], []]


def test_what_is_replayed_or_recovered_keeps_the_order_of_its_chain() -> None:
    endpoint = make_endpoint(ordered=True, max_retries=0)
    rows = [row.id for row in tell(endpoint, uuid4(), 3)]
    for _ in rows:
        send(failure=Failure.RESET)
    wanted = replay.Wanted(since=NOW - seconds(1))

    job = replay.start(endpoint.id, wanted, workspace_id=endpoint.workspace_id, actor=SYSTEM, now=NOW + seconds(1))
    replay.run_batch(job.id, now=NOW + seconds(1))
    replayed = [send(NOW + seconds(1), failure=Failure.RESET) for _ in rows]
    tell(endpoint, None)
    send(NOW + seconds(2), status=200)
    endpoint_health.recover(now=NOW + seconds(3), limit=100)
    recovered = [send(NOW + seconds(3), status=200) for _ in rows]

    assert replayed == recovered == [[each] for each in rows]


def test_what_an_endpoint_that_was_off_missed_holds_nothing_up() -> None:
    endpoint = make_endpoint(ordered=True, is_active=False)
    first, second = tell(endpoint, uuid4(), 2)
    Delivery.objects.filter(pk=first.pk).update(status="suppressed", settled_at=NOW)
    Endpoint.objects.update(is_active=True)

    assert claimed() == [second.id]


def test_a_circuit_probes_with_a_delivery_that_may_be_sent() -> None:
    endpoint = make_endpoint(ordered=True)
    first, *_ = tell(endpoint, uuid4(), 3)
    Delivery.objects.filter(pk=first.pk).update(due_at=NOW + seconds(10))
    (alone,) = tell(endpoint, None, now=NOW + seconds(1))
    Endpoint.objects.update(trips=1, open_until=NOW + seconds(2), failure_run=10, failing_since=NOW)

    assert claimed(NOW + seconds(2)) == [alone.id]


def test_an_endpoint_that_no_longer_asks_for_it_gets_all_that_waits() -> None:
    endpoint = make_endpoint(ordered=True)
    rows = tell(endpoint, uuid4(), 3)
    Endpoint.objects.update(ordered=False)

    assert set(claimed()) == {row.id for row in rows}


def test_arrays_cannot_be_ordered() -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        endpoints.create(
            make_workspace().id,
            actor=SYSTEM,
            now=NOW,
            name="CRM",
            url="https://crm.example.com/hook",
            events=["CallComplete"],
            profile="batch",
            ordered=True,
        )

    assert refused.value.errors.keys() == {"ordered"}
    with pytest.raises(IntegrityError), transaction.atomic():
        make_endpoint(profile="batch", ordered=True)


def test_a_claim_finds_what_may_be_sent_by_index() -> None:
    endpoint = make_endpoint(ordered=True)
    for _ in range(100):
        tell(endpoint, uuid4(), 10)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhooks_delivery")  # else the plan depends on when autovacuum looked last

    with CaptureQueriesContext(connection) as queries:
        claim_due(limit=8, now=NOW)
    statements = [query["sql"] for query in queries if query["sql"].startswith("/* take_due */")]
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statements[0]}")
        plan = json.dumps(cursor.fetchone())

    assert "delivery_in_chain" in plan


@pytest.fixture(params=range(3))
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)  # noqa: S311 — a choice of cases


def test_two_senders_side_by_side_never_send_two_of_a_chain_at_once_nor_out_of_order(dice: random.Random) -> None:
    """Answers come late and in any order, and some fail; each sender asks on its own connection."""
    endpoint = make_endpoint(ordered=True, max_in_flight=16, max_retries=15, backoff_ms=1)
    chains = [uuid4() for _ in range(6)]
    expected = {chain: [row.id for row in tell(endpoint, chain, 6)] for chain in chains}
    chain_of = {delivery: chain for chain, deliveries in expected.items() for delivery in deliveries}
    lock, stop = threading.Lock(), threading.Event()
    in_flight: set[UUID] = set()
    delivered: dict[UUID, list[UUID]] = defaultdict(list)
    at_once: list[UUID] = []
    later = iter(range(1, 1_000_000))

    def run(dice: random.Random) -> None:
        mine: list[Claimed] = []
        while not stop.is_set():
            with lock:
                now = NOW + seconds(next(later) / 1000)
            for each in claim_due(limit=4, now=now):
                with lock:
                    if chain_of[each.id] in in_flight:
                        at_once.append(each.id)
                    in_flight.add(chain_of[each.id])
                mine.append(each)
            dice.shuffle(mine)
            for each in [mine.pop() for _ in range(dice.randint(0, len(mine)))]:
                status = 503 if dice.random() < 0.3 else 200
                with lock:
                    in_flight.remove(chain_of[each.id])
                    if status == 200:
                        delivered[chain_of[each.id]].append(each.id)
                answer([each], now=now, status=status)
            if not mine and not Delivery.objects.filter(status="pending").exists():
                stop.set()

    seeds = [dice.random() for _ in range(2)]
    Crew(*(lambda seed=seed: run(random.Random(seed)) for seed in seeds)).join()  # noqa: S311

    assert at_once == []
    assert delivered == expected
