"""``make bench``: whole dial lifecycles per second beside bare Celery no-op tasks, and lateness with a million held.

A lifecycle is: waiting contact claimed, compare-and-set and commit, carrier asked (in the worker's process), report
stored and applied, and one transaction for outcome, decision, the next callback with its queued call, and the events
with their deliveries. Bare tasks run on the same workers, in the same run, in turn with the lifecycles; what counts is
the ratio. Needs PostgreSQL and Valkey to itself (``make bench`` starts them) and an idle machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import django
import psutil

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first
from django.db import connection  # noqa: E402
from redis import Redis  # noqa: E402

from bench.worker import app, last, nothing  # noqa: E402
from dialer.models import Campaign, Line, Persona  # noqa: E402
from dialer.workspaces.clock import database_now  # noqa: E402
from dialer.workspaces.ids import new_id  # noqa: E402
from dialer.workspaces.models import Workspace  # noqa: E402
from dialer.workspaces.statements import fetch, run  # noqa: E402

PROCESSES = 2
THREADS = 4
ROUND_THE_CLOCK = {"calling_hours": {"start": "00:00", "end": "24:00"}, "callback_retry_schedule": [43_200]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lifecycles", type=int, default=4_000, help="per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--held", type=int, default=1_000_000)
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 200])
    parser.add_argument("--seconds", type=int, default=20, help="of each rate")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as ledgers, workers(Path(ledgers)):
        campaign = a_campaign()
        lifecycles_per_second(campaign, options.lifecycles // 4)  # fills caches and tables
        print("round  bare tasks/s  lifecycles/s  ratio   CPU ms of a bare task  of a lifecycle (PostgreSQL included)")
        ratios = []
        for number in range(1, options.rounds + 1):
            before = cpu_seconds()
            bare = bare_tasks_per_second(options.lifecycles)
            between = cpu_seconds()
            whole = lifecycles_per_second(campaign, options.lifecycles)
            after = cpu_seconds()
            ratios.append(whole / bare)
            costs = [1000 * (end - start) / options.lifecycles for start, end in ((before, between), (between, after))]
            print(f"{number:5}  {bare:12.0f}  {whole:12.0f}  {whole / bare:5.2f}   {costs[0]:21.2f}  {costs[1]:14.2f}")
        print(f"median ratio {statistics.median(ratios):.2f} (to reach: 1.5)")
        hold(campaign, options.held)
        print(f"\nlateness, {options.held:,} held   p50   p95   p99   max (ms)")
        for rate in options.rates:
            late = sorted(lateness(campaign, rate, options.seconds, Path(ledgers)))
            shown = [late[min(int(len(late) * p), len(late) - 1)] * 1000 for p in (0.5, 0.95, 0.99, 1)]
            print(f"{rate:4}/s ({len(late)} calls)      " + "  ".join(f"{value:4.0f}" for value in shown), flush=True)
        print("p99 to reach: 250 ms")


def cpu_seconds() -> float:
    """Return what this process, its workers and PostgreSQL have used: on a shared machine steadier than time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        postmaster = psutil.Process(cursor.fetchone()[0]).parent()
    assert postmaster is not None
    found = [psutil.Process(), *psutil.Process().children(recursive=True), *postmaster.children(recursive=True)]
    total = 0.0
    for process in found:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


@contextmanager
def workers(ledgers: Path) -> Iterator[None]:
    """Run a tick worker and the dial workers; the clock of this process is the metronome."""
    environment = {
        **os.environ,
        "CARRIER_SIMULATED_CLASS": "bench.carrier.Carrier",
        "BENCH_LEDGERS": str(ledgers),
        "LOG_LEVEL": "WARNING",
        "DATABASE_POOL_SIZE": str(THREADS + 2),
    }
    common = [sys.executable, "-m", "celery", "-A", "bench.worker", "worker", "--without-gossip", "--without-mingle"]
    running = [
        subprocess.Popen(  # noqa: S603 — our own command
            [*common, "-Q", queue, "-P", "threads", "-c", str(threads), "-n", name], env=environment
        )
        for queue, threads, name in [
            ("tick", 1, "tick@bench"),
            *(("dial", THREADS, f"dial{number}@bench") for number in range(PROCESSES)),
        ]
    ]
    app.control.purge()
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def a_campaign() -> Campaign:
    workspace = Workspace.objects.create(name="Bench", contact_limits=[])
    persona = Persona.objects.create(workspace=workspace, name="Bench")
    line = Line.objects.create(workspace=workspace, name="Bench", caller_ids=["+15550000000"])
    campaign: Campaign = Campaign.objects.create(
        workspace=workspace, name="Bench", persona=persona, line=line, schedule=ROUND_THE_CLOCK, status="running"
    )
    return campaign


def bare_tasks_per_second(count: int) -> float:
    client = Redis.from_url(os.environ["BROKER_URL"])
    key = f"bench-last-{new_id()}"
    began = time.monotonic()
    with app.producer_or_acquire() as producer:
        for number in range(count):
            nothing.apply_async(args=(number,), producer=producer)
        last.apply_async(args=(key,), producer=producer)
    while not client.exists(key):
        time.sleep(0.005)
    return count / (time.monotonic() - began)


def lifecycles_per_second(campaign: Campaign, count: int) -> float:
    """Let ``count`` waiting contacts fall due at once; the time to the last one's next callback."""
    add_contacts(campaign, count)
    before = callbacks_made()
    began = time.monotonic()
    next_tick = began
    while callbacks_made() - before < count:
        if time.monotonic() >= next_tick:
            tick()
            next_tick += 1  # as beat does
        time.sleep(0.1)
    return count / (time.monotonic() - began)


