"""What carriers that drip, swell or fall silent can do to whoever asks them; each listens on a socket of its own."""

import asyncio
import gzip
import json
import multiprocessing
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import trustme
from pytest_django import Settings

from dialer.carriers import exchange, simulated
from dialer.carriers.base import CannotSay, Health, SendRequest, Unknown
from dialer.carriers.exchange import CONNECT_SECONDS, MOST_BYTES, NoResponse, Response
from dialer.carriers.simulated import SimulatedCarrier
from dialer.models import Line
from dialer.workspaces.ids import new_id, public_id
from tests.dialer.carriers.conformance import a_request, handed_over
from tests.hostile.behaviours import (
    CHUNKED,
    drips,
    drips_handshake,
    floods,
    never_reads,
    sends,
    silent,
)
from tests.webhooks.receivers import OK, Receiver, Receivers, read_request, receivers

SECONDS = 0.5
"""The deadline in these tests."""
SLACK = 1.0
"""What a busy machine may add to a deadline."""
NUMBER = "+493012345678"
ACCEPTED = b"HTTP/1.1 201 Created\r\n"
LONG = ACCEPTED + b"Content-Length: 4000000000\r\n\r\n"
MEGABYTE = bytes(1_000_000)
INFORMED = b"HTTP/1.1 103 Early Hints\r\n\r\n"

SLOW = {
    "accepts and never answers": silent,
    "accepts and never reads": never_reads,
    "drips its head": drips(LONG),
    "drips its head after its status": drips(b"X-Padding: 1\r\n" * 10, first=ACCEPTED),
    "drips its body": drips(bytes(60), first=LONG),
    "drips the size of a chunk": drips(b"0" * 60, first=CHUNKED),
    "drips an extension of a chunk": drips(b"1;" + b"x" * 60, first=CHUNKED),
    "drips early hints": drips(INFORMED * 10, size=len(INFORMED)),
}
SWOLLEN = {
    "sends gigabytes": floods(MEGABYTE, first=LONG),
    "sends chunks without end": floods(b"f4240\r\n" + MEGABYTE + b"\r\n", first=CHUNKED),
    "sends a body without a length": floods(MEGABYTE, first=ACCEPTED + b"\r\n"),
}
SWOLLEN_HEADS = {
    "sends headers without end": floods(b"X-Padding: 1\r\n" * 1_000, first=ACCEPTED),
    "sends one header without end": floods(MEGABYTE, first=ACCEPTED + b"X-Padding: "),
    "sends early hints without end": floods(INFORMED * 1_000),
}


@pytest.fixture
def hosts() -> Iterator[Receivers]:
    with receivers() as running:
        yield running


def carrier_at(receiver: Receiver, settings: Settings, *, seconds: float = SECONDS) -> SimulatedCarrier:
    settings.SIMULATED_CARRIER_URL = receiver.url(path="")
    return SimulatedCarrier(Line(), seconds=seconds)


def a_message() -> SendRequest:
    message_id = new_id()
    return SendRequest(
        message_id=message_id, public_id=public_id("message", message_id), to=NUMBER, caller_id=NUMBER, body="Hello"
    )


def ask(receiver: Receiver, *, seconds: float = SECONDS) -> Response:
    return exchange.exchange(receiver.url(), headers={}, body=b"{}", seconds=seconds)


@pytest.mark.parametrize("behaviour", [*SLOW, *SWOLLEN, *SWOLLEN_HEADS])
def test_every_request_ends_in_time_is_sent_once_and_stays_in_doubt(
    hosts: Receivers, settings: Settings, behaviour: str
) -> None:
    receiver = hosts.running((SLOW | SWOLLEN | SWOLLEN_HEADS)[behaviour])
    carrier = carrier_at(receiver, settings)
    began = time.monotonic()

    placed, sent = carrier.place(a_request(NUMBER)), carrier.send(a_message())
    looked_up = carrier.look_up(handed_over(new_id()))
    carrier.hang_up(handed_over(new_id()))

    assert time.monotonic() - began < 4 * SECONDS + SLACK
    for answer in (placed, sent):
        assert isinstance(answer, Unknown)
        assert answer.health is Health.OUT_OF_REACH
    assert isinstance(looked_up, CannotSay)
    assert receiver.connections == 4


