"""Receivers of webhooks in a process of their own: prompt ones, which note what comes, and ones that never answer."""

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import ClassVar, Self

import psutil

_SPAWN = multiprocessing.get_context("spawn")


class Receivers:
    """A context manager; each receiver listens on a port of its own."""

    ports: Sequence[int]
    silent_ports: Sequence[int]

    def __init__(self, count: int, *, silent: int = 0) -> None:
        self._ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_receive, args=(theirs, count, silent), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.ports, self.silent_ports = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self._process.pid)

    def count(self) -> int:
        """Return how many requests have come."""
        self._ours.send("count")
        count: int = self._ours.recv()
        return count

    def arrivals(self) -> dict[int, float]:
        """Return when each numbered event first came, by the clock that processes share, and forget."""
        self._ours.send("arrivals")
        arrived: dict[int, float] = self._ours.recv()
        return arrived


class _Prompt(asyncio.Protocol):
    count: ClassVar[int] = 0
    arrivals: ClassVar[dict[int, float]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._data += data
        head, separator, body = self._data.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._data = body[length:]
        number = body.partition(b'"number":')[2].partition(b",")[0]
        _Prompt.count += 1
        self.arrivals.setdefault(int(number), now)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def _receive(connection: Connection, count: int, silent: int) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        prompt = [await loop.create_server(_Prompt, "127.0.0.1", 0, backlog=512) for _ in range(count)]
        hanging = [await loop.create_server(asyncio.Protocol, "127.0.0.1", 0) for _ in range(silent)]
        connection.send([[server.sockets[0].getsockname()[1] for server in group] for group in (prompt, hanging)])
        while True:
            if await loop.run_in_executor(None, connection.recv) == "count":
                connection.send(_Prompt.count)
            else:
                connection.send(dict(_Prompt.arrivals))
                _Prompt.arrivals.clear()

    asyncio.run(serve())
