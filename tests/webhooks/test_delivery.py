import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import standardwebhooks
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dialer.workspaces.encryption import encrypt
from dialer.workspaces.ids import public_id
from dialer.workspaces.models import Workspace
from tests.factories import make_workspace
from tests.webhooks.crew import Crew
from tests.webhooks.rows import NOW, SECRET, make_delivery, make_endpoint, new_event, record
from webhooks.delivery import GRACE, Claimed, claim_due, prepare
from webhooks.endpoints import suppress_unheard
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.rules.circuit import OPENS_AFTER
from webhooks.rules.classify import Failure
from webhooks.rules.signature import standard_form
from webhooks.settling import KEY_TROUBLE_WAIT, Sent, settle
from webhooks.transport import Answer, Request

pytestmark = pytest.mark.django_db(transaction=True)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def deliveries(workspace: Workspace, number: int, **fields: Any) -> list[UUID]:
    return record(*(new_event(workspace, **fields) for _ in range(number)))


def answered(claimed: Sequence[Claimed], *, dice: float = 0, **answer: Any) -> list[Sent]:
    return [
        Sent(claimed=each, started_at=NOW, answer=Answer(key=each, total_ms=1, **answer), dice=dice) for each in claimed
    ]


def settled(claimed: Sequence[Claimed], *, dice: float = 0, **answer: Any) -> dict[str, int]:
    return settle(answered(claimed, dice=dice, **answer), now=NOW)


def test_a_claim_leases_what_is_due_and_hands_it_to_nobody_else() -> None:
    delivery = make_delivery(make_endpoint(timeout_seconds=7))

    (claimed,) = claim_due(limit=10, now=NOW)

    delivery.refresh_from_db()
    assert (claimed.id, claimed.generation) == (delivery.id, 1)
    assert delivery.lease_until == NOW + seconds(7) + GRACE
    assert claim_due(limit=10, now=NOW) == []


def test_what_is_not_due_is_not_claimed() -> None:
    make_delivery(make_endpoint(), now=NOW)

    assert claim_due(limit=10, now=NOW - seconds(0.001)) == []


def test_what_an_inactive_endpoint_was_to_hear_is_not_claimed() -> None:
    endpoint = make_endpoint()
    make_delivery(endpoint)
    Endpoint.objects.filter(pk=endpoint.pk).update(is_active=False)

    assert claim_due(limit=10, now=NOW) == []


def test_a_lease_that_ran_out_makes_the_delivery_due_again_with_the_same_bytes() -> None:
    delivery = make_delivery(make_endpoint())
    (first,) = claim_due(limit=10, now=NOW)
    delivery.refresh_from_db()
    assert delivery.lease_until is not None

    assert claim_due(limit=10, now=delivery.lease_until - seconds(0.001)) == []
    (second,) = claim_due(limit=10, now=delivery.lease_until)

    assert (second.id, second.event_id, second.body) == (first.id, first.event_id, first.body)
    assert second.generation == 2


def test_a_backlog_of_one_endpoint_takes_no_more_than_its_share() -> None:
    workspace = make_workspace()
    hog = make_endpoint(workspace, max_in_flight=64)
    deliveries(workspace, 100)
    others = [make_endpoint() for _ in range(9)]
    for other in others:
        make_delivery(other, now=NOW + seconds(1))

    claimed = claim_due(limit=50, now=NOW + seconds(2))

    receivers = [each.receiver.id for each in claimed]
    assert receivers.count(hog.id) == 5
    assert set(receivers) == {hog.id, *(other.id for other in others)}


def test_endpoints_take_turns() -> None:
    workspace = make_workspace()
    served_in_turn = sorted(make_endpoint(workspace, max_in_flight=64).id for _ in range(5))
    deliveries(workspace, 10)
    served: list[UUID] = []

    for _ in range(5):
        after = served[-1] if served else served_in_turn[-1]
        served += [each.receiver.id for each in claim_due(limit=2, after=after, now=NOW)]

    assert served == served_in_turn * 2


