"""``python -m tests.chaos.webhooks``: webhook workers killed, broker flushed, database restarted, under load.

Beside durable servers of its own, as ``make chaos-webhooks`` starts it: their PostgreSQL crashes and comes back.
"""

import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import django

django.setup()

import psutil  # noqa: E402 — Django is set up first
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError, connection, transaction  # noqa: E402
from redis import Redis  # noqa: E402

from config.local.keeper import kill_group, start_kept  # noqa: E402
from dialer.workspaces.clock import database_now  # noqa: E402
from dialer.workspaces.ids import public_id  # noqa: E402
from dialer.workspaces.models import Workspace  # noqa: E402
from tests.chaos import faults  # noqa: E402
from tests.chaos.faults import BROKER, POSTGRES, FaultLog, Kind  # noqa: E402
from tests.chaos.inbox import Inbox, read  # noqa: E402
from tests.chaos.plan import WebhookPoint, deaths_in  # noqa: E402
from tests.chaos.repeats import listed, repeats_of  # noqa: E402
from tests.chaos.servers import user_of  # noqa: E402
from tests.chaos.webhook_judge import judge  # noqa: E402
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event  # noqa: E402
from webhooks.outbox import NewEvent, record_events  # noqa: E402

RECEIVERS = 2
TIMEOUT_SECONDS = 2
LONGEST = 240
"""Seconds, whatever is left to die or to be sent."""


def main() -> int:
    parser = ArgumentParser(prog="make chaos-webhooks ARGS=", description=__doc__)
    parser.add_argument("--seed", default="ringback")
    parser.add_argument("--each", type=int, default=10, help="deaths at each of the three points")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=100, help="events a second")
    parser.add_argument("--flushes", type=int, default=3, help="times that the broker forgets everything")
    parser.add_argument("--restarts", type=int, default=3, help="times that PostgreSQL is restarted")
    parser.add_argument("--short", action="store_true", help="a few of everything, for CI: under 45 s")
    options = parser.parse_args()
    if options.short:
        options.each, options.events, options.flushes, options.restarts = 2, 500, 1, 1
    logging.disable(logging.WARNING)
    began = time.monotonic()
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder, Inbox(Path(folder), RECEIVERS) as inbox:
        log = Path(folder) / "deaths"
        workspace = _workspace(inbox.ports)
        environment = {"CHAOS_LOG": str(log), "CHAOS_SEED": options.seed, "CHAOS_EACH": str(options.each)}
        with _processes(environment):
            deaths = options.each * len(WebhookPoint)
            teller = _Teller(workspace, events=options.events, rate=options.rate)
            _let_die(log, teller, deaths=deaths, options=options)
            pending = _wait_for_rest()
        died, done = deaths_in(log), faults.read(log)
        inboxes = [read(file) for file in inbox.files]
    noted = {
        (public_id(Delivery.public_prefix, delivery_id), number)
        for delivery_id, number in DeliveryAttempt.objects.values_list("delivery_id", "number")
    }
    recorded = {public_id(Event.public_prefix, event_id) for event_id in Event.objects.values_list("id", flat=True)}
    repeats = [repeat for each in inboxes for repeat in repeats_of(each, faults=done, answered=noted)]
    for fault in done:
        _say(f"  {fault.id}  {fault.kind} {fault.note} ({', '.join(fault.concerns)})")
    counted = Counter(fault.kind for fault in done)
    for what, number in sorted(counted.items()):
        _say(f"  {number:3} x {what}")
    for line in listed(repeats):
        _say(f"  again  {line}")
    findings = judge(recorded, inboxes, repeats, pending=pending)
    for finding in findings:
        _say(f"  {'kept  ' if finding.is_kept else 'BROKEN'}  {finding.rule}: {finding.seen}")
    points = Counter(died)
    is_whole = len(recorded) >= options.events and all(points[point] >= options.each for point in WebhookPoint)
    is_whole = is_whole and len(done) - len(died) == options.flushes + options.restarts
    _say(f"{time.monotonic() - began:.0f} s, seed {options.seed!r}")
    return 0 if is_whole and all(finding.is_kept for finding in findings) else 1


