"""Huey on Valkey: a delayed task is in a sorted set that the scheduler looks at every second."""

import os
from collections.abc import Sequence
from datetime import datetime

import huey

from bench.peers import body

queue = huey.RedisHuey("bench", url=os.environ["REDIS_URL"], results=False, utc=True)


def _run(call_id: int) -> None:
    body.lifecycle(call_id, call_at)


task = queue.task(name="call")(_run)


def prepare() -> None:
    """Need nothing."""


def call_now(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, _ in calls:
        task(call_id)


def call_at(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, due in calls:
        task.schedule(args=(call_id,), eta=due)