def test_a_claim_for_a_few_endpoints_takes_more_of_each() -> None:
    workspace = make_workspace()
    in_turn = sorted(make_endpoint(workspace, max_in_flight=64).id for _ in range(5))
    deliveries(workspace, 20)

    claimed = claim_due(limit=20, most_endpoints=2, after=in_turn[3], now=NOW)

    assert Counter(each.receiver.id for each in claimed) == {in_turn[4]: 10, in_turn[0]: 10}
    assert claimed[-1].receiver.id == in_turn[0]


def row_versions() -> dict[UUID, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text || ',' || xmax FROM webhooks_endpoint")
        return dict(cursor.fetchall())


def test_a_claim_writes_no_endpoint_without_a_rate() -> None:
    plain, rated = make_endpoint(), make_endpoint(rate_per_second=10)
    for endpoint in (plain, rated):
        make_delivery(endpoint)
    before = row_versions()

    assert len(claim_due(limit=10, now=NOW)) == 2

    assert {id_ for id_, version in row_versions().items() if version != before[id_]} == {rated.id}


def test_no_more_is_in_flight_than_the_endpoint_allows() -> None:
    workspace = make_workspace()
    make_endpoint(workspace, max_in_flight=3)
    deliveries(workspace, 10)

    first = claim_due(limit=50, now=NOW)
    assert len(first) == 3
    assert claim_due(limit=50, now=NOW) == []

    settled(first[:2], status=200)
    assert len(claim_due(limit=50, now=NOW)) == 2


def test_an_endpoint_is_pressed_no_harder_than_its_rate() -> None:
    workspace = make_workspace()
    make_endpoint(workspace, rate_per_second=10, max_in_flight=64)
    deliveries(workspace, 64)

    times = [n / 100 for n in range(200) for _ in claim_due(limit=50, now=NOW + seconds(n / 100))]

    assert 20 <= len(times) <= 22
    assert all(times[position + 3] - times[position] >= 0.1 for position in range(len(times) - 3))


def test_a_rate_below_one_lets_one_through_at_a_time() -> None:
    workspace = make_workspace()
    make_endpoint(workspace, rate_per_second=0.5)
    deliveries(workspace, 5)

    assert [len(claim_due(limit=50, now=NOW + seconds(n))) for n in range(5)] == [1, 0, 1, 0, 1]


def test_a_claim_that_finds_nothing_costs_one_statement() -> None:
    for _ in range(5):
        make_endpoint()

    with CaptureQueriesContext(connection) as queries:
        assert claim_due(limit=50, now=NOW) == []

    assert len([query for query in queries if query["sql"].startswith("/*")]) == 1


def test_a_request_says_what_it_is_and_is_signed_for_its_moment() -> None:
    endpoint = make_endpoint(custom_headers={"X-Api-Key": "abc"}, url="https://crm.example/hook", timeout_seconds=4)
    chain = uuid4()
    delivery = make_delivery(endpoint, chain_id=chain)
    (claimed,) = claim_due(limit=1, now=NOW)

    request = prepare(claimed, now=NOW)

    assert isinstance(request, Request)
    headers = dict(request.headers)
    assert (request.url, request.timeout_seconds, request.key) == ("https://crm.example/hook", 4, claimed)
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Kejue-Event"] == "call.ended"
    assert headers["X-Kejue-Event-Id"] == json.loads(request.body)["event_id"]
    assert headers["X-Kejue-Delivery-Id"] == delivery.public_id
    assert headers["X-Kejue-Attempt"] == "1"
    assert (headers["X-Kejue-Chain-Id"], headers["X-Kejue-Sequence"]) == (public_id("chn", chain), "1")
    assert headers["X-Kejue-Timestamp"] == str(int(NOW.timestamp()))
    assert headers["X-Api-Key"] == "abc"


def test_while_a_secret_is_rotated_requests_carry_both_signatures() -> None:
    make_delivery(make_endpoint(next_secret="the new one", rotated_at=NOW))  # noqa: S106
    (claimed,) = claim_due(limit=1, now=NOW)

    request = prepare(claimed, now=NOW)

    assert isinstance(request, Request)
    signature = dict(request.headers)["webhook-signature"]
    for secret in (SECRET, "the new one"):
        webhook = standardwebhooks.Webhook(standard_form(secret))
        expected = webhook.sign(dict(request.headers)["webhook-id"], NOW, request.body.decode())
        assert expected in signature.split(" ")


def test_a_delivered_delivery_is_settled_with_its_attempt() -> None:
    delivery = make_delivery(make_endpoint())

    settled(
        claim_due(limit=1, now=NOW), status=200, body=b"\x00\xff ok", address="127.0.0.1", dns_ms=0.1, first_byte_ms=2.5
    )

    delivery.refresh_from_db()
    assert (delivery.status, delivery.settled_at, delivery.lease_until) == ("delivered", NOW, None)
    attempt = DeliveryAttempt.objects.get(delivery=delivery)
    assert (attempt.number, attempt.status_code, attempt.error, attempt.address) == (1, 200, "", "127.0.0.1")
    assert (bytes(attempt.answer), attempt.first_byte_ms, attempt.tls_ms) == (b"\x00\xff ok", 2.5, None)
    assert attempt.url == delivery.endpoint.url


def test_a_5xx_is_retried_after_half_a_second_one_and_two_and_then_failed() -> None:
    delivery = make_delivery(make_endpoint())
    now, waits = NOW, []

    for _ in range(3):
        settled(claim_due(limit=1, now=now), status=503)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.lease_until) == ("pending", None)
        waits.append((delivery.due_at - NOW).total_seconds())
        now = delivery.due_at
    settled(claim_due(limit=1, now=now), status=503)

    delivery.refresh_from_db()
    assert waits == [0.5, 1, 2]
    assert (delivery.status, delivery.failures, delivery.last_error) == ("failed", 4, "http_503")
    assert list(delivery.attempts.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4]