def _workspace(ports: Sequence[int]) -> Workspace:
    workspace: Workspace = Workspace.objects.create(name="Chaos")
    for port in ports:
        Endpoint.objects.create(
            workspace=workspace,
            name="Receiver",
            url=f"http://127.0.0.1:{port}/",
            events=["*"],
            secret="chaos",  # noqa: S106
            timeout_seconds=TIMEOUT_SECONDS,
            max_in_flight=32,
        )
    return workspace


@contextmanager
def _processes(chaos: Mapping[str, str]) -> Iterator[None]:
    """Run beat and the worker; only the worker knows of its fate."""
    python = sys.executable
    environment = {
        **os.environ, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8", "LOG_LEVEL": "CRITICAL", "DATABASE_POOL_SIZE": "4"
    }  # fmt: skip
    beat = [python, "-m", "celery", "--quiet", "-A", "config.celery", "beat", "--loglevel", "CRITICAL"]
    running = [
        start_kept(beat, environment=environment, output=subprocess.DEVNULL),
        start_kept(
            [python, "-m", "tests.chaos.webhook_worker"],
            environment={**environment, **chaos, "CHAOS_OF": "webhooks"},
            output=subprocess.DEVNULL,
        ),
    ]
    try:
        yield
    finally:
        for keeper in running:
            kill_group(keeper)


class _Teller(threading.Thread):
    """Commits an event at a time, at a rate, also after the last one that was asked for, until it is stopped.

    What could not be committed because the database was away is committed when it is back.
    """

    def __init__(self, workspace: Workspace, *, events: int, rate: float) -> None:
        super().__init__(daemon=True)
        self._workspace = workspace
        self._least = events
        self._rate = rate
        self._stop_asked = threading.Event()
        self.told = 0

    def run(self) -> None:
        began = time.monotonic()
        while self.told < self._least or not self._stop_asked.is_set():
            time.sleep(max(0.0, began + self.told / self._rate - time.monotonic()))
            try:
                with transaction.atomic():
                    record_events([self._event()], now=database_now())
            except DatabaseError:
                connection.close()
                time.sleep(0.1)
            else:
                self.told += 1
        connection.close()

    def finish(self) -> None:
        self._stop_asked.set()
        self.join(LONGEST)

    def _event(self) -> NewEvent:
        return NewEvent(
            workspace_id=self._workspace.id,
            type="call.ended",
            occurred_at=database_now(),
            data={"number": self.told},
            unique_key=f"chaos:{self.told}",  # a commit whose answer was lost is not told twice
        )


def _let_die(log: Path, teller: _Teller, *, deaths: int, options: object) -> None:
    """Tell events until every death of the plan was died, the servers troubled in between."""
    flushes, restarts = options.flushes, options.restarts  # type: ignore[attr-defined]
    dice = random.Random(options.seed)  # type: ignore[attr-defined]  # noqa: S311 — chance that can be repeated
    after = sorted(dice.sample(range(1, deaths - 1), flushes + restarts))
    troubles: list[tuple[Kind, str, Callable[[], None]]] = [(Kind.FLUSH, BROKER, _flush)] * flushes
    troubles += [(Kind.POSTGRES, POSTGRES, _restart_postgres)] * restarts
    dice.shuffle(troubles)
    fault_log = FaultLog(log)
    deadline = time.monotonic() + LONGEST
    teller.start()
    while (died := len(deaths_in(log))) < deaths and time.monotonic() < deadline:
        if troubles and died >= after[-len(troubles)]:
            kind, whom, trouble = troubles.pop(0)
            with fault_log.lasting(kind, [whom]):
                trouble()
        time.sleep(0.05)
    teller.finish()


def _flush() -> None:
    Redis.from_url(settings.BROKER_URL).flushdb()


def _restart_postgres() -> None:
    """End it as a crash would, and start it again as it was started."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone() or (0,)
    server = psutil.Process(psutil.Process(backend).ppid())
    command, user = server.cmdline(), user_of(server)
    server.send_signal(signal.SIGQUIT)
    psutil.wait_procs([server], timeout=20)
    connection.close()
    start_kept(command, user=user, output=subprocess.DEVNULL, stop_signal=signal.SIGINT)
    _eventually_connects()


def _eventually_connects() -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            database_now()
        except DatabaseError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _wait_for_rest() -> int:
    """Wait until leases have ended and everything was sent; return how much is left."""
    deadline = time.monotonic() + 60
    while (left := Delivery.objects.filter(status="pending").count()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
