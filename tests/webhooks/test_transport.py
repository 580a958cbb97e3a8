import asyncio
import gzip
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.webhooks.name_server import SERVFAIL, SILENCE, NameServer, start_name_server
from tests.webhooks.receivers import OK, Receiver, Receivers, Script, read_request
from webhooks.rules.classify import Failure
from webhooks.transport import MAX_ANSWER, Answer, Request, Transport

DEADLINE = 0.6
LATE = 0.25
"""How much later than the deadline an answer may come on a busy machine."""

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def transport(ca_file: str) -> Iterator[Transport]:
    made = Transport(allowed_networks=LOOPBACK, ca_file=ca_file)
    yield made
    made.close()


def tls_of(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def post(
    transport: Transport,
    url: str,
    *,
    body: bytes = b"{}",
    seconds: float = DEADLINE,
    headers: dict[str, str] | None = None,
) -> Answer:
    transport.start(
        Request(key="one", url=url, headers=list((headers or {}).items()), body=body, timeout_seconds=seconds)
    )
    (answer,) = finish(transport)
    return answer


def finish(transport: Transport) -> list[Answer]:
    answers: list[Answer] = []
    until = time.monotonic() + 10
    while transport.in_flight:
        answers += transport.run(0.05)
        assert time.monotonic() < until, "a request holds its slot for ever"
    return answers


def test_a_request_arrives_byte_for_byte_and_its_answer_comes_back(servers: Receivers, transport: Transport) -> None:
    receiver = servers.answering(b"HTTP/1.1 202 Accepted\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nyes")

    answer = post(
        transport, receiver.url(path="/a/../b?c=ä"), body=b'{"a":"\xc3\xa4"}', headers={"X-One": "1", "X-Empty": ""}
    )

    (request,) = receiver.requests
    assert request.line == "POST /a/../b?c=%C3%A4 HTTP/1.1"
    assert request.body == b'{"a":"\xc3\xa4"}'
    assert (request.headers["x-one"], request.headers["x-empty"]) == ("1", "")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert "expect" not in request.headers
    assert "accept-encoding" not in request.headers
    assert (answer.key, answer.status, answer.failure, answer.body) == ("one", 202, None, b"yes")
    assert (answer.address, answer.retry_after) == ("127.0.0.1", "7")
    assert answer.connect_ms is not None
    assert answer.first_byte_ms is not None
    assert answer.connect_ms <= answer.first_byte_ms <= answer.total_ms


def test_a_connection_is_kept_for_the_next_request(servers: Receivers, transport: Transport) -> None:
    receiver = servers.answering()

    for _ in range(3):
        assert post(transport, receiver.url()).status == 200

    assert receiver.connections == 1


def test_proxies_of_the_environment_are_not_used(
    servers: Receivers, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, proxy = servers.answering(), servers.answering()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url())

    assert post(transport, receiver.url()).status == 200
    assert proxy.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_never_followed(servers: Receivers, transport: Transport, status: int) -> None:
    elsewhere = servers.answering()
    receiver = servers.answering(
        f"HTTP/1.1 {status} Go\r\nLocation: {elsewhere.url()}\r\nContent-Length: 0\r\n\r\n".encode()
    )

    assert post(transport, receiver.url()).status == status
    assert elsewhere.connections == 0


def dripping(data: bytes, *, endless: bytes = b"", first: bytes = b"") -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(first)
        for position in range(len(data)):
            writer.write(data[position : position + 1])
            await writer.drain()
            await asyncio.sleep(0.05)
        while endless:
            writer.write(endless)
            await writer.drain()
            await asyncio.sleep(0.001)
        await asyncio.sleep(60)

    return script


def sending(data: bytes, *, reset: bool = False) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(data)
        await writer.drain()
        if reset:
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
            )
            writer.transport.abort()

    return script


Expected = tuple[int | None, Failure]


@pytest.fixture(params=["http", "https"])
def secured(request: pytest.FixtureRequest, authority: trustme.CA) -> ssl.SSLContext | None:
    return tls_of(authority, "127.0.0.1") if request.param == "https" else None


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(dripping(b""), (None, Failure.TIMEOUT), id="accepts and says nothing"),
        pytest.param(dripping(HEAD), (None, Failure.TIMEOUT), id="drips the status line"),
        pytest.param(
            dripping(b"", endless=b"HTTP/1.1 100 Continue\r\n\r\n"), (None, Failure.TIMEOUT), id="continues for ever"
        ),
        pytest.param(dripping(b"x" * 1000, first=HEAD), (200, Failure.TIMEOUT), id="drips the body"),
        pytest.param(dripping(b"1\r\nx\r\n" * 1000, first=CHUNKED), (200, Failure.TIMEOUT), id="drips chunks"),
        pytest.param(
            dripping(b"x" * 1000, first=HEAD.replace(b"200", b"500")), (500, Failure.TIMEOUT), id="drips a 500"
        ),
    ],
)
def test_a_receiver_that_drips_or_is_silent_holds_its_slot_no_longer_than_the_deadline(
    servers: Receivers, secured: ssl.SSLContext | None, transport: Transport, script: Script, expected: Expected
) -> None:
    receiver = servers.running(script, tls=secured)

    answer = post(transport, receiver.url())

    assert (answer.status, answer.failure) == expected
    assert DEADLINE * 1000 - 50 <= answer.total_ms <= (DEADLINE + LATE) * 1000