def tick() -> None:
    app.send_task("dialer.tick", queue="tick", expires=1)
    app.send_task("dialer.apply_carrier_events", queue="dial", expires=1)


class Counted(NamedTuple):
    n: int


def callbacks_made() -> int:
    return fetch(Counted, "bench_callbacks", "SELECT count(*) AS n FROM callbacks_callback")[0].n


def add_contacts(campaign: Campaign, count: int) -> None:
    run(
        "bench_contacts",
        """
        WITH made AS (
            INSERT INTO dialer_contact (id, workspace_id, name, phone, time_zone, zones, timezone_source, warnings,
                status, metadata)
            SELECT gen_random_uuid(), %(workspace)s, 'Bench', '+1' || (3000000000 + nextval('bench_numbers'))::text,
                'Europe/Berlin', '["Europe/Berlin"]', 'contact', '[]', '', '{}'
            FROM generate_series(1, %(count)s) RETURNING id
        )
        INSERT INTO dialer_campaigncontact
            (id, workspace_id, campaign_id, contact_id, state, due_at, end_reason, result)
        SELECT gen_random_uuid(), %(workspace)s, %(campaign)s, id, 'waiting', clock_timestamp(), '', '' FROM made
        """,
        {"workspace": campaign.workspace_id, "campaign": campaign.pk, "count": count},
    )


class Called(NamedTuple):
    id: UUID
    phone: str


def hold(campaign: Campaign, count: int) -> None:
    """Put calls in the queue that fall due in a month, as promises of one contact outside campaigns."""
    contact = fetch(Called, "bench_contact", "SELECT id, phone FROM dialer_contact LIMIT 1")[0]
    queue_calls(campaign, contact, count)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE dialer_call")


def queue_calls(campaign: Campaign, contact: Called, count: int) -> None:
    run(
        "bench_calls",
        """
        INSERT INTO dialer_call (id, workspace_id, contact_id, persona_id, line_id, number, caller_id, rank, due_at,
            chain_id, attempt_number, retries_used, schedule, metadata, direction, status, outcome, ended_reason,
            held_reason, generation, carrier_call_id, follow_up_pending)
        SELECT id, %(workspace)s, %(contact)s, %(persona)s, %(line)s, %(number)s, '', 2,
            now() + interval '30 days' + n * interval '1 second', id, 1, 0, '{}', '{}', 'outbound', 'queued', '', '',
            '', 0, '', false
        FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, %(count)s) AS n) AS made
        """,
        {
            "workspace": campaign.workspace_id,
            "contact": contact.id,
            "number": contact.phone,
            "persona": campaign.persona_id,
            "line": campaign.line_id,
            "count": count,
        },
    )


class Due(NamedTuple):
    id: UUID
    due: float


def lateness(campaign: Campaign, rate: int, seconds: int, ledgers: Path) -> list[float]:
    """Let calls fall due evenly at ``rate``, each to its own contact; seconds from due to asked, by the ledgers."""
    count = rate * seconds
    begin = database_now() + timedelta(seconds=8)
    rows = fetch(
        Due,
        "bench_due_calls",
        """
        WITH made AS (
            INSERT INTO dialer_contact (id, workspace_id, name, phone, time_zone, zones, timezone_source, warnings,
                status, metadata)
            SELECT gen_random_uuid(), %(workspace)s, 'Bench', '+1' || (3000000000 + nextval('bench_numbers'))::text,
                'Europe/Berlin', '["Europe/Berlin"]', 'contact', '[]', '', '{}'
            FROM generate_series(1, %(count)s) RETURNING id, phone
        ), numbered AS (SELECT id, phone, row_number() OVER () AS n FROM made)
        INSERT INTO dialer_call (id, workspace_id, contact_id, persona_id, line_id, number, caller_id, rank, due_at,
            chain_id, attempt_number, retries_used, schedule, metadata, direction, status, outcome, ended_reason,
            held_reason, generation, carrier_call_id, follow_up_pending)
        SELECT gen_random_uuid(), %(workspace)s, id, %(persona)s, %(line)s, phone, '', 2,
            %(begin)s + n * %(step)s, gen_random_uuid(), 1, 0, %(schedule)s::jsonb, '{}', 'outbound', 'queued', '', '',
            '', 0, '', false
        FROM numbered RETURNING id, extract(epoch FROM due_at)::float8 AS due
        """,
        {
            "workspace": campaign.workspace_id,
            "persona": campaign.persona_id,
            "line": campaign.line_id,
            "count": count,
            "begin": begin,
            "step": timedelta(seconds=1 / rate),
            "schedule": '{"calling_hours": {"start": "00:00", "end": "24:00"}}',
        },
    )
    due = {str(row.id): row.due for row in rows}
    until = time.monotonic() + 8 + seconds + 15
    asked: dict[str, float] = {}
    while len(asked) < count and time.monotonic() < until:
        tick()
        time.sleep(1)
        asked = {
            call_id: float(at)
            for ledger in ledgers.glob("*.csv")
            for call_id, at in (line.split(",") for line in ledger.read_text().splitlines() if line.count(",") == 1)
            if call_id in due
        }
    if len(asked) < count:
        print(f"only {len(asked)} of {count} calls were asked for in time")
    return [at - due[call_id] for call_id, at in asked.items()]


if __name__ == "__main__":
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS bench_numbers")
    main()
