"""Receivers for tests: real servers on loopback, one thread for all, well-behaved or scripted to be a nuisance."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a receiver does with a connection; it is closed afterwards."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Where a receiver listens and what it got."""

    port: int
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    is_tls: bool = False

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}{path}"


async def read_request(reader: asyncio.StreamReader) -> Received | None:
    """Read one request; ``None`` where the connection ended before."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in fields)}
        return Received(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
    return None


class Receivers:
    """A thread with an event loop in which any number of receivers listen."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []

    def answering(self, *answers: bytes, tls: ssl.SSLContext | None = None, keep: bool = True) -> Receiver:
        """Listen and answer each request with the next of ``answers``; the last one is repeated."""
        waiting = list(answers) or [OK]
        receiver = Receiver(0, is_tls=tls is not None)

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while (request := await read_request(reader)) is not None:
                receiver.requests.append(request)
                writer.write(waiting.pop(0) if len(waiting) > 1 else waiting[0])
                await writer.drain()
                if not keep:
                    return

        return self.running(script, receiver=receiver, tls=tls)

    def running(
        self, script: Script, *, receiver: Receiver | None = None, tls: ssl.SSLContext | None = None
    ) -> Receiver:
        """Listen and run ``script`` for every connection."""
        receiver = receiver or Receiver(0, is_tls=tls is not None)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            receiver.connections += 1
            try:
                with suppress(ConnectionError, asyncio.CancelledError):
                    await script(reader, writer)
            finally:
                writer.close()

        server = self.call(asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, backlog=512))
        self._servers.append(server)
        receiver.port = server.sockets[0].getsockname()[1]
        return receiver

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def close(self) -> None:
        async def stop() -> None:
            for server in self._servers:
                server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.call(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@contextmanager
def receivers() -> Iterator[Receivers]:
    running = Receivers()
    try:
        yield running
    finally:
        running.close()