def test_a_retry_waits_its_jitter_and_what_the_receiver_asks_for_up_to_an_hour() -> None:
    first, second = make_delivery(make_endpoint()), make_delivery(make_endpoint())
    claimed = {each.id: each for each in claim_due(limit=2, now=NOW)}

    settled([claimed[first.id]], failure=Failure.CONNECT, dice=0.5)
    settled([claimed[second.id]], status=503, retry_after="86400")

    for delivery, wait in ((first, 0.55), (second, 3600)):
        delivery.refresh_from_db()
        assert delivery.due_at == NOW + seconds(wait)


@pytest.mark.parametrize(
    "answer",
    [{"status": 404}, {"status": 301}, {"status": 429}, {"failure": Failure.CERTIFICATE}, {"failure": Failure.BAD_URL}],
)
def test_what_cannot_get_better_fails_at_once(answer: dict[str, Any]) -> None:
    delivery = make_delivery(make_endpoint())

    settled(claim_due(limit=1, now=NOW), **answer)

    delivery.refresh_from_db()
    assert (delivery.status, delivery.failures) == ("failed", 1)


def test_retry_on_lets_a_429_be_tried_again() -> None:
    delivery = make_delivery(make_endpoint(retry_on=[429]))

    assert settled(claim_due(limit=1, now=NOW), status=429) == {"pending": 1}
    delivery.refresh_from_db()
    assert delivery.failures == 1


def test_a_secret_that_no_key_opens_waits_and_uses_up_no_retry() -> None:
    endpoint = make_endpoint()
    delivery = make_delivery(endpoint)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks_endpoint SET secret = %s", [encrypt(SECRET)[:-4] + b"AAA="])
    (claimed,) = claim_due(limit=1, now=NOW)

    answer = prepare(claimed, now=NOW)
    assert isinstance(answer, Answer)
    settle([Sent(claimed=claimed, started_at=NOW, answer=answer, dice=0)], now=NOW)

    delivery.refresh_from_db()
    assert (delivery.status, delivery.failures, delivery.due_at) == ("pending", 0, NOW + KEY_TROUBLE_WAIT)
    assert delivery.last_error == "secret_unreadable"


def test_settling_again_after_a_commit_whose_answer_was_lost_changes_nothing() -> None:
    endpoint = make_endpoint()
    delivery = make_delivery(endpoint)
    sent = answered(claim_due(limit=1, now=NOW), status=503)

    assert [settle(sent, now=NOW) for _ in range(2)] == [{"pending": 1}, {}]

    delivery.refresh_from_db()
    assert delivery.failures == 1
    assert delivery.attempts.count() == 1


