"""``python -m tests.chaos.worker``: a dial worker that dies by plan, and is there again at once.

The parent has everything imported and forks a worker whenever the last one died: two dozen deaths cost seconds.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402 — Django is set up first
from django.db.backends.signals import connection_created  # noqa: E402

from config.celery import app  # noqa: E402
from tests.chaos.plan import Point, fate  # noqa: E402

THREADS = ["--pool=threads", "--concurrency=4", "--without-gossip", "--without-mingle", "--without-heartbeat"]
STATEMENTS = {
    "/* take_to_dialing */": Point.BEFORE_CLAIM_IS_TAKEN,
    "/* record_accepted */": Point.BEFORE_RECORD,
}


def _die_at_statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 — Django's
    for name, point in STATEMENTS.items():
        if sql.startswith(name) and fate().is_here(point):
            fate().die(point)
    return execute(sql, params, many, context)


def _watch(connection: BaseDatabaseWrapper, **_: object) -> None:
    if _die_at_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_die_at_statement)


def _work() -> None:
    connection_created.connect(_watch)
    app.worker_main(["--quiet", "worker", "--queues=dial", "--hostname=dial@chaos", *THREADS, "--loglevel=WARNING"])


def main() -> None:
    worker = 0

    def stop(*_: object) -> None:
        os.kill(worker, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        worker = os.fork()
        if worker == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            _work()
            sys.exit()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
