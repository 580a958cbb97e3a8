"""Dramatiq on Valkey: a delayed message waits in a worker's memory."""

import os
import time
from collections.abc import Sequence
from datetime import datetime

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers import body

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


def _run(call_id: int) -> None:
    body.lifecycle(call_id, call_at)


actor = dramatiq.actor(_run, actor_name="call", max_retries=0)


def prepare() -> None:
    """Need nothing."""


def call_now(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, _ in calls:
        actor.send(call_id)


def call_at(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, due in calls:
        actor.send_with_options(args=(call_id,), delay=max(0, round(1000 * (due.timestamp() - time.time()))))
