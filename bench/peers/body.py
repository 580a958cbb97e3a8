"""A dial lifecycle as a plain job, the same for all peers: the kinds of rows that Ringback writes, by plain SQL.

One transaction notes that the call is being placed, as nobody may call twice; then a carrier would be asked; the other
writes outcome, event, delivery and the next call. The queue holds the next call for a month by its own means. Ringback
writes more: the carrier's report, the contact's state, the callback with its explanation, three events and deliveries.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg

CallAt = Callable[[Sequence[tuple[int, datetime]]], None]
"""Holds calls, each until it is due: ``(id, due)``."""
_PAYLOAD = '{"type": "call.ended", "data": {"outcome": "no_answer", "padding": "%s"}}' % ("x" * 600)
_MONTH = timedelta(days=30)
_open = threading.local()

_TABLES: LiteralString = """
    CREATE TABLE IF NOT EXISTS peer_call (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, contact_id bigint NOT NULL, due_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'queued', outcome text NOT NULL DEFAULT '', asked_at double precision,
        ended_at timestamptz, repeats int NOT NULL DEFAULT 0);
    CREATE INDEX IF NOT EXISTS peer_call_of_contact ON peer_call (contact_id, id);
    CREATE TABLE IF NOT EXISTS peer_event (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, call_id bigint NOT NULL, type text NOT NULL,
        payload jsonb NOT NULL, occurred_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE IF NOT EXISTS peer_delivery (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id bigint NOT NULL REFERENCES peer_event,
        status text NOT NULL DEFAULT 'pending', due_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX IF NOT EXISTS peer_delivery_due ON peer_delivery (due_at) WHERE status = 'pending';
"""


def connection() -> psycopg.Connection:
    """Return this thread's connection, which it keeps, in this process."""
    if getattr(_open, "process", None) != os.getpid():
        _open.process, _open.connection = os.getpid(), psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    found: psycopg.Connection = _open.connection
    return found


def make_tables() -> None:
    connection().execute(_TABLES)


def make_calls(count: int, *, first: datetime, step: timedelta) -> list[tuple[int, datetime]]:
    """Insert queued calls, ``step`` apart, and return them in their order."""
    rows = connection().execute(
        "INSERT INTO peer_call (contact_id, due_at) SELECT n, %s + n * %s FROM generate_series(0, %s) AS n "
        "RETURNING id, due_at",
        (first, step, count - 1),
    )
    return rows.fetchall()


def lifecycle(call_id: int, call_at: CallAt) -> None:
    with connection().transaction():
        taken = (
            connection()
            .execute(
                "UPDATE peer_call SET state = 'dialing' WHERE id = %s AND state = 'queued' RETURNING contact_id",
                (call_id,),
            )
            .fetchone()
        )
        if taken is None:
            connection().execute("UPDATE peer_call SET repeats = repeats + 1 WHERE id = %s", (call_id,))
            return
    asked_at = time.time()
    due = datetime.now(UTC) + _MONTH
    with connection().transaction():
        connection().execute(
            "UPDATE peer_call SET state = 'ended', outcome = 'no_answer', asked_at = %s, ended_at = now() "
            "WHERE id = %s",
            (asked_at, call_id),
        )
        event = (
            connection()
            .execute(
                "INSERT INTO peer_event (call_id, type, payload) VALUES (%s, 'call.ended', %s) RETURNING id",
                (call_id, _PAYLOAD),
            )
            .fetchone()
        )
        assert event is not None
        connection().execute("INSERT INTO peer_delivery (event_id) VALUES (%s)", event)
        following = (
            connection()
            .execute("INSERT INTO peer_call (contact_id, due_at) VALUES (%s, %s) RETURNING id", (taken[0], due))
            .fetchone()
        )
        assert following is not None
    call_at([(following[0], due)])