@pytest.mark.parametrize(
    ("data", "status", "failure"),
    [
        pytest.param(b"", None, Failure.RESET, id="closes without a word"),
        pytest.param(b"HTTP/1.1 200", None, Failure.PROTOCOL, id="closes within the status line"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", None, Failure.PROTOCOL, id="is an SSH server"),
        pytest.param(b"<html>hello</html>", None, Failure.PROTOCOL, id="speaks HTTP/0.9"),
        pytest.param(b"HTTP/1.1 2OO OK\r\n\r\n", None, Failure.PROTOCOL, id="spells 200 with letters"),
        pytest.param(b"HTTP/1.1 999 Odd\r\n\r\n", None, Failure.PROTOCOL, id="answers 999"),
        pytest.param(b"HTTP/1.1 099 Odd\r\n\r\n", None, Failure.PROTOCOL, id="answers 099"),
        pytest.param(HEAD + b"half", 200, Failure.RESET, id="closes within the body"),
        pytest.param(CHUNKED + b"zz\r\n", 200, None, id="sends broken chunks"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\nbody", 204, None, id="sends a body with 204"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 150 + b"\r\n", 200, None, id="has 150 headers"),
    ],
)  # fmt: skip
def test_nonsense_is_an_answer_by_its_status_line_or_a_failure(
    servers: Receivers, transport: Transport, data: bytes, status: int | None, failure: Failure | None
) -> None:
    answer = post(transport, servers.running(sending(data)).url())

    assert answer.status == status
    if status is None:
        assert answer.failure in {failure, Failure.RESET}
    elif failure is not None:
        assert answer.failure == failure


@pytest.mark.parametrize(("data", "status"), [(b"", None), (HEAD + b"half", 200)], ids=["before", "after"])
def test_a_reset_counts_by_whether_the_status_line_had_come(
    servers: Receivers, transport: Transport, data: bytes, status: int | None
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()

    answer = post(transport, servers.running(script).url())

    assert (answer.status, answer.failure) == (status, Failure.RESET)


def test_an_endless_answer_is_cut_at_16_kib_and_delivered_at_once(servers: Receivers, transport: Transport) -> None:
    receiver = servers.running(dripping(b"", first=CHUNKED, endless=b"1000\r\n" + b"x" * 4096 + b"\r\n"))

    answer = post(transport, receiver.url(), seconds=5)

    assert (answer.status, answer.failure, len(answer.body)) == (200, Failure.BODY_CUT, MAX_ANSWER)
    assert answer.total_ms < 2000


def test_an_answer_of_exactly_16_kib_is_whole(servers: Receivers, transport: Transport) -> None:
    body = b"x" * MAX_ANSWER
    receiver = servers.answering(f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_ANSWER}\r\n\r\n".encode() + body)

    answer = post(transport, receiver.url())

    assert (answer.failure, answer.body) == (None, body)


def test_a_compressed_answer_is_kept_as_it_came(servers: Receivers, transport: Transport) -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    assert len(bomb) < MAX_ANSWER
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()

    answer = post(transport, servers.answering(head + bomb).url())

    assert (answer.status, answer.body) == (200, bomb)


def test_a_refused_connection_is_a_failure_to_connect(transport: Transport) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    answer = post(transport, f"http://127.0.0.1:{port}/")

    assert (answer.status, answer.failure) == (None, Failure.CONNECT)


def test_a_receiver_that_never_reads_holds_its_slot_no_longer_than_the_deadline(
    servers: Receivers, transport: Transport
) -> None:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(60)

    answer = post(transport, servers.running(script).url(), body=b"x" * 20_000_000)

    assert answer.failure == Failure.TIMEOUT
    assert answer.total_ms <= (DEADLINE + LATE) * 1000


def test_https_is_verified(servers: Receivers, transport: Transport, authority: trustme.CA) -> None:
    trusted = servers.answering(tls=tls_of(authority, "127.0.0.1"))

    answer = post(transport, trusted.url())

    assert (answer.status, answer.failure) == (200, None)
    assert answer.tls_ms is not None


@pytest.mark.parametrize(
    "context",
    [
        pytest.param(lambda authority: tls_of(authority, "example.com"), id="another name"),
        pytest.param(lambda _: tls_of(trustme.CA(), "127.0.0.1"), id="an unknown authority"),
    ],
)
def test_a_certificate_that_does_not_verify_is_final(
    servers: Receivers, transport: Transport, authority: trustme.CA, context: Callable[[trustme.CA], ssl.SSLContext]
) -> None:
    receiver = servers.answering(tls=context(authority))

    answer = post(transport, receiver.url())

    assert (answer.status, answer.failure) == (None, Failure.CERTIFICATE)
    assert receiver.requests == []


def test_a_receiver_that_stalls_in_the_handshake_is_a_timeout(servers: Receivers, transport: Transport) -> None:
    receiver = servers.running(dripping(b""))

    answer = post(transport, receiver.url().replace("http:", "https:"))

    assert answer.failure == Failure.TIMEOUT
    assert answer.total_ms <= (DEADLINE + LATE) * 1000


def test_plain_http_where_tls_is_expected_may_get_better(servers: Receivers, transport: Transport) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(OK)
        await writer.drain()

    answer = post(transport, servers.running(script).url().replace("http:", "https:"))

    assert (answer.status, answer.failure) == (None, Failure.PROTOCOL)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"])
def test_loopback_is_not_dialled_unless_it_is_allowed(servers: Receivers, host: str) -> None:
    receiver = servers.answering()
    transport = Transport()

    answer = post(transport, receiver.url(host))
    transport.close()

    assert (answer.status, answer.failure) == (None, Failure.FORBIDDEN_ADDRESS)
    assert "loopback" in answer.detail
    assert receiver.connections == 0


def test_a_url_that_cannot_be_read_is_an_answer_too(transport: Transport) -> None:
    answer = post(transport, "ftp://example.com/")

    assert (answer.status, answer.failure) == (None, Failure.BAD_URL)


def name_server(servers: Receivers, names: dict[str, object], *, ttl: int = 60) -> NameServer:
    server: NameServer = servers.call(start_name_server(names, ttl=ttl))
    return server


def asking(server: NameServer, *, allowed: list[str] = LOOPBACK) -> Transport:
    return Transport(allowed_networks=allowed, dns_servers=[server.address])


def post_by_name(server: NameServer, receiver: Receiver, host: str = "crm.example") -> Answer:
    transport = asking(server)
    try:
        return post(transport, receiver.url(host))
    finally:
        transport.close()


def test_a_name_is_resolved_at_the_server_of_the_setting_and_dialled(servers: Receivers) -> None:
    receiver = servers.answering()

    answer = post_by_name(name_server(servers, {"crm.example": ["127.0.0.1"]}), receiver)

    assert (answer.status, answer.address) == (200, "127.0.0.1")
    assert receiver.requests[0].headers["host"] == f"crm.example:{receiver.port}"


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "10.0.0.1"], ["127.0.0.1", "fd00::1"], ["169.254.169.254"], ["::1"]]
)
def test_a_name_with_one_forbidden_address_is_not_dialled_at_all(servers: Receivers, addresses: list[str]) -> None:
    receiver = servers.answering()

    answer = post_by_name(name_server(servers, {"crm.example": addresses}), receiver)

    assert answer.failure == Failure.FORBIDDEN_ADDRESS
    assert receiver.connections == 0