def test_the_late_answer_of_an_attempt_whose_lease_ran_out_is_noted_and_moves_nothing() -> None:
    delivery = make_delivery(make_endpoint())
    first = claim_due(limit=1, now=NOW)
    second = claim_due(limit=1, now=NOW + seconds(60))

    settled(first, status=404)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    settled(second, status=200)

    delivery.refresh_from_db()
    assert delivery.status == "delivered"
    assert delivery.attempts.count() == 2


def test_a_late_answer_moves_nothing_that_was_suppressed_meanwhile() -> None:
    delivery = make_delivery(make_endpoint())
    claimed = claim_due(limit=1, now=NOW)
    Endpoint.objects.update(is_active=False)
    assert suppress_unheard(now=NOW + seconds(60), limit=10) == 1

    assert settled(claimed, status=503) == {}

    delivery.refresh_from_db()
    assert delivery.status == "suppressed"
    assert delivery.attempts.count() == 1


def test_an_endpoint_shows_its_health() -> None:
    workspace = make_workspace()
    endpoint = make_endpoint(workspace, max_in_flight=64)
    deliveries(workspace, 5)
    claimed = claim_due(limit=5, now=NOW)

    settled(claimed[:1], status=404, detail="")
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.last_error, endpoint.last_delivery_at) == (NOW, "http_404", None)
    settled(claimed[1:2], failure=Failure.TIMEOUT, detail="after 5 s")
    settled(claimed[2:], status=200)

    endpoint.refresh_from_db()
    assert (endpoint.delivered_count, endpoint.failed_count) == (3, 1)
    assert (endpoint.failing_since, endpoint.last_delivery_at) == (None, NOW)
    assert (endpoint.last_error, endpoint.last_error_at) == ("timeout: after 5 s", NOW)


def test_a_group_of_100_is_settled_with_one_statement() -> None:
    workspace = make_workspace()
    for _ in range(2):
        make_endpoint(workspace, max_in_flight=64)
    deliveries(workspace, 50)
    sent = answered(claim_due(limit=100, now=NOW), status=200)

    with CaptureQueriesContext(connection) as queries:
        assert settle(sent, now=NOW) == {"delivered": 100}

    assert len(queries) == 1


def test_claimers_side_by_side_never_share_a_delivery_and_keep_the_cap() -> None:
    workspace = make_workspace()
    endpoints = [make_endpoint(workspace, max_in_flight=5) for _ in range(4)]
    deliveries(workspace, 20)
    barrier = threading.Barrier(3)
    claimed: list[Claimed] = []

    def claim() -> None:
        for _ in range(15):
            barrier.wait(10)
            claimed.extend(claim_due(limit=7, now=NOW))

    Crew(claim, claim, claim).join()

    assert len({each.id for each in claimed}) == len(claimed) == 20
    assert {each.generation for each in claimed} == {1}
    assert Counter(each.receiver.id for each in claimed) == dict.fromkeys((each.id for each in endpoints), 5)