@pytest.mark.parametrize("behaviour", SWOLLEN)
def test_a_body_is_read_up_to_a_number_of_bytes(hosts: Receivers, behaviour: str) -> None:
    receiver = hosts.running(SWOLLEN[behaviour])
    began = time.monotonic()

    with pytest.raises(NoResponse, match="more than 4,194,304 bytes") as caught:
        ask(receiver, seconds=30)

    assert caught.value.may_have_arrived
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("size", "is_read"), [(MOST_BYTES, True), (MOST_BYTES + 1, False)])
def test_the_longest_body_is_read_whole(hosts: Receivers, size: int, *, is_read: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    receiver = hosts.answering(head + bytes(size))

    if is_read:
        assert len(ask(receiver, seconds=10).body) == size
    else:
        with pytest.raises(NoResponse):
            ask(receiver, seconds=10)


@pytest.mark.parametrize("behaviour", SWOLLEN_HEADS)
def test_a_head_without_end_is_not_read_until_the_deadline(hosts: Receivers, behaviour: str) -> None:
    receiver = hosts.running(SWOLLEN_HEADS[behaviour])
    began = time.monotonic()

    with pytest.raises(NoResponse):
        ask(receiver, seconds=30)

    assert time.monotonic() - began < 10


def test_a_gzip_bomb_is_not_inflated(hosts: Receivers, settings: Settings) -> None:
    bomb = gzip.compress(json.dumps({"carrier_call_id": "c-1", "is_live": False, "padding": "x" * 10_000_000}).encode())
    head = ACCEPTED + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    receiver = hosts.answering(head + bomb)
    carrier = carrier_at(receiver, settings)

    assert carrier.place(a_request(NUMBER)) == Unknown(reason="HTTP 201")
    assert carrier.look_up(handed_over(new_id())) == CannotSay(reason="HTTP 201")
    assert ask(receiver).body == bomb
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


def test_a_body_that_is_cut_short_is_no_answer(hosts: Receivers) -> None:
    receiver = hosts.running(sends(ACCEPTED + b'Content-Length: 99\r\n\r\n{"carrier_call_id": "c-1"}'))

    with pytest.raises(NoResponse):
        ask(receiver)


def test_a_request_on_a_kept_connection_that_the_carrier_closes_is_not_sent_again(hosts: Receivers) -> None:
    sent = 0

    async def closes_at_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while await read_request(reader) is not None:
            sent += 1
            if sent == 2:
                return
            writer.write(OK)
            await writer.drain()

    receiver = hosts.running(closes_at_the_second)
    ask(receiver)

    with pytest.raises(NoResponse) as caught:
        ask(receiver)

    assert caught.value.may_have_arrived
    assert sent == 2
    assert ask(receiver).status == 200


def test_a_connection_that_was_closed_between_two_requests_costs_no_answer(hosts: Receivers) -> None:
    async def closes_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = receiver.connections == 1
        while await read_request(reader) is not None:
            writer.write(OK)
            await writer.drain()
            if is_first:
                return

    receiver = hosts.running(closes_the_first)

    for _ in range(4):
        assert ask(receiver).status == 200
        time.sleep(0.05)  # until the end of the connection is here

    assert receiver.connections == 2


def test_a_thread_keeps_its_connection_and_no_other_uses_it(hosts: Receivers) -> None:
    receiver = hosts.answering(OK)

    for _ in range(3):
        ask(receiver)
    thread = threading.Thread(target=ask, args=(receiver,))
    thread.start()
    thread.join()

    assert receiver.connections == 2


def test_a_forked_process_opens_a_connection_of_its_own(hosts: Receivers) -> None:
    receiver = hosts.answering(OK)

    ask(receiver)
    child = multiprocessing.get_context("fork").Process(target=ask, args=(receiver,))
    child.start()
    child.join()
    ask(receiver)

    assert child.exitcode == 0
    assert receiver.connections == 2


def test_a_redirect_is_an_answer_and_is_not_followed(hosts: Receivers) -> None:
    elsewhere = hosts.answering(OK)
    fields = f"Location: {elsewhere.url()}\r\nContent-Length: 0\r\n\r\n"
    receiver = hosts.answering(b"HTTP/1.1 302 Found\r\n" + fields.encode())

    assert ask(receiver).status == 302
    assert elsewhere.connections == 0


def test_a_proxy_of_the_environment_is_not_used(hosts: Receivers, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, receiver = hosts.answering(OK), hosts.answering(OK)
    monkeypatch.setenv("http_proxy", proxy.url(path=""))

    ask(receiver)

    assert (proxy.connections, receiver.connections) == (0, 1)


def test_a_carrier_that_drips_its_handshake_is_given_up_soon_and_never_took_the_request(
    hosts: Receivers, settings: Settings
) -> None:
    receiver = hosts.running(drips_handshake, receiver=Receiver(0, is_tls=True))
    carrier = carrier_at(receiver, settings, seconds=30)
    began = time.monotonic()

    assert carrier.place(a_request(NUMBER)) == simulated.CARRIER_DOWN
    assert time.monotonic() - began < CONNECT_SECONDS + SLACK


def test_a_certificate_that_does_not_verify_never_took_the_request(hosts: Receivers) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    receiver = hosts.answering(OK, tls=context)

    with pytest.raises(NoResponse) as caught:
        ask(receiver, seconds=5)

    assert not caught.value.may_have_arrived
    assert receiver.requests == []


def test_what_is_no_http_is_no_answer(hosts: Receivers) -> None:
    for answer in (b"220 mail.example.com ESMTP\r\n", b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"):
        with pytest.raises(NoResponse):
            ask(hosts.answering(answer, keep=False))