def test_a_name_that_is_rebound_between_requests_is_not_dialled(servers: Receivers) -> None:
    receiver = servers.answering()
    server = name_server(servers, {"crm.example": [["127.0.0.1"], ["10.0.0.1"]]}, ttl=0)
    transport = asking(server)

    answers = [post(transport, receiver.url("crm.example")) for _ in range(2)]
    transport.close()

    assert [answer.failure for answer in answers] == [None, Failure.FORBIDDEN_ADDRESS]
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("answer_of_server", [None, [], SERVFAIL], ids=["NXDOMAIN", "no address", "SERVFAIL"])
def test_a_name_without_an_address_is_a_failure_of_dns(servers: Receivers, answer_of_server: object) -> None:
    server = name_server(servers, {"crm.example": answer_of_server})

    answer = post_by_name(server, servers.answering())

    assert (answer.failure, answer.status) == (Failure.DNS, None) or answer_of_server == SERVFAIL
    assert answer.failure in {Failure.DNS, Failure.TIMEOUT}
    assert answer.total_ms <= (DEADLINE + LATE) * 1000


def test_dozens_of_names_whose_servers_hang_do_not_hold_up_the_others(servers: Receivers) -> None:
    hanging = {f"hang-{number}.example": SILENCE for number in range(40)}
    server = name_server(servers, {**hanging, "crm.example": ["127.0.0.1"]})
    receiver = servers.answering()
    transport = asking(server)
    for name in hanging:
        transport.start(Request(key=name, url=f"http://{name}/", headers=[], body=b"", timeout_seconds=DEADLINE))
    transport.start(
        Request(key="healthy", url=receiver.url("crm.example"), headers=[], body=b"", timeout_seconds=DEADLINE)
    )

    answers = {answer.key: answer for answer in finish(transport)}
    transport.close()

    assert answers["healthy"].status == 200
    assert answers["healthy"].total_ms < 300
    assert {answers[name].failure for name in hanging} == {Failure.TIMEOUT}
    assert max(answer.total_ms for answer in answers.values()) <= (DEADLINE + LATE) * 1000


