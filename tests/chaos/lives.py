"""A worker that dies by plan, and is there again at once.

The parent has everything imported and forks a worker whenever the last one died: two dozen deaths cost seconds.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from config.celery import app
from tests.chaos.faults import LIFE
from tests.chaos.plan import Point, WebhookPoint, fate

THREADS = ["--pool=threads", "--concurrency=4", "--without-gossip", "--without-mingle", "--without-heartbeat"]

Statements = Mapping[str, Point | WebhookPoint]
"""Which point lies before the statement that begins so."""


def live(queue: str, statements: Statements) -> None:
    """Work off a queue, life after life, until somebody ends it all."""
    worker = 0

    def stop(*_: object) -> None:
        os.kill(worker, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    for number in itertools.count(1):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        worker = os.fork()
        if worker == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            os.environ[LIFE] = f"{queue}-by-plan.{number}"
            _work(queue, statements)
            sys.exit()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.waitpid(worker, 0)


def _work(queue: str, statements: Statements) -> None:
    die = partial(_die_at_statement, statements)

    def watch(connection: BaseDatabaseWrapper, **_: object) -> None:
        if die not in connection.execute_wrappers:
            connection.execute_wrappers.append(die)

    connection_created.connect(watch, weak=False)
    options = [f"--queues={queue}", f"--hostname={queue}@chaos", *THREADS, "--loglevel=WARNING"]
    app.worker_main(["--quiet", "worker", *options])


def _die_at_statement(statements: Statements, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    for name, point in statements.items():
        if sql.startswith(name) and fate().is_here(point):
            fate().die(point)
    return execute(sql, *rest)
