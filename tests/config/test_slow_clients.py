"""Clients that send a byte now and then, over real sockets: they hold no thread, and they are cut off."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from config import arriving
from config.env import BASE_DIR
from config.local.settings import free_port, is_free
from tests.config.processes import bare_environment, eventually

SECONDS = 2.0
THREADS = 4
MANY = 200
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Start one web process with four threads; it ends with the module."""
    port = free_port()
    web = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "tests.config.slow_app:app", "--config", "python:config.gunicorn"],
        env={
            **bare_environment(),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "WEB_PROCESSES": "1",
            "DATABASE_POOL_SIZE": str(THREADS),
            "SLOW_SECONDS": str(SECONDS),
        },
        cwd=BASE_DIR,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    eventually(lambda: not is_free(port), what="the web process listens")
    yield port
    os.killpg(web.pid, signal.SIGTERM)
    web.wait()


def connect(port: int, data: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(data)
    return client


def answer(client: socket.socket) -> tuple[int, bytes]:
    """Return status and body of the next answer; status 0 if the connection ends without one."""
    with client.makefile("rb") as file:
        status = file.readline()
        if not status:
            return 0, b""
        length = 0
        while (line := file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return int(status.split()[1]), file.read(length)


@contextlib.contextmanager
def many(port: int, data: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(port, data)) for _ in range(MANY)]


@pytest.mark.parametrize(
    "begun",
    [b"", b"G", GET[:-2], HEAD % 100 + b"x", HEAD % 1_000_000 + b"x" * 100, CHUNKED + b"5\r\nab", CHUNKED],
    ids=["nothing", "a letter", "a head", "a body", "a large body", "a chunk", "no chunk"],
)
def test_two_hundred_who_stop_sending_stop_nobody_else(port: int, begun: bytes) -> None:
    with many(port, begun):
        began = time.monotonic()
        with connect(port, GET) as client:
            answered = answer(client)

        assert answered == (200, b"0")
        assert time.monotonic() - began < SECONDS / 2


@pytest.mark.parametrize(
    "begun", [b"GET / HT", HEAD % 1_000 + b"x", CHUNKED + b"3e8\r\nx"], ids=["head", "body", "chunks"]
)
def test_a_request_that_drips_is_refused_when_its_time_is_over(port: int, begun: bytes) -> None:
    began = time.monotonic()
    with connect(port, begun) as client, ThreadPoolExecutor(1) as helper:
        answered = helper.submit(answer, client)
        while not answered.done():
            with contextlib.suppress(OSError):
                client.sendall(b"x")
            time.sleep(0.1)

        assert answered.result()[0] == 408
        assert b'"code": "request_timeout"' in answered.result()[1]
    assert SECONDS <= time.monotonic() - began < SECONDS + 3


def test_a_large_body_that_drips_frees_its_thread_when_its_time_is_over(port: int) -> None:
    began = time.monotonic()
    with connect(port, HEAD % (arriving.MOST_GATHERED + 1) + b"x") as client:
        status, _ = answer(client)

    assert status in {0, 500}  # this application does not catch it; Django answers 400
    assert SECONDS <= time.monotonic() - began < SECONDS + 3


def test_large_bodies_that_stop_leave_half_of_the_threads(port: int) -> None:
    with many(port, HEAD % 10_000_000 + b"x"), connect(port, HEAD % 5 + b"abcde") as client:
        assert answer(client) == (200, b"5")


@pytest.mark.parametrize("size", [0, 1, 70_000, arriving.MOST_GATHERED, arriving.MOST_GATHERED + 1, 5_000_000])
def test_bodies_of_every_size_arrive_whole(port: int, size: int) -> None:
    with connect(port, HEAD % size + b"x" * size) as client:
        assert answer(client) == (200, str(size).encode())


@pytest.mark.parametrize("size", [1, 70_000, arriving.MOST_GATHERED * 3])
@pytest.mark.parametrize("cut", [1, 7, 4_096])
def test_chunked_bodies_arrive_whole_however_they_are_cut(port: int, size: int, cut: int) -> None:
    chunk = b"x" * min(size, 9_000)
    whole = b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk)
    count = size // len(chunk)
    body = whole * count + b"0\r\nX-Trailer: yes\r\n\r\n"
    with connect(port, CHUNKED) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, min(len(body), 100 * cut), cut):
            client.sendall(body[at : at + cut])
        client.sendall(body[100 * cut :])

        assert answer(client) == (200, str(count * len(chunk)).encode())


def test_requests_follow_each_other_on_one_connection_also_without_waiting(port: int) -> None:
    with connect(port, GET + HEAD % 3 + b"abc" + CHUNKED + b"2\r\nab\r\n0\r\n\r\n" + HEAD % 4 + b"ab") as client:
        assert [answer_alone(client) for _ in range(3)] == [b"0", b"3", b"2"]
        client.sendall(b"cd")
        assert answer_alone(client) == b"4"


def answer_alone(client: socket.socket) -> bytes:
    """Return the body of one answer, and read nothing of the next."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(1)
    assert data.startswith(b"HTTP/1.1 200 ")
    return client.recv(1)


def test_a_client_that_asks_whether_to_continue_is_told_to(port: int) -> None:
    with connect(port, HEAD.replace(b"Host", b"Expect: 100-continue\r\nHost") % 3) as client:
        told = client.recv(25)
        client.sendall(b"abc")

        assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert answer(client) == (200, b"3")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /" + b"a" * 5_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000, 431),
        (CHUNKED + b"-5\r\nab\r\n", 400),
        (CHUNKED + b"5\nabcde\r\n0\r\n\r\n", 400),
        (CHUNKED.replace(b"Host", b"Content-Length: 5\r\nHost") + b"0\r\n\r\n", 400),
    ],
    ids=["bare line feeds", "address", "headers", "negative chunk", "chunk line", "two lengths"],
)
def test_what_cannot_be_read_is_refused_at_once(port: int, sent: bytes, status: int) -> None:
    began = time.monotonic()
    with connect(port, sent) as client:
        assert answer(client)[0] == status
    assert time.monotonic() - began < SECONDS / 2


def test_two_hundred_who_do_not_hang_up_stop_nobody_else(port: int) -> None:
    with many(port, b"GET / HTTP/1.0\r\n\r\n"):
        began = time.monotonic()
        with connect(port, GET) as client:
            assert answer(client) == (200, b"0")
        assert time.monotonic() - began < SECONDS / 2
