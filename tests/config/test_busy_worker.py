"""A worker with more to do than it has threads: a real process, for the fault that this holds off was Celery's."""

import os
import subprocess
import sys
import time

from django.conf import settings
from redis import Redis

from config.celery import app
from tests.config.processes import eventually


def test_a_worker_takes_the_next_message_when_a_thread_is_free() -> None:
    """Not when its event loop wakes next, a second later: then four threads would do four tasks a second."""
    broker = Redis.from_url(settings.BROKER_URL)
    threads = ["--pool=threads", "--concurrency=4", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "--app=tests.config.busy_worker", "worker", "--queues=dial", *threads]
    with app.connection_for_write(settings.BROKER_URL) as connection:
        for _ in range(100):
            app.send_task("tests.take_a_moment", queue="dial", connection=connection)

    with subprocess.Popen(command, env={**os.environ, "BROKER_URL": settings.BROKER_URL}) as worker:  # noqa: S603 — our own
        try:
            eventually(lambda: broker.llen("ringback:dial") < 100, what="the worker takes messages")
            began = time.monotonic()
            eventually(lambda: not broker.llen("ringback:dial"), what="all messages are taken")
            took = time.monotonic() - began
        finally:
            worker.kill()
            broker.delete("ringback:dial", "ringback:unacked", "ringback:unacked_index")

    assert took < 5
