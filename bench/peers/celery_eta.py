"""Plain Celery: a task with an ETA."""

import os
from collections.abc import Sequence
from datetime import datetime

from celery import Celery

from bench.peers import body

app = Celery("celery_eta", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_ignore_result=True,
    # Above the longest delay, as the docs ask: otherwise what is held is handed out again and again.
    broker_transport_options={"visibility_timeout": 40 * 24 * 3600},
    broker_connection_retry_on_startup=True,
)


def _run(call_id: int) -> None:
    body.lifecycle(call_id, call_at)


task = app.task(name="call")(_run)


def prepare() -> None:
    """Need nothing."""


def call_now(calls: Sequence[tuple[int, datetime]]) -> None:
    with app.producer_or_acquire() as producer:
        for call_id, _ in calls:
            task.apply_async(args=(call_id,), producer=producer)


def call_at(calls: Sequence[tuple[int, datetime]]) -> None:
    with app.producer_or_acquire() as producer:
        for call_id, due in calls:
            task.apply_async(args=(call_id,), eta=due, producer=producer)
