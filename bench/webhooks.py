"""Deliveries per second from outbox to settled, and how long a committed event takes to its receiver's first byte.

The same loop, claim and settling run with two transports in turn: ours (libcurl's multi interface) and threads of
``requests``; what counts is the ratio within a run. Receivers, writer and senders share the machine. Needs an idle one
and a PostgreSQL that may be filled: ``python -m bench.webhooks``.
"""

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Signal
from typing import Any, Self
from uuid import UUID

import django

django.setup()

import requests  # noqa: E402 — Django is set up first
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402

from dialer.workspaces.clock import database_now  # noqa: E402
from dialer.workspaces.models import Workspace  # noqa: E402
from dialer.workspaces.statements import Id, fetch, run  # noqa: E402
from webhooks.models import Endpoint  # noqa: E402
from webhooks.outbox import NewEvent, record_events  # noqa: E402
from webhooks.sender import Sender  # noqa: E402
from webhooks.transport import Answer, Request, Transport  # noqa: E402

RECEIVERS = 50
SILENT = 10
SENDERS = 2
THREADS = 32
LOOPBACK = ["127.0.0.0/8"]
PADDING = "x" * 700
"""Makes a body of about 1 KB."""

_SPAWN = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=20_000, help="per round and transport")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", type=int, nargs="*", default=[200, 500])
    parser.add_argument("--seconds", type=int, default=15, help="of each rate")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    with Receivers() as receivers:
        every = [a_workspace([port]) for port in receivers.ports]
        whole = a_workspace(receivers.ports)
        print(f"{SENDERS} processes, {RECEIVERS} receivers, 1 KB, signed; CPU of the senders in ms per delivery")
        print("round  requests/s    CPU  pycurl/s    CPU  ratio  of CPU")
        ratios = []
        for number in range(1, options.rounds + 1):
            slow, slow_cpu = deliveries_per_second(whole, options.deliveries // 5, threads_of_requests)
            fast, fast_cpu = deliveries_per_second(whole, options.deliveries, libcurl)
            ratios.append(fast / slow)
            of_cpu = slow_cpu / fast_cpu
            shown = f"{slow:10.0f}  {slow_cpu:5.2f}  {fast:8.0f}  {fast_cpu:5.2f}  {ratios[-1]:5.1f}  {of_cpu:6.1f}"
            print(f"{number:5}  {shown}", flush=True)
        print(f"median ratio {statistics.median(ratios):.1f}")
        print("\ncommitted to first byte      p50   p95   p99   max (ms)")
        for rate in options.rates:
            show(f"{rate:4}/s", first_bytes(receivers, every, rate, options.seconds))
        silent = [a_workspace([port]) for port in receivers.silent_ports]
        rate = options.rates[0]
        show(f"{rate:4}/s, {SILENT} silent too", first_bytes(receivers, every, rate, options.seconds, silent))


def show(name: str, late: Sequence[float]) -> None:
    late = sorted(late)
    shown = [late[min(int(len(late) * p), len(late) - 1)] * 1000 for p in (0.5, 0.95, 0.99, 1)]
    print(f"{name:25}" + "".join(f"{value:6.0f}" for value in shown), flush=True)


class Receivers:
    """Receivers in a process of their own, which notes when each numbered event came."""

    def __init__(self) -> None:
        self._ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_receive, args=(theirs,), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.ports, self.silent_ports = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def arrivals(self) -> dict[int, float]:
        """Return when each event came, by the clock that processes share, and forget."""
        self._ours.send("report")
        arrived: dict[int, float] = self._ours.recv()
        return arrived


class _Receiver(asyncio.Protocol):
    arrivals: dict[int, float] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
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
        self.arrivals.setdefault(int(number), now)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def _receive(connection: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(_Receiver, "127.0.0.1", 0, backlog=512) for _ in range(RECEIVERS)]
        silent = [await loop.create_server(asyncio.Protocol, "127.0.0.1", 0) for _ in range(SILENT)]
        connection.send([[server.sockets[0].getsockname()[1] for server in group] for group in (servers, silent)])
        while True:
            await loop.run_in_executor(None, connection.recv)
            connection.send(dict(_Receiver.arrivals))
            _Receiver.arrivals.clear()

    asyncio.run(serve())


def a_workspace(ports: Sequence[int]) -> UUID:
    workspace = Workspace.objects.create(name="Bench")
    for port in ports:
        Endpoint.objects.create(
            workspace=workspace,
            name="Bench",
            url=f"http://127.0.0.1:{port}/",
            events=["*"],
            secret="bench",  # noqa: S106
            max_in_flight=16,
            max_retries=0,
        )
    return workspace.id


def an_event(workspace_id: UUID, number: int) -> NewEvent:
    return NewEvent(
        workspace_id=workspace_id,
        type="call.ended",
        occurred_at=database_now(),
        data={"number": number, "transcript": PADDING},
    )


def deliveries_per_second(workspace_id: UUID, count: int, make: Callable[[], Any]) -> tuple[float, float]:
    """Record ``count`` deliveries, then let the senders work them off; from their start signal to the last settled.

    Return also the milliseconds of CPU that the senders used for each.
    """
    for first in range(0, count // RECEIVERS, 50):
        with transaction.atomic():
            numbers = range(first, min(first + 50, count // RECEIVERS))
            record_events([an_event(workspace_id, number) for number in numbers], now=database_now())
    run("bench_vacuum", "VACUUM ANALYZE webhooks_delivery, webhooks_event")
    with Senders(make) as senders:
        began = senders.begin()
        while pending():
            time.sleep(0.02)
        took = time.monotonic() - began
    return count / took, senders.cpu_seconds * 1000 / count


def first_bytes(
    receivers: Receivers, workspaces: Sequence[UUID], rate: int, seconds: int, silent: Sequence[UUID] = ()
) -> list[float]:
    """Commit events at a rate, one at a time; seconds from each commit to its receiver's first byte."""
    receivers.arrivals()
    committed: dict[int, float] = {}
    with Senders(libcurl) as senders:
        began = senders.begin()
        for number in range(rate * seconds):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            workspace_id = workspaces[number % len(workspaces)]
            with transaction.atomic():
                events = [an_event(workspace_id, number)]
                if silent and number % 20 == 0:
                    events.append(an_event(silent[number // 20 % len(silent)], -1))
                record_events(events, now=database_now())
            committed[number] = time.monotonic()
        time.sleep(1)
    arrivals = receivers.arrivals()
    assert committed.keys() <= arrivals.keys(), "an event did not arrive"
    return [arrivals[number] - at for number, at in committed.items()]


def pending() -> bool:
    return bool(fetch(Id, "bench_pending", "SELECT id FROM webhooks_delivery WHERE status = 'pending' LIMIT 1"))


class Senders:
    """The loop in processes of their own; they wait for the signal, so that their start is not measured."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._go, self._stop = _SPAWN.Event(), _SPAWN.Event()
        self._used: Queue[float] = _SPAWN.Queue()
        self.cpu_seconds = 0.0
        self._ready = [_SPAWN.Event() for _ in range(SENDERS)]
        self._processes = [
            _SPAWN.Process(target=_send, args=(make, ready, self._go, self._stop, self._used)) for ready in self._ready
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        for ready in self._ready:
            ready.wait()
        return self

    def begin(self) -> float:
        self._go.set()
        return time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.cpu_seconds = sum(self._used.get() for _ in self._processes)
        for process in self._processes:
            process.join()


def _send(make: Callable[[], Any], ready: Signal, go: Signal, stop: Signal, used: "Queue[float]") -> None:
    sender = Sender(make(), clock=database_now)
    database_now()
    ready.set()
    go.wait()
    began = time.process_time()
    while not stop.is_set():
        if not sender.step():
            time.sleep(0.03)  # as the drain pauses
    sender.finish(within_seconds=6)
    sender.close()
    used.put(time.process_time() - began)


def libcurl() -> Transport:
    return Transport(allowed_networks=LOOPBACK)


def threads_of_requests() -> "ThreadsOfRequests":
    return ThreadsOfRequests()


class ThreadsOfRequests:
    """The comparison: as many threads as pay off, each with sessions' kept connections."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS)
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = requests.adapters.HTTPAdapter(pool_connections=RECEIVERS, pool_maxsize=THREADS)
        self._session.mount("http://", adapter)
        self._futures: set[Future[Answer]] = set()

    def start(self, request: Request) -> None:
        self._futures.add(self._pool.submit(self._post, request))

    def run(self, seconds: float) -> list[Answer]:
        done, self._futures = wait(self._futures, timeout=seconds, return_when="FIRST_COMPLETED")
        return [future.result() for future in done]

    def close(self) -> None:
        self._pool.shutdown()

    def _post(self, request: Request) -> Answer:
        response = self._session.post(
            request.url,
            data=request.body,
            headers=dict(request.headers),
            timeout=request.timeout_seconds,
            allow_redirects=False,
        )
        return Answer(key=request.key, status=response.status_code, body=response.content[:16384])


if __name__ == "__main__":
    assert os.environ.get("DJANGO_SETTINGS_MODULE"), "DJANGO_SETTINGS_MODULE=config.settings"
    socket.setdefaulttimeout(10)
    main()
