"""(b) The shipped loop delivers to every behaviour and to 49 healthy receivers, with a database between."""

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db import transaction

from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import run as statement
from tests.hostile.alone import DEADLINE, LONGEST
from tests.hostile.behaviours import BEHAVIOURS
from tests.hostile.report import Finding, quantile, say
from tests.hostile.sending import send
from tests.hostile.server import HANGING, Addresses, Server, Target
from tests.rows import read
from webhooks.models import Endpoint
from webhooks.outbox import NewEvent, record_events
from webhooks.rules.backoff import JITTER, MAX_RETRY_AFTER

HEALTHY = 49
EVERY = 4.0
"""How often a hostile receiver is told something, in seconds."""
SUBSCRIPTIONS = 100
"""Row 21: as many for one URL."""
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is allowed at p99, in seconds."""

    latest: float
    """From an event's commit to its first byte at a healthy receiver."""
    longest: float
    """An attempt, whatever its receiver does."""


ALONE = Bounds(latest=0.25, longest=LONGEST)
BESIDE_OTHER_WORK = Bounds(latest=DEADLINE / 2, longest=DEADLINE * 1.5)
"""For a machine that does something else too: a delivery that waits for another receiver is a deadline late."""


@dataclass(frozen=True, slots=True)
class _World:
    healthy: Sequence[UUID]
    """Workspaces, one for each receiver."""
    hostile: Sequence[UUID]
    row_of: Mapping[UUID, int]
    """By endpoint."""
    name_of: Mapping[UUID, str]


def run(
    hostile: Server, healthy: Server, *, seconds: float, rate: float, backlog: int, bounds: Bounds
) -> list[Finding]:
    """Deliver to all for so long, ``rate`` events a second to healthy receivers in turn; print a line per row."""
    world = _settle_in(hostile.addresses, healthy.addresses, backlog=backlog)
    ready, stop = _SPAWN.Event(), _SPAWN.Event()
    sender = _SPAWN.Process(target=send, args=(hostile.addresses, ready, stop), daemon=True)
    sender.start()
    ready.wait(60)
    try:
        committed = _tell(world, seconds=seconds, rate=rate)
        time.sleep(4 * DEADLINE + 4)  # what was told last has had all of its retries
    finally:
        stop.set()
        sender.join(4 * DEADLINE)
    arrivals = healthy.arrivals()
    late = [arrivals[number] - at for number, at in committed.items() if number in arrivals]
    shown = " / ".join(f"{quantile(late, share) * 1000:.0f}" for share in (0.5, 0.95, 0.99, 1))
    say(f"  {len(world.hostile)} hostile workspaces, {HEALTHY} healthy at {rate:g}/s for {seconds:g} s")
    return [
        Finding(
            what="healthy receivers hear everything", seen=f"{len(late)} of {len(committed)}",
            is_kept=len(late) == len(committed),
        ),
        Finding(
            what="healthy receivers' start delay, p50 / p95 / p99 / max", seen=f"{shown} ms",
            is_kept=quantile(late, 0.99) <= bounds.latest,
        ),
        *_by_row(world, bounds), _waits(world), _retries(world),
    ]  # fmt: skip


def _settle_in(hostile: Addresses, healthy: Addresses, *, backlog: int) -> _World:
    row_of: dict[UUID, int] = {}
    name_of: dict[UUID, str] = {}

    def workspace(row: int, name: str, *urls: str) -> UUID:
        owner = Workspace.objects.create(name=name)
        for url in urls:
            endpoint = Endpoint.objects.create(
                workspace=owner, name=name, url=url, events=["*"], secret="hostile", timeout_seconds=DEADLINE  # noqa: S106
            )  # fmt: skip
            row_of[endpoint.id] = row
            name_of[endpoint.id] = name
        found: UUID = owner.id
        return found

    well = [workspace(0, "healthy", target.url) for target in healthy.healthy]
    told = [_hostile(target, workspace) for target in hostile.hostile]
    told += [workspace(11, "hangs in DNS", f"http://{name}/") for name in HANGING]
    down = next(target.url for target in hostile.hostile if target.behaviour.name == "is down")
    told.append(workspace(21, "one URL, many subscriptions", *[down] * SUBSCRIPTIONS))
    hog = workspace(
        20, "has a backlog", next(t.url for t in hostile.hostile if t.behaviour.name == "answers with a page")
    )
    for first in range(0, backlog, 500):
        with transaction.atomic():
            record_events([_event(hog, -1) for _ in range(first, min(first + 500, backlog))], now=database_now())
    statement("hostile_analyze", "ANALYZE webhooks_delivery, webhooks_event, webhooks_endpoint")
    return _World(well, told, row_of, name_of)


