"""The receivers, in a process of their own: a listener for each behaviour and scheme, and a name server."""

import asyncio
import multiprocessing
import socket
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import trustme

from tests.hostile.behaviours import BEHAVIOURS, Behaviour, Certificate, Script
from tests.webhooks.name_server import SERVFAIL, SILENCE, alias_of, start_name_server
from tests.webhooks.receivers import OK, read_request

PRIVATE = "10.0.0.1"
HANGING = [f"hang-{n}.example" for n in range(48)]
NAMES: Mapping[str, object] = {
    "servfail.example": SERVFAIL,
    "silence.example": SILENCE,
    "many.example": [f"127.0.0.{n}" for n in range(1, 65)],
    "alias.example": alias_of("private.example"),
    "private.example": [PRIVATE],
    "mixed.example": ["127.0.0.1", PRIVATE],
    "rebound.example": [["127.0.0.1"], [PRIVATE]],
    "six.example": ["::1"],
    **dict.fromkeys(HANGING, SILENCE),
}

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver to post to; ``number`` is its behaviour's place in the table, ``None``: it is healthy."""

    url: str
    number: int | None = None

    @property
    def behaviour(self) -> Behaviour:
        assert self.number is not None
        return BEHAVIOURS[self.number]


@dataclass(frozen=True, slots=True)
class Addresses:
    hostile: Sequence[Target]
    healthy: Sequence[Target]
    name_server: str
    canary: int
    ca_file: str


class Server:
    """Runs the receivers; ``healthy`` ones note when each numbered event came."""

    def __init__(self, *, healthy: int = 0, is_hostile: bool = True) -> None:
        self._ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_run, args=(theirs, healthy, is_hostile), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.addresses: Addresses = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def connections(self) -> Counter[str]:
        """Return how often each listener was connected to, by its URL; the canary by its name."""
        found: Counter[str] = self._ask("connections")
        return found

    def arrivals(self) -> dict[int, float]:
        """Return when each numbered event reached a healthy receiver, by the clock that processes share."""
        found: dict[int, float] = self._ask("arrivals")
        return found

    def _ask(self, what: str) -> Any:
        self._ours.send(what)
        return self._ours.recv()


def _run(pipe: Connection, healthy: int, is_hostile: bool) -> None:  # noqa: FBT001 — of a process
    asyncio.run(_serve(pipe, healthy=healthy, is_hostile=is_hostile))


async def _serve(pipe: Connection, *, healthy: int, is_hostile: bool) -> None:
    connections: Counter[str] = Counter()
    arrivals: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        ca_file = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(ca_file)
        listeners = _Listeners(authority, connections)
        found = []
        if is_hostile:
            for number, behaviour in enumerate(BEHAVIOURS):
                found += [await listeners.open(number, behaviour, scheme) for scheme in behaviour.schemes]
        well = [await listeners.healthy(arrivals) for _ in range(healthy)]
        canary = await listeners.canary()
        names = await start_name_server(NAMES, ttl=0)
        pipe.send(Addresses(found, well, names.address, canary, str(ca_file)))
        loop = asyncio.get_running_loop()
        while True:
            asked = await loop.run_in_executor(None, pipe.recv)
            pipe.send(dict(arrivals) if asked == "arrivals" else Counter(connections))


class _Listeners:
    def __init__(self, authority: trustme.CA, connections: Counter[str]) -> None:
        self._contexts = _contexts(authority)
        self._connections = connections
        self._kept: list[object] = []

    async def open(self, number: int, behaviour: Behaviour, scheme: str) -> Target:
        if behaviour.is_black_hole:
            port = self._black_hole()
        else:
            context = self._contexts.get(behaviour.certificate) if scheme == "https" else None
            port = await self._listen(behaviour.script, context, f"{number} {scheme}")
        return Target(f"{scheme}://{behaviour.host}:{port}{behaviour.target}", number)

    async def healthy(self, arrivals: dict[int, float]) -> Target:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await reader.readexactly(1)
                now = time.monotonic()
                request = await read_request(reader)
                if request is None:
                    return
                event = int(request.body.partition(b'"number":')[2].partition(b"}")[0].partition(b",")[0])
                arrivals.setdefault(event, now)
                writer.write(OK)
                await writer.drain()

        return Target(f"http://127.0.0.1:{await self._listen(script, None, 'healthy')}/hook")

    async def canary(self) -> int:
        async def script(*_: object) -> None:
            return

        return await self._listen(script, None, "canary")

    async def _listen(self, script: Script, context: ssl.SSLContext | None, name: str) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections[name] += 1
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
            writer.close()

        port = 0
        for host in ("127.0.0.1", "::1"):
            with suppress(OSError):  # a machine without IPv6
                server = await asyncio.start_server(serve, host, port, ssl=context, backlog=512)
                port = server.sockets[0].getsockname()[1]
                self._kept.append(server)
        return port

    def _black_hole(self) -> int:
        """Listen with a queue that is full: the kernel drops whoever knocks."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self._kept.append(listener)
        for _ in range(2):
            caller = socket.socket()
            caller.settimeout(0)
            with suppress(BlockingIOError):
                caller.connect(listener.getsockname())
            self._kept.append(caller)
        return int(listener.getsockname()[1])


def _contexts(authority: trustme.CA) -> dict[Certificate, ssl.SSLContext]:
    names = ("127.0.0.1", "many.example", "six.example", "rebound.example")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    good = authority.issue_cert(*names)
    contexts: dict[Certificate, ssl.SSLContext] = {
        "good": _context(good),
        "expired": _context(
            authority.issue_cert(*names, not_before=yesterday - timedelta(days=9), not_after=yesterday)
        ),
        "unknown": _context(trustme.CA().issue_cert(*names)),
        "other name": _context(authority.issue_cert("crm.example")),
        "no chain": _without_chain(authority.create_child_ca().issue_cert(*names)),
        "old TLS": _context(good),
        "asks back": _context(good),
    }
    contexts["old TLS"].set_ciphers("ALL:@SECLEVEL=0")
    contexts["old TLS"].minimum_version = contexts["old TLS"].maximum_version = ssl.TLSVersion.TLSv1
    contexts["asks back"].verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(contexts["asks back"])
    return contexts


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _without_chain(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate.private_key_pem.tempfile() as key, certificate.cert_chain_pems[0].tempfile() as leaf:
        context.load_cert_chain(leaf, key)
    return context
