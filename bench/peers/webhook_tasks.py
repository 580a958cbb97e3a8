"""Runs django-webhook on Celery: its environment, its database, its workers."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from celery import Celery

from bench.peers.environments import environment_of, python_of
from config.env import BASE_DIR
from config.local.keeper import start_kept, stop_all

WORKERS, THREADS = 2, 8
_PEER = "django_webhook"
_PROJECT = f"bench.peers.{_PEER}"
_VALKEY_DATABASE = "/15"


class Workers:
    """Workers that are up and wait for :meth:`begin`."""

    configuration = f"Celery, {WORKERS} workers of {THREADS} threads, events stored, connections to PostgreSQL kept"

    def __init__(self, processes: Sequence[psutil.Process], app: Celery) -> None:
        self.processes = processes
        self._app = app

    def begin(self) -> None:
        """Let the workers take what was published."""
        self._app.control.add_consumer("celery")


@contextmanager
def published(ports: Sequence[int], facts: int) -> Iterator[Workers]:
    """Save facts, which publishes a task for each receiver of each, and start workers that do not take them yet."""
    python, environment = python_of(_PEER), environment_of(_PEER)
    environment["BROKER_URL"] = urlsplit(os.environ["BROKER_URL"])._replace(path=_VALKEY_DATABASE).geturl()
    app = Celery("peer", broker=environment["BROKER_URL"])
    app.control.purge()
    subprocess.run(  # noqa: S603 — our own command
        [python, "-m", f"{_PROJECT}.publish", str(facts), *map(str, ports)],
        env=environment,
        cwd=BASE_DIR,
        check=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        keepers = []
        try:
            for number in range(WORKERS):
                with (Path(folder) / str(number)).open("wb") as log:
                    keepers.append(start_kept(_command(python, number), environment=environment, output=log))
            while len(app.control.ping(timeout=0.5, limit=WORKERS) or ()) < WORKERS:
                if any(keeper.poll() is not None for keeper in keepers):
                    message = "\n".join(log.read_text(errors="replace")[-2_000:] for log in Path(folder).iterdir())
                    raise RuntimeError(message)
            yield Workers([psutil.Process(keeper.pid) for keeper in keepers], app)
        finally:
            stop_all(keepers, seconds=15)


def _command(python: Path, number: int) -> list[str | Path]:
    words = f"--app {_PROJECT}.worker worker --queues waiting --hostname {number}@bench --pool threads"
    words += f" --concurrency {THREADS} --without-gossip --without-mingle --loglevel WARNING"
    return [python, "-m", "celery", *words.split()]
