"""Liveness of the processes, for ``/readyz`` and ``/metrics``.

Beat sends a message to each queue every five seconds, and the worker that takes it writes the queue's row. A fresh row
proves three things: beat runs, the broker delivers, and a worker consumes that queue.
"""

import logging
import time
from collections.abc import Callable

from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from config.celery import QUEUES, app

log = logging.getLogger(__name__)

FRESH_SECONDS = 30
"""Six missed heartbeats, which is longer than a restart takes."""


CLOCK_TOLERANCE_SECONDS = 5.0
"""Workers start calls by their own clocks. A worker that is behind by more than ``LEASE_SECONDS`` never dials, because
the leases have run out when its calls start."""


def record_heartbeat(queue: str, *, clock: Callable[[], float] = time.time) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO config_heartbeat (queue, at, clock_ahead_seconds)
            VALUES (%(queue)s, clock_timestamp(), %(clock)s - extract(epoch FROM clock_timestamp())::float8)
            ON CONFLICT (queue) DO UPDATE SET at = greatest(config_heartbeat.at, excluded.at),
                clock_ahead_seconds = excluded.clock_ahead_seconds
            RETURNING clock_ahead_seconds
            """,
            {"queue": queue, "clock": clock()},
        )
        (ahead,) = cursor.fetchone()
    if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        log.warning("clock.wrong queue=%s ahead_seconds=%.1f", queue, ahead)


def clocks_ahead() -> dict[str, float]:
    """Return how many seconds the clock of each queue's last worker is ahead of PostgreSQL's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue, clock_ahead_seconds FROM config_heartbeat")
        return dict(cursor.fetchall())


def heartbeat_ages() -> dict[str, float | None]:
    """Return the seconds since each queue's last heartbeat by PostgreSQL's clock; ``None`` if there was none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue, extract(epoch FROM clock_timestamp() - at)::float8 FROM config_heartbeat")
        ages = dict(cursor.fetchall())
    return {queue: ages.get(queue) for queue in QUEUES}


def is_fresh(age: float | None) -> bool:
    return age is not None and age <= FRESH_SECONDS


def problems() -> dict[str, str]:
    """Return the problems by component; empty if there are none."""
    found: dict[str, str] = {}
    try:
        ages, clocks = heartbeat_ages(), clocks_ahead()
    except DatabaseError:
        found["database"] = "does not answer"
        ages, clocks = {}, {}
    try:
        with app.connection_for_write(connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except OperationalError:
        found["broker"] = "does not answer"
    stale = {queue: age for queue, age in ages.items() if not is_fresh(age)}
    if ages and len(stale) == len(ages):
        found["beat"] = f"no heartbeat on any queue for {FRESH_SECONDS} s"
    for queue, age in stale.items():
        found[f"worker of queue {queue}"] = "never seen" if age is None else f"last seen {age:.0f} s ago"
    for queue, ahead in clocks.items():
        if is_fresh(ages.get(queue)) and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
            where = "ahead of" if ahead > 0 else "behind"
            found[f"clock of a worker of queue {queue}"] = f"{abs(ahead):.0f} s {where} PostgreSQL's"
    return found
