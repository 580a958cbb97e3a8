"""Events of about 1 KB for endpoints that sign, sent by the product's own workers; until they are settled or arrive."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from bench.fleet import Fleet, fleet
from bench.receivers import Receivers
from bench.worker import app
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import Id, fetch
from webhooks.models import Endpoint
from webhooks.outbox import NewEvent, record_events

SENDERS = 2
PADDING = "x" * 700
"""Makes a body of about 1 KB."""
TOGETHER = 10
"""Events of a transaction of a stream: the engine records the events of many calls in one."""
_BEAT_SECONDS = 1.0
_LAST_ARRIVES_SECONDS = 2.0


class Stream(NamedTuple):
    """Seconds from each commit to its receiver's first byte, and the rate that the writer kept."""

    first_bytes: list[float]
    rate: float


def a_workspace(ports: Sequence[int]) -> UUID:
    """Make a workspace with an endpoint for each port, for every event."""
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


@contextmanager
def senders() -> Iterator[Fleet]:
    """Run the workers of webhooks, which wait for the first message of beat."""
    with fleet({"worker-webhooks": SENDERS}) as running:
        yield running


@contextmanager
def beat() -> Iterator[None]:
    """Publish what starts the senders' loops, every second as beat does."""
    done = threading.Event()

    def publish() -> None:
        while not done.wait(_BEAT_SECONDS):
            app.send_task("webhooks.deliver_due")

    thread = threading.Thread(target=publish, daemon=True)
    for _ in range(2 * SENDERS):  # so that each process gets one at once
        app.send_task("webhooks.deliver_due")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def record(workspace_id: UUID, count: int) -> None:
    """Record events, fifty in a transaction."""
    for first in range(0, count, 50):
        with transaction.atomic():
            numbers = range(first, min(first + 50, count))
            record_events([_event(workspace_id, number) for number in numbers], now=database_now())


def are_pending() -> bool:
    return bool(fetch(Id, "bench_pending", "SELECT id FROM webhooks_delivery WHERE status = 'pending' LIMIT 1"))


def stream(
    receivers: Receivers, workspaces: Sequence[UUID], rate: int, seconds: int, *, silent: Sequence[UUID] = ()
) -> Stream:
    """Commit events at a rate, ten in a transaction, for one workspace after the other; each has one receiver.

    Every second transaction has an event more, for a silent receiver.
    """
    receivers.arrivals()
    committed: dict[int, float] = {}
    began = time.monotonic()
    for first in range(0, rate * seconds, TOGETHER):
        time.sleep(max(0.0, began + first / rate - time.monotonic()))
        numbers = range(first, first + TOGETHER)
        with transaction.atomic():
            events = [_event(workspaces[number % len(workspaces)], number) for number in numbers]
            if silent and first % (2 * TOGETHER) == 0:
                events.append(_event(silent[first // (2 * TOGETHER) % len(silent)], -1))
            record_events(events, now=database_now())
        committed.update(dict.fromkeys(numbers, time.monotonic()))
    lasted = time.monotonic() - began
    time.sleep(_LAST_ARRIVES_SECONDS)
    arrivals = receivers.arrivals()
    assert committed.keys() <= arrivals.keys(), "an event did not arrive"
    return Stream([arrivals[number] - at for number, at in committed.items()], len(committed) / lasted)


def _event(workspace_id: UUID, number: int) -> NewEvent:
    return NewEvent(
        workspace_id=workspace_id,
        type="call.ended",
        occurred_at=database_now(),
        data={"number": number, "transcript": PADDING},
    )
