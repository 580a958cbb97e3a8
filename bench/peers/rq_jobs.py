"""RQ with its scheduler, on Valkey: a delayed job is in a sorted set that one worker looks at every second."""

import os
from collections.abc import Sequence
from datetime import datetime
from functools import cache

import redis
import rq

from bench.peers import body


def run(call_id: int) -> None:
    body.lifecycle(call_id, call_at)


def prepare() -> None:
    """Need nothing."""


def call_now(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, _ in calls:
        _queue().enqueue(run, call_id, result_ttl=0)


def call_at(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, due in calls:
        _queue().enqueue_at(due, run, call_id, result_ttl=0)


@cache
def _queue() -> rq.Queue:
    return rq.Queue("bench", connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
