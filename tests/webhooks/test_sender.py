import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psycopg
import pytest
import standardwebhooks
from django.db import connection

from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.factories import make_workspace
from tests.webhooks.receivers import OK, Receiver, Receivers, read_request
from tests.webhooks.rows import SECRET, event_of, make_endpoint, new_event, record
from tests.webhooks.sending import go_on, make_sender, nothing_pending, run_until
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.rules.lanes import Lane
from webhooks.rules.signature import standard_form
from webhooks.sender import BACKLOG_EACH, CLOCK_SECONDS, TROUBLE_SECONDS, Sender
from webhooks.transport import Transport

pytestmark = pytest.mark.django_db(transaction=True)

UNAVAILABLE = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


def tell(workspace: Workspace, number: int = 1) -> None:
    record(*(new_event(workspace, data={"number": n}) for n in range(number)), now=database_now())


async def _silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.sleep(60)


def test_every_event_reaches_its_receiver_verified_and_is_settled(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    receivers = [servers.answering() for _ in range(3)]
    for receiver in receivers:
        make_endpoint(workspace, url=receiver.url())
    tell(workspace, 50)

    run_until(sender, nothing_pending)

    for receiver in receivers:
        events = [
            standardwebhooks.Webhook(standard_form(SECRET)).verify(request.body, request.headers)
            for request in receiver.requests
        ]
        assert sorted(event["data"]["number"] for event in events) == list(range(50))
    assert Delivery.objects.filter(status="delivered").count() == 150
    assert DeliveryAttempt.objects.filter(status_code=200, address="127.0.0.1").count() == 150


def test_a_retry_repeats_ids_and_bytes_and_is_signed_afresh(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    receiver = servers.answering(UNAVAILABLE, UNAVAILABLE, OK)
    make_endpoint(workspace, url=receiver.url(), backoff_ms=20)
    tell(workspace)

    run_until(sender, nothing_pending)

    requests = receiver.requests
    assert len({request.body for request in requests}) == 1
    for name in ("webhook-id", "x-kejue-event-id", "x-kejue-delivery-id"):
        assert len({request.headers[name] for request in requests}) == 1
    assert [request.headers["x-kejue-attempt"] for request in requests] == ["1", "2", "3"]
    starts = DeliveryAttempt.objects.order_by("number").values_list("started_at", flat=True)
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(starts)]
    assert waits[0] >= 0.02
    assert waits[1] >= 0.04


def test_a_retry_goes_where_the_endpoint_now_points(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    old, new = servers.answering(UNAVAILABLE), servers.answering()
    endpoint = make_endpoint(workspace, url=old.url(), backoff_ms=200)
    tell(workspace)

    run_until(sender, DeliveryAttempt.objects.exists)
    Endpoint.objects.filter(pk=endpoint.pk).update(url=new.url())
    run_until(sender, nothing_pending)

    assert (len(old.requests), len(new.requests)) == (1, 1)


def test_slow_receivers_do_not_hold_up_the_others(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    for _ in range(10):
        make_endpoint(workspace, url=servers.running(_silence).url(), timeout_seconds=1, max_retries=0)
    healthy = servers.answering()
    make_endpoint(workspace, url=healthy.url(), max_in_flight=16)
    tell(workspace, 40)

    delivered = Delivery.objects.filter(endpoint__url=healthy.url(), status="delivered")
    began = time.monotonic()
    run_until(sender, lambda: delivered.count() == 40)

    assert time.monotonic() - began < 0.9, "it waited for a receiver's deadline"
    assert Delivery.objects.filter(status="failed").count() == 0


def test_however_many_unknown_receivers_hang_a_known_one_hears_at_once(servers: Receivers) -> None:
    transport = Transport(allowed_networks=["127.0.0.0/8"])
    sender = Sender(transport, clock=database_now, slots={Lane.FAST: 4, Lane.SLOW: 8})
    silent, healthy = servers.running(_silence), servers.answering()
    known, strangers = make_workspace(), make_workspace()
    make_endpoint(known, url=healthy.url(), latency_ms=20)
    for _ in range(40):
        make_endpoint(strangers, url=silent.url(), timeout_seconds=2, max_retries=0)
    tell(strangers)
    run_until(sender, lambda: silent.connections == 8)

    began = time.monotonic()
    tell(known, 20)
    run_until(sender, lambda: len(healthy.requests) == 20)
    sender.close()

    assert time.monotonic() - began < 1.5, "it waited for a stranger's deadline"
    assert silent.connections <= 8 + 8


def test_a_known_receiver_that_begins_to_hang_leaves_the_fast_lane_within_a_second(servers: Receivers) -> None:
    transport = Transport(allowed_networks=["127.0.0.0/8"])
    sender = Sender(transport, clock=database_now, slots={Lane.FAST: 4, Lane.SLOW: 4})
    silent, healthy = servers.running(_silence), servers.answering()
    hanging, well = make_workspace(), make_workspace()
    make_endpoint(hanging, url=silent.url(), latency_ms=20, max_retries=0)
    make_endpoint(well, url=healthy.url(), latency_ms=20)
    tell(hanging, 4)
    run_until(sender, lambda: silent.connections == 4)

    began = time.monotonic()
    tell(well)
    run_until(sender, lambda: len(healthy.requests) == 1)
    sender.close()

    assert time.monotonic() - began < 3, "it waited for the other's deadline of five seconds"


def test_with_fewer_slots_than_endpoints_every_endpoint_has_its_turn(servers: Receivers) -> None:
    sender = Sender(Transport(allowed_networks=["127.0.0.0/8"]), clock=database_now, slots={Lane.FAST: 4, Lane.SLOW: 4})
    healthy = servers.answering()
    workspace = make_workspace()
    endpoints = [make_endpoint(workspace, url=healthy.url(), latency_ms=20, max_in_flight=64).id for _ in range(20)]
    tell(workspace, 40)

    run_until(sender, lambda: len(healthy.requests) >= 400)
    sender.close()

    served = Counter(Delivery.objects.exclude(last_attempt_at=None).values_list("endpoint", flat=True))
    assert served.keys() == set(endpoints)
    assert max(served.values()) - min(served.values()) <= BACKLOG_EACH


def test_receivers_that_hang_have_one_slot_each_while_others_wait(servers: Receivers) -> None:
    sender = Sender(
        Transport(allowed_networks=["127.0.0.0/8"]), clock=database_now, slots={Lane.FAST: 4, Lane.SLOW: 32}
    )
    silent, workspace = servers.running(_silence), make_workspace()
    for _ in range(40):
        make_endpoint(workspace, url=silent.url(), max_retries=0)
    tell(workspace, 10)

    run_until(sender, lambda: silent.connections == 32)
    sender.close()

    served = Delivery.objects.exclude(last_attempt_at=None).values_list("endpoint", flat=True)
    assert len(served) == len(set(served)) == 32


def test_answers_of_a_calm_sender_do_not_wait_for_a_group(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    healthy, silent = servers.answering(), servers.running(_silence)
    for receiver in (healthy, silent):
        make_endpoint(workspace, url=receiver.url(), latency_ms=20, max_retries=0)
    tell(workspace)
    run_until(sender, lambda: len(healthy.requests) == 1)

    began = time.monotonic()
    run_until(sender, Delivery.objects.filter(status="delivered").exists)

    assert time.monotonic() - began < 1, "it waited for the receiver that hangs"


def test_no_transaction_is_open_while_a_request_is_under_way(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    silent = servers.running(_silence)
    make_endpoint(workspace, url=silent.url(), timeout_seconds=1, max_retries=0)
    tell(workspace)

    run_until(sender, lambda: silent.connections == 1)

    assert not connection.in_atomic_block
    assert connection.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_what_a_killed_sender_had_under_way_is_sent_again_with_the_same_bytes(servers: Receivers) -> None:
    workspace = make_workspace()
    first, silent = make_sender(), servers.running(_silence)
    endpoint = make_endpoint(workspace, url=silent.url())
    tell(workspace)
    run_until(first, lambda: silent.connections == 1)
    first.close()
    receiver, second = servers.answering(), make_sender()
    Endpoint.objects.filter(pk=endpoint.pk).update(url=receiver.url())

    second.step()
    assert receiver.requests == []
    Delivery.objects.update(lease_until=database_now())
    run_until(second, nothing_pending)
    second.close()

    (request,) = receiver.requests
    (delivery,) = Delivery.objects.all()
    assert (delivery.status, delivery.generation) == ("delivered", 2)
    assert request.body == delivery.sent_body
    assert json.loads(request.body)["event_id"] == event_of(delivery).public_id


def cut_the_connection() -> None:
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_answers_that_could_not_be_settled_are_settled_later(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    receiver = servers.answering()
    make_endpoint(workspace, url=receiver.url())
    tell(workspace, 3)
    cuts: list[str] = []

    def cut_once(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith("/* settle */") and not cuts:
            cuts.append(sql)
            cut_the_connection()
        return execute(sql, *arguments)

    with connection.execute_wrapper(cut_once):
        run_until(sender, nothing_pending)

    assert cuts
    assert Delivery.objects.filter(status="delivered").count() == 3
    assert len(receiver.requests) == 3


def test_a_database_that_cuts_its_connections_loses_and_repeats_nothing(servers: Receivers, sender: Sender) -> None:
    workspace = make_workspace()
    receiver = servers.answering()
    make_endpoint(workspace, url=receiver.url())
    tell(workspace, 20)

    for pause in (0, 0, CLOCK_SECONDS):  # after which the cut is met by the question for the time
        sender.step()
        cut_the_connection()
        time.sleep(pause)
        go_on(sender, seconds=TROUBLE_SECONDS + 0.1)
    run_until(sender, nothing_pending)

    assert Delivery.objects.filter(status="delivered").count() == 20
    assert len(receiver.requests) == 20


def test_finishing_waits_for_what_is_under_way_and_claims_nothing_more(servers: Receivers, sender: Sender) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(0.2)
        writer.write(OK)
        await writer.drain()

    workspace = make_workspace()
    receiver = servers.running(slowly)
    make_endpoint(workspace, url=receiver.url(), max_in_flight=1)
    tell(workspace, 2)
    run_until(sender, lambda: receiver.connections == 1)

    sender.finish(within_seconds=5)

    assert sender.is_idle
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["delivered", "pending"]


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_every_request_that_a_receiver_sees_is_an_attempt_with_a_row_of_its_own(
    servers: Receivers, sender: Sender, answers: int
) -> None:
    """The receiver answers a few times on each connection and then closes it, having read one request more."""
    workspace = make_workspace()
    receiver = Receiver(0)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(answers + 1):
            if (request := await read_request(reader)) is None:
                return
            receiver.requests.append(request)
            if number < answers:
                writer.write(OK)
                await writer.drain()

    servers.running(script, receiver=receiver)
    make_endpoint(workspace, url=receiver.url(), backoff_ms=1, max_retries=15, max_in_flight=3)
    tell(workspace, 30)

    run_until(sender, nothing_pending)

    seen = Counter(
        (each.headers["x-kejue-delivery-id"], int(each.headers["x-kejue-attempt"])) for each in receiver.requests
    )
    attempts = DeliveryAttempt.objects.select_related("delivery")
    assert seen == Counter((each.delivery.public_id, each.number) for each in attempts)
    assert set(seen.values()) == {1}
    assert set(attempts.values_list("error", flat=True)) == {"", "reset"}
    assert Delivery.objects.filter(status="delivered").count() == 30


def test_a_receiver_that_closes_each_connection_after_its_answer_sees_each_delivery_once(
    servers: Receivers, sender: Sender
) -> None:
    workspace = make_workspace()
    receiver = servers.answering(keep=False)
    make_endpoint(workspace, url=receiver.url(), max_in_flight=2)
    tell(workspace, 40)

    run_until(sender, nothing_pending)

    assert len(receiver.requests) == DeliveryAttempt.objects.count() == 40
    assert Delivery.objects.filter(status="delivered", generation=1).count() == 40
