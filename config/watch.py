"""Who is alive: what ``/readyz`` and ``/metrics`` say of the processes.

Beat sends a message to each queue every five seconds, and the worker that takes it writes the queue's row. A fresh row
says three things at once: beat ticks, the broker carries, and somebody consumes that queue.
"""

from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from config.celery import QUEUES, app

FRESH_SECONDS = 30
"""Six missed heartbeats: longer than a restart takes, shorter than an operator's patience."""


def record_heartbeat(queue: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO config_heartbeat (queue, at) VALUES (%s, clock_timestamp())
            ON CONFLICT (queue) DO UPDATE SET at = greatest(config_heartbeat.at, excluded.at)
            """,
            [queue],
        )


def heartbeat_ages() -> dict[str, float | None]:
    """Return the seconds since each queue's last heartbeat, ``None`` where there was none, by PostgreSQL's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue, extract(epoch FROM clock_timestamp() - at)::float8 FROM config_heartbeat")
        ages = dict(cursor.fetchall())
    return {queue: ages.get(queue) for queue in QUEUES}


def is_fresh(age: float | None) -> bool:
    return age is not None and age <= FRESH_SECONDS


def problems() -> dict[str, str]:
    """Return what keeps the system from working, by component; empty when all is well."""
    found: dict[str, str] = {}
    try:
        ages = heartbeat_ages()
    except DatabaseError:
        found["database"] = "does not answer"
        ages = {}
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
    return found
