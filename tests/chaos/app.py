"""Celery's app as a storm runs it: the product's, and what this process is to suffer, as its environment says.

Nothing here changes what the product decides. A storm's minute is short, so that a chain of retries fits into it.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402 — Django is set up first
from django.db.backends.signals import connection_created  # noqa: E402

from callbacks.rules import retry  # noqa: E402
from config.celery import app  # noqa: E402
from dialer.dialing import placing, reconciliation  # noqa: E402
from dialer.rules import circuit  # noqa: E402
from dialer.workspaces.ids import public_id  # noqa: E402
from tests.chaos.faults import append, life  # noqa: E402
from tests.chaos.inbox import signature_of  # noqa: E402
from webhooks import delivery  # noqa: E402

HANDS, DOUBLED, CLOCK, MINUTE = "CHAOS_HANDS", "CHAOS_DOUBLED", "CHAOS_CLOCK", "CHAOS_MINUTE_SECONDS"
"""Words of the environment: the file of hands, the file that exists while messages are doubled, how many seconds the
clock is ahead, and how many seconds a minute of the retry policy lasts."""
STALLED_SECONDS = 5.0
"""In a hurried storm: a worker that took so long between taking calls and asking for them leaves them."""


def hurry(minute_seconds: float) -> None:
    """Let the policy's minutes pass quickly, and look up and give up calls sooner, in the order in which it is done."""

    def scaled(*, minutes: float = 0) -> timedelta:
        return timedelta(seconds=minutes * minute_seconds)

    retry.timedelta = scaled  # type: ignore[assignment, attr-defined]
    placing.FIRST_LOOK = timedelta(seconds=5)
    placing.STALLED_SECONDS = STALLED_SECONDS
    reconciliation.RECONCILE_WINDOW = timedelta(seconds=20)
    reconciliation.SLACK = timedelta(seconds=2)
    delivery.GRACE = timedelta(seconds=1)
    circuit.SHORTEST, circuit.LONGEST = timedelta(seconds=1), timedelta(seconds=4)


def set_clock(ahead_seconds: float) -> None:
    """Shift this process's wall clock, for Celery and kombu too, which have taken their names of it long ago."""
    real_time, ahead = time.time, timedelta(seconds=ahead_seconds)

    def shifted_time() -> float:
        return real_time() + ahead_seconds

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Shifted(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + ahead

        @classmethod
        def utcnow(cls) -> Any:
            return datetime.utcnow() + ahead  # noqa: DTZ003 — as Celery asks

    time.time = shifted_time
    for late in ("celery.beat", "celery.worker.request", "celery.worker.consumer", "celery.concurrency.thread"):
        import_module(late)
    _rename({id(real_time): shifted_time, id(datetime): Shifted})


def _rename(new: Mapping[int, object]) -> None:
    """Put something else in the place of what Celery's and kombu's modules have, found by its identity."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("celery", "kombu")]
    for module in modules:
        for attribute, value in list(vars(module).items()):
            if id(value) in new:
                setattr(module, attribute, new[id(value)])


def double(flag: Path) -> None:
    """Publish every message twice while the file exists."""
    send = app.amqp.send_task_message

    def send_twice(*arguments: Any, **options: Any) -> Any:
        if flag.exists():
            send(*arguments, **options)
        return send(*arguments, **options)

    app.amqp.send_task_message = send_twice  # type: ignore[misc]


def watch_hands(file: Path) -> None:
    """Write down which calls this life takes, before it does."""

    def note(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if sql.startswith("/* take_to_dialing */"):
            calls = [public_id("call", UUID(call)) for call in params["ids"].strip("{}").replace('"', "").split(",")]
            append(file, at=_now(), life=life(), calls=calls)
        return execute(sql, params, *rest)

    def watch(connection: BaseDatabaseWrapper, **_: object) -> None:
        if note not in connection.execute_wrappers:
            connection.execute_wrappers.append(note)

    connection_created.connect(watch, weak=False)


_now = time.time
"""The true one, whatever this process is told."""

if MINUTE in os.environ:
    hurry(float(os.environ[MINUTE]))
if DOUBLED in os.environ:
    double(Path(os.environ[DOUBLED]))
if HANDS in os.environ:
    watch_hands(Path(os.environ[HANDS]))
if CLOCK in os.environ:
    set_clock(float(os.environ[CLOCK]))
if life():
    delivery.USER_AGENT = signature_of(life())
