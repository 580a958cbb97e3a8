"""Retention: deliveries and attempts are kept for 30 days; attempts are dropped by day, deliveries in batches.

A workspace may keep deliveries for a shorter time, and says for how long it keeps events.

Attempts, with up to 16 KiB of answer each, are most of the stored data: their table has a partition per day, which is
dropped as a whole. The default partition takes attempts of days without a partition; if a sweep was missed, the next
one moves those rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, transaction

from dialer.workspaces.ids import first_id_at
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import Id, fetch, run

KEPT = timedelta(days=30)
DAYS_AHEAD = 3
_TABLE = "webhooks_deliveryattempt"
_DEFAULT = f"{_TABLE}_default"
_DAY = "%Y%m%d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days whose partitions were created and dropped."""

    made: list[date]
    dropped: list[date]


def keep_days(*, now: datetime) -> Days:
    """Create the partitions of today and the next days, and drop those older than the retention period.

    Each runs in its own transaction and waits at most two seconds for a lock; the next sweep does what timed out. Must
    not be called in a transaction.
    """
    today = now.astimezone(UTC).date()
    present = _days()
    wanted = [today + timedelta(days=n) for n in range(DAYS_AHEAD + 1)]
    over = [day for day in present if _start(day + timedelta(days=1)) <= now - KEPT]
    made = [day for day in wanted if day not in present and _did(lambda day=day: _make(day))]  # type: ignore[misc]
    dropped = [day for day in over if _did(lambda day=day: _drop(day))]  # type: ignore[misc]
    return Days(made=made, dropped=dropped)


def forget_deliveries(*, now: datetime, limit: int) -> int:
    """Delete at most ``limit`` deliveries older than the retention period, the oldest first; pending ones stay.

    Also deletes such attempts in the default partition. Deliveries are found by their ids, which rise with time.
    """
    rows = fetch(
        Id,
        "forget_deliveries",
        """
        WITH old AS MATERIALIZED (
            SELECT id FROM webhooks_delivery WHERE id < %(before_id)s AND status <> 'pending'
            ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ), items AS (
            DELETE FROM webhooks_batchitem i USING old WHERE i.delivery_id = old.id
        ), attempts AS (
            DELETE FROM webhooks_deliveryattempt_default WHERE started_at < %(before)s
        )
        DELETE FROM webhooks_delivery d USING old WHERE d.id = old.id RETURNING d.id
        """,
        {"before": now - KEPT, "before_id": first_id_at(now - KEPT), "limit": limit},
    )
    return len(rows)


def forget_early(*, now: datetime, limit: int) -> int:
    """Delete at most ``limit`` deliveries, with their attempts, of workspaces that keep them for less than 30 days."""
    kept = Workspace.objects.filter(keep_deliveries_days__lt=KEPT.days).values_list("pk", "keep_deliveries_days")
    return _delete(
        "forget_deliveries_early",
        """
        WITH old AS MATERIALIZED (
            SELECT d.id FROM unnest(%(workspaces)s::uuid[], %(before)s::uuid[]) AS t (workspace_id, before)
            CROSS JOIN LATERAL (
                SELECT id FROM webhooks_delivery
                WHERE workspace_id = t.workspace_id AND id < t.before AND status <> 'pending'
                ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            ) d LIMIT %(limit)s
        ), items AS (
            DELETE FROM webhooks_batchitem i USING old WHERE i.delivery_id = old.id
        ), attempts AS (
            DELETE FROM webhooks_deliveryattempt a USING old WHERE a.delivery_id = old.id
        )
        DELETE FROM webhooks_delivery d USING old WHERE d.id = old.id RETURNING d.id
        """,
        dict(kept),
        now=now,
        limit=limit,
    )


def forget_events(*, now: datetime, limit: int) -> int:
    """Delete at most ``limit`` events that are older than their workspace keeps them, the oldest first.

    An event stays while it has a delivery or waits in a buffer.
    """
    kept = Workspace.objects.filter(keep_events_days__isnull=False).values_list("pk", "keep_events_days")
    return _delete(
        "forget_events",
        """
        WITH old AS MATERIALIZED (
            SELECT e.id FROM unnest(%(workspaces)s::uuid[], %(before)s::uuid[]) AS t (workspace_id, before)
            CROSS JOIN LATERAL (
                SELECT e.id FROM webhooks_event e
                WHERE e.workspace_id = t.workspace_id AND e.id < t.before
                    AND NOT EXISTS (SELECT 1 FROM webhooks_delivery d WHERE d.event_id = e.id)
                    AND NOT EXISTS (SELECT 1 FROM webhooks_batchitem i WHERE i.event_id = e.id)
                ORDER BY e.id LIMIT %(limit)s
            ) e LIMIT %(limit)s
        )
        DELETE FROM webhooks_event e USING old WHERE e.id = old.id RETURNING e.id
        """,
        {workspace_id: days for workspace_id, days in kept if days is not None},
        now=now,
        limit=limit,
    )


def _delete(name: str, sql: str, days: Mapping[UUID, int], *, now: datetime, limit: int) -> int:
    """Run a statement that deletes rows by workspace, each with the first id that it keeps; return how many."""
    before = [first_id_at(now - timedelta(days=each)) for each in days.values()]
    return len(fetch(Id, name, sql, {"workspaces": list(days), "before": before, "limit": limit})) if days else 0


class _Partition(NamedTuple):
    name: str


def _days() -> list[date]:
    rows = fetch(
        _Partition,
        "attempt_days",
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = %(table)s::regclass",
        {"table": _TABLE},
    )
    names = [row.name.removeprefix(f"{_TABLE}_") for row in rows if row.name != _DEFAULT]
    return sorted(datetime.strptime(name, _DAY).replace(tzinfo=UTC).date() for name in names)


def _did(work: Callable[[], None]) -> bool:
    """Do the work in a transaction, in one process at a time; return whether it got its locks in time."""
    try:
        with transaction.atomic(durable=True):
            run("keeper_is_patient", "SET LOCAL lock_timeout = '2s'")
            run("one_keeper", "SELECT pg_advisory_xact_lock(hashtext('webhooks.retention'))")
            work()
    except OperationalError:
        connection.close_if_unusable_or_obsolete()
        return False
    return True


def _make(day: date) -> None:
    """Create a day's partition and move the day's rows there from the default partition."""
    name, start, end = _name(day), _start(day).isoformat(), _start(day + timedelta(days=1)).isoformat()
    # Writers wait at the parent table, before they choose a partition. A writer that already chose the default
    # partition would fail once the day is attached, because its row no longer belongs there.
    run("lock_days", f"LOCK TABLE ONLY {_TABLE} IN SHARE ROW EXCLUSIVE MODE")
    run("lock_default_day", f"LOCK TABLE {_DEFAULT} IN ACCESS EXCLUSIVE MODE")
    run("make_day", f"CREATE TABLE IF NOT EXISTS {name} (LIKE {_TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    run(
        "move_to_day",
        f"""
        WITH caught AS (DELETE FROM {_DEFAULT} WHERE started_at >= '{start}' AND started_at < '{end}' RETURNING *)
        INSERT INTO {name} SELECT * FROM caught
        """,  # noqa: S608 — a name and two instants made of a date
    )
    run("attach_day", f"ALTER TABLE {_TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")


def _drop(day: date) -> None:
    run("drop_day", f"DROP TABLE {_name(day)}")


def _name(day: date) -> str:
    return f"{_TABLE}_{day.strftime(_DAY)}"


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
