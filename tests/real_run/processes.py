"""The processes of the Procfile on servers of their own, each with a log; any may be killed and started again."""

import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import kombu
import psutil
import psycopg
import requests

from config.env import BASE_DIR
from config.local import procfile, settings
from config.local.keeper import has_ended, kill_group, start_kept
from config.local.servers import EmbeddedServers
from tests.config.processes import bare_environment
from tests.rabbitmq import RabbitMQ

SPEED = 20
"""A call's second passes in a twentieth of one; promises are kept in seconds as they are."""
PATIENCE_SECONDS = 90
"""For a step that takes three seconds on a machine with nothing else to do."""
_START_SECONDS = 300
"""Migrations and nine processes that start at once are half a minute of work for a processor."""

T = TypeVar("T")


class NotReached(Exception):
    """What a step waits for did not come; the message says what."""


def until(is_so: Callable[[], T | None], *, what: str, seconds: float = PATIENCE_SECONDS, pause: float = 0.1) -> T:
    """Wait until something is so and return it; raises :class:`NotReached` with ``what``."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > deadline:
            message = f"not within {seconds:.0f} s: {what}"
            raise NotReached(message)
        time.sleep(pause)
    return found


class Installation:
    """Ringback as it is installed, its carrier and a receiver; a context manager that leaves nothing running.

    ``only``: the processes to start; all, if none is named. ``opening``: the module that makes the first rows.
    """

    def __init__(
        self,
        folder: Path,
        *,
        broker: RabbitMQ | None = None,
        only: Collection[str] = (),
        opening: str = "tests.real_run.opening",
        **settings: str,
    ) -> None:
        self.ledger, self.inbox = folder / "ledger.jsonl", folder / "webhooks.jsonl"
        self._logs = folder / "logs"
        self._servers = EmbeddedServers(folder / "data", temporary=True, durable=False)
        self._broker = broker
        self._only = only
        self._opening = opening
        self._settings = settings
        self._stack = ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lines: dict[str, procfile.Line] = {}
        self._environment: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._logs.mkdir()
            stack.enter_context(self._servers)
            broker_url = stack.enter_context(self._broker).url if self._broker else self._servers.redis_url
            self._environment = self._make_environment(broker_url)
            stack.callback(self._stop)
            self._lines = {line.name: line for line in self._procfile()}
            self._run(self._lines.pop("release"))
            self._run(procfile.Line(name="opening", settings={}, command=_module(self._opening)))
            del self._lines["demo"]
            for name in self._only or self._lines:
                self.start(name)
            until(lambda: _answers(f"{self.url}/healthz"), what="web answers", seconds=_START_SECONDS)
            if "carrier" in self._running:
                until(
                    lambda: _answers(f"{self.carrier_url}/health"), what="the carrier answers", seconds=_START_SECONDS
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        return self._environment["PUBLIC_URL"]

    @property
    def key(self) -> str:
        return self._environment["DEMO_API_KEY"]

    @property
    def carrier_url(self) -> str:
        return self._environment["SIMULATED_CARRIER_URL"]

    @property
    def carrier_secret(self) -> str:
        return self._environment["SIMULATED_CARRIER_SECRET"]

    @property
    def receiver_url(self) -> str:
        return f"http://127.0.0.1:{self._environment['RECEIVER_PORT']}/"

    def start(self, name: str) -> None:
        line = self._lines[name]
        with (self._logs / name).open("ab") as log:
            self._running[name] = start_kept(
                line.command, environment={**self._environment, **line.settings}, output=log
            )

    def is_ready(self, name: str, *, starts: int) -> bool:
        """Say whether a worker takes messages, after it was started so often."""
        return sum(line.endswith(' ready."') for line in self.log(name, lines=10_000)) >= starts

    def kill(self, name: str) -> None:
        """Do what ``kill -9`` of a process and of its children does."""
        kill_group(self._running.pop(name))

    def kill_children(self, name: str) -> int:
        """Kill -9 the processes in which a worker runs its tasks, not the one that starts them; return how many."""
        (worker,) = psutil.Process(self._running[name].pid).children()
        children: list[psutil.Process] = worker.children()
        for child in children:
            child.kill()
        return len(children)

    def forget_messages(self, queue: str) -> int:
        """Let the broker lose what waits in a queue; return how many messages it was."""
        url = self._environment["BROKER_URL"]
        options = {"global_keyprefix": "ringback:"} if urlsplit(url).scheme == "redis" else {}
        with kombu.Connection(url, transport_options=options) as connection, connection.channel() as channel:
            lost: int = kombu.Queue(queue, channel=channel).purge() or 0
        return lost

    def is_reading_an_import(self) -> bool:
        """Say whether a worker is in the middle of a batch: its transaction holds an import's row."""
        with psycopg.connect(self._servers.database_url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT FROM pg_locks WHERE relation = 'dialer_import'::regclass AND mode = 'RowShareLock'"
            ).fetchone()
        return found is not None

    def ended(self) -> list[str]:
        """Return the processes that are to run and do not."""
        return [name for name, keeper in self._running.items() if has_ended(keeper)]

    def log(self, name: str, *, lines: int = 12) -> list[str]:
        """Return the last lines that a process has said."""
        path = self._logs / name
        return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []

    def _make_environment(self, broker_url: str) -> dict[str, str]:
        """Return what the processes know, and nothing of this shell: what `make run` sets, and ports of their own."""
        port, carrier_port, receiver_port = settings.free_port(), settings.free_port(), settings.free_port()
        return {
            **bare_environment(),
            **settings.RELAXED,
            **settings.kept(self._servers.folder),
            "PATH": f"{Path(sys.executable).parent}:{bare_environment().get('PATH', '')}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATA_DIR": str(self._servers.folder),
            "DATABASE_URL": self._servers.database_url,
            "REDIS_URL": self._servers.redis_url,
            "BROKER_URL": broker_url,
            "PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WEB_PROCESSES": "1",
            "SIMULATED_CARRIER_URL": f"http://127.0.0.1:{carrier_port}",
            "SIMULATED_CARRIER_LEDGER": str(self.ledger),
            "RECEIVER_PORT": str(receiver_port),
            "CAMPAIGN_COMPLETION_GRACE_SECONDS": "1",
            "PYTHONUNBUFFERED": "1",
            **self._settings,
        }

    def _procfile(self) -> list[procfile.Line]:
        """Return the Procfile's lines, the carrier at speed, and a receiver beside them."""
        lines = procfile.read(BASE_DIR / "Procfile", self._environment)
        receiver = _module("tests.real_run.receiver", self._environment["RECEIVER_PORT"], str(self.inbox))
        return [
            *(line for line in lines if line.name != "carrier"),
            *(
                procfile.Line(name=line.name, settings=line.settings, command=(*line.command, f"--speed={SPEED}"))
                for line in lines
                if line.name == "carrier"
            ),
            procfile.Line(name="receiver", settings={}, command=receiver),
        ]

    def _run(self, line: procfile.Line) -> None:
        self._lines[line.name] = line
        self.start(line.name)
        keeper = self._running.pop(line.name)
        if keeper.wait(_START_SECONDS):
            message = f"{line.name} failed:\n" + "\n".join(self.log(line.name, lines=40))
            raise NotReached(message)
        del self._lines[line.name]

    def _stop(self) -> None:
        for name in list(self._running):
            self.kill(name)


def _module(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *words)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
