"""Procrastinate: jobs are rows of PostgreSQL with ``scheduled_at``."""

import os
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import procrastinate

from bench.peers import body

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"], min_size=1, max_size=8)
)


def _run(call_id: int) -> None:
    body.lifecycle(call_id, _follow)


def _follow(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, due in calls:
        task.configure(schedule_at=due).defer(call_id=call_id)


task = app.task(name="call")(_run)


def prepare() -> None:
    app.open()
    if not app.check_connection():
        app.schema_manager.apply_schema()


def call_now(calls: Sequence[tuple[int, datetime]]) -> None:
    app.open()
    task.batch_defer(*({"call_id": call_id} for call_id, _ in calls))


def call_at(calls: Sequence[tuple[int, datetime]]) -> None:
    """Defer calls of the same time together; a batch has one."""
    app.open()
    for due, group in groupby(calls, key=itemgetter(1)):
        task.configure(schedule_at=due).batch_defer(*({"call_id": call_id} for call_id, _ in group))