def _hostile(target: Target, workspace: Any) -> UUID:
    found: UUID = workspace(target.behaviour.row, target.behaviour.name, target.url)
    return found


def _event(workspace_id: UUID, number: int) -> NewEvent:
    return NewEvent(workspace_id=workspace_id, type="call.ended", occurred_at=database_now(), data={"number": number})


def _tell(world: _World, *, seconds: float, rate: float) -> dict[int, float]:
    """Commit events; return when each of the healthy ones was, by the clock that processes share."""
    committed: dict[int, float] = {}
    began = time.monotonic()
    told = -EVERY
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        if time.monotonic() - began - told >= EVERY:
            told = time.monotonic() - began
            with transaction.atomic():
                record_events([_event(workspace, -1) for workspace in world.hostile], now=database_now())
        with transaction.atomic():
            record_events([_event(world.healthy[number % len(world.healthy)], number)], now=database_now())
        committed[number] = time.monotonic()
    return committed


def _by_row(world: _World, bounds: Bounds) -> list[Finding]:
    rows = read(
        "hostile_attempts",
        """
        SELECT d.endpoint_id, a.total_ms / 1000 AS seconds
        FROM webhooks_deliveryattempt a JOIN webhooks_delivery d ON d.id = a.delivery_id
        """,
    )
    took: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        took[world.row_of[row.endpoint_id]].append(row.seconds)
    kinds = {behaviour.row for behaviour in BEHAVIOURS} | {20, 21}
    return [
        Finding(
            what=f"row {row:2}", seen=f"{len(took[row]):5} attempts, p99 {quantile(took[row], 0.99):5.3f} s",
            is_kept=quantile(took[row], 0.99) <= bounds.longest,
        )
        for row in sorted(kinds)
    ]  # fmt: skip


def _waits(world: _World) -> Finding:
    """Row 15: whatever is asked for, the wait is never shorter than the backoff, nor longer than an hour."""
    rows = read(
        "hostile_waits",
        """
        SELECT d.endpoint_id, d.failures,
               extract(epoch FROM d.due_at - a.started_at)::float8 - a.total_ms / 1000 AS waits
        FROM webhooks_delivery d JOIN webhooks_deliveryattempt a ON a.delivery_id = d.id AND a.number = d.generation
        WHERE d.status = 'pending' AND d.failures > 0
        """,
    )
    mine = [row for row in rows if world.row_of[row.endpoint_id] == 15]
    outside = [
        row for row in mine if not 0.5 * 2 ** (row.failures - 1) <= row.waits <= MAX_RETRY_AFTER.total_seconds() + 1
    ]
    longest = max((row.waits for row in mine), default=0)
    return Finding(
        what="row 15, waits between the backoff and an hour",
        seen=f"{len(mine)} waits, the longest {longest:.0f} s, {len(outside)} outside", is_kept=not outside,
    )  # fmt: skip


def _retries(world: _World) -> Finding:
    """Row 16: who is down is tried once and three times more, after 0.5, 1 and 2 seconds and their jitter."""
    rows = read(
        "hostile_retries",
        """
        SELECT d.id, d.endpoint_id, array_agg(extract(epoch FROM a.started_at)::float8 ORDER BY a.number) AS starts
        FROM webhooks_delivery d JOIN webhooks_deliveryattempt a ON a.delivery_id = d.id
        WHERE d.status = 'failed' AND a.status_code = 503 GROUP BY d.id
        """,
    )
    mine = [row for row in rows if world.name_of[row.endpoint_id] == "is down"]
    early = 0
    for row in mine:
        gaps = [later - earlier for earlier, later in pairwise(row.starts)]
        early += any(gap < wait for gap, wait in zip(gaps, (0.5, 1, 2), strict=False))
    fours = sum(len(row.starts) == 4 for row in mine)
    return Finding(
        what=f"row 16, four attempts, never before 0.5, 1 and 2 s (+ {JITTER:.0%})",
        seen=f"{fours} of {len(mine)}, {early} too early", is_kept=bool(mine) and fours == len(mine) and not early,
    )  # fmt: skip