def test_a_name_server_that_is_silent_about_one_family_holds_up_nobody(servers: Receivers) -> None:
    server = name_server(servers, {"crm.example": {"A": ["127.0.0.1"], "AAAA": SILENCE}})
    transport = asking(server)

    answer = post(transport, servers.answering().url("crm.example"), seconds=2)
    transport.close()

    assert answer.status == 200


def test_the_time_that_a_name_takes_counts_towards_the_deadline(servers: Receivers) -> None:
    server = name_server(servers, {"crm.example": [SILENCE, ["127.0.0.1"]]})
    transport = asking(server)

    # The first question is lost, and asked again after a second.
    answer = post(transport, servers.running(dripping(b"")).url("crm.example"), seconds=1.5)
    transport.close()

    assert answer.failure == Failure.TIMEOUT
    assert answer.dns_ms is not None
    assert answer.dns_ms >= 900
    assert answer.total_ms <= 2_000


def test_lookups_of_one_name_are_shared_and_kept(servers: Receivers) -> None:
    server = name_server(servers, {"crm.example": ["127.0.0.1"]})
    receiver = servers.answering()
    transport = asking(server)
    for number in range(20):
        transport.start(Request(key=number, url=receiver.url("crm.example"), headers=[], body=b"", timeout_seconds=5))

    answers = [*finish(transport), post(transport, receiver.url("crm.example"))]
    transport.close()

    assert {answer.status for answer in answers} == {200}
    assert server.asked == {"crm.example A": 1, "crm.example AAAA": 1}


def test_one_silent_receiver_does_not_hold_up_the_others(servers: Receivers, transport: Transport) -> None:
    silent, healthy = servers.running(dripping(b"")), servers.answering()
    for number in range(8):
        transport.start(
            Request(key=f"silent {number}", url=silent.url(), headers=[], body=b"", timeout_seconds=DEADLINE)
        )
    for number in range(50):
        transport.start(Request(key=number, url=healthy.url(), headers=[], body=b"", timeout_seconds=DEADLINE))

    answers = {answer.key: answer for answer in finish(transport)}

    assert {answers[number].status for number in range(50)} == {200}
    assert max(answers[number].total_ms for number in range(50)) < 300


def closing(at: int, *, receiver: Receiver) -> Script:
    """Answer on each connection until request number ``at`` has come, and close it then without an answer."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in itertools.count(1):
            if (request := await read_request(reader)) is None:
                return
            receiver.requests.append(request)
            if number == at:
                return
            writer.write(OK)
            await writer.drain()

    return script


def test_a_request_is_sent_once_also_if_the_receiver_closes_a_kept_connection_instead_of_answering(
    servers: Receivers, secured: ssl.SSLContext | None, transport: Transport
) -> None:
    receiver = Receiver(0, is_tls=secured is not None)
    servers.running(closing(2, receiver=receiver), receiver=receiver, tls=secured)

    answers = [post(transport, receiver.url()) for _ in range(6)]

    assert [answer.status for answer in answers] == [200, None] * 3
    assert {answer.failure for answer in answers} == {None, Failure.RESET}
    assert len(receiver.requests) == 6


def test_a_kept_connection_that_is_closed_is_not_sent_on(
    servers: Receivers, secured: ssl.SSLContext | None, transport: Transport
) -> None:
    """It is replaced before anything is sent: libcurl itself would send, and repeat the request on a new one."""
    sizes: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        assert request is not None
        sizes.append(len(request.body))
        writer.write(OK)
        await writer.drain()
        writer.transport.abort()

    receiver = servers.running(script, tls=secured)

    for size in range(1, 11):
        assert post(transport, receiver.url(), body=b"x" * size).status == 200
        transport.run(0.05)  # a moment, in which the close arrives

    assert sizes == list(range(1, 11))
    assert receiver.connections == 10