@contextmanager
def after_statement(name: str, do: Callable[[], object]) -> Iterator[None]:
    """Do something whenever the statement of that name has run and its transaction is still open."""

    def wrapper(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if sql.startswith(f"/* {name} */"):
            do()
        return result

    with connection.execute_wrapper(wrapper):
        yield


@pytest.mark.parametrize("statement", ["lock_endpoints", "take_due", "settle"])
def test_whoever_records_an_event_waits_neither_for_a_claim_nor_for_settling(statement: str) -> None:
    workspace = make_workspace()
    endpoint = make_endpoint(workspace)
    make_delivery(endpoint)
    recorded: list[UUID] = []

    def record_meanwhile() -> None:
        crew = Crew(lambda: recorded.extend(record(new_event(workspace))))
        crew.join(within_seconds=5)

    with after_statement(statement, record_meanwhile):
        claimed = claim_due(limit=1, now=NOW)
        with transaction.atomic():  # which holds the locks of settling a little longer
            settled(claimed, status=200)

    assert Delivery.objects.filter(event__in=recorded, endpoint=endpoint).count() == 1


def test_a_claim_beside_another_takes_no_more_than_its_share_of_the_endpoints_that_are_left() -> None:
    for endpoint in (make_endpoint(max_in_flight=16), make_endpoint(max_in_flight=16)):
        for _ in range(10):
            make_delivery(endpoint)
    claimed: list[Claimed] = []

    def meanwhile() -> None:
        Crew(lambda: claimed.extend(claim_due(limit=10, now=NOW))).join(within_seconds=5)

    with after_statement("lock_endpoints", meanwhile):
        claim_due(limit=10, most_endpoints=1, now=NOW)

    assert len(claimed) == 5


def test_while_a_claim_is_open_others_pass_over_its_endpoints_and_settling_does_not_wait() -> None:
    first, second = sorted((make_endpoint(), make_endpoint()), key=lambda endpoint: endpoint.id)
    sent = make_delivery(first)
    earlier = claim_due(limit=1, now=NOW)
    for endpoint in (first, second):
        make_delivery(endpoint)
    claimed: list[Claimed] = []

    def meanwhile() -> None:
        Crew(lambda: settled(earlier, status=200)).join(within_seconds=5)
        Crew(lambda: claimed.extend(claim_due(limit=10, now=NOW))).join(within_seconds=5)

    with after_statement("lock_endpoints", meanwhile):
        (mine,) = claim_due(limit=10, most_endpoints=1, now=NOW)

    sent.refresh_from_db()
    assert sent.status == "delivered"
    assert mine.receiver.id == first.id
    assert [each.receiver.id for each in claimed] == [second.id]


@pytest.mark.parametrize("rate", [None, 10])
def test_a_claim_does_not_wait_for_whoever_changes_an_endpoint(rate: float | None) -> None:
    changed, other = make_endpoint(rate_per_second=rate), make_endpoint()
    for endpoint in (changed, other):
        make_delivery(endpoint)
    claimed: list[Claimed] = []

    with transaction.atomic():
        Endpoint.objects.filter(pk=changed.pk).update(name="Another")
        Crew(lambda: claimed.extend(claim_due(limit=10, now=NOW))).join(within_seconds=5)

    assert {each.receiver.id for each in claimed} == ({changed.id, other.id} if rate is None else {other.id})


def test_failures_settled_side_by_side_all_count() -> None:
    """One settles while the other holds the endpoint: it must add to what the other wrote."""
    endpoint = make_endpoint(max_in_flight=64, max_retries=0)
    deliveries(endpoint.workspace, OPENS_AFTER)
    claimed = claim_due(limit=OPENS_AFTER, now=NOW)

    with transaction.atomic():
        settled(claimed[:5], status=503)
        other = Crew(lambda: settled(claimed[5:], status=503))
        wait_for_a_lock("settle")
    other.join()

    endpoint.refresh_from_db()
    assert (endpoint.failure_run, endpoint.failed_count, endpoint.trips) == (OPENS_AFTER, OPENS_AFTER, 1)


def wait_for_a_lock(statement: str) -> None:
    """Return when a session waits for a lock in the statement of that name."""
    until = time.monotonic() + 5
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting, [f"/* {statement} */%"])
            if cursor.fetchone() == (1,):
                return
            assert time.monotonic() < until, "nobody waits"


def test_writers_of_events_claimers_and_settlers_do_not_deadlock() -> None:
    """The foreign key of every new delivery locks its endpoint; so do claiming and settling."""
    workspace = make_workspace()
    for number in range(5):
        make_endpoint(workspace, max_in_flight=64, rate_per_second=1000 if number % 2 else None)
    chains = [uuid4() for _ in range(10)]
    stop, began = threading.Event(), time.monotonic()

    def write() -> None:
        for number in range(40):
            chain = chains[number % len(chains)]
            record(new_event(workspace, chain_id=chain), *(new_event(workspace) for _ in range(3)))

    def deliver() -> None:
        while not stop.is_set():
            settled(claim_due(limit=40, now=NOW + seconds(time.monotonic() - began)), status=200)

    deliverers = Crew(deliver, deliver)
    try:
        Crew(write, write, write, write).join()
        while Delivery.objects.filter(status="pending").exists():
            settled(claim_due(limit=100, now=NOW + seconds(time.monotonic() - began)), status=200)
    finally:
        stop.set()
    deliverers.join()

    assert Delivery.objects.filter(status="delivered").count() == 4 * 40 * 4 * 5
    assert DeliveryAttempt.objects.count() == Delivery.objects.count()
