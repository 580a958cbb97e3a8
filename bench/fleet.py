"""Ringback's own processes, as the Procfile starts them, for the length of a measurement."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil

from bench.worker import app
from config.env import BASE_DIR
from config.local import procfile, settings
from config.local.keeper import has_ended, start_kept, stop_all

DIAL_PROCESSES = 2
ENGINE = {"worker-tick": 1, "worker-dial": DIAL_PROCESSES, "beat": 1}
"""What dials: so many processes of these lines of the Procfile."""
CARRIER_IN_PROCESS = {
    "CARRIER_SIMULATED_CLASS": "bench.carrier.Carrier",
    "DATABASE_POOL_SIZE": "12",  # the thread that stores this carrier's reports needs a connection besides the worker's
}
_START_SECONDS = 60


class NotStarted(Exception):
    """A process ended by itself or did not answer in time; the message has the end of its log."""


class Fleet:
    """Running processes by the names of their lines in the Procfile."""

    def __init__(self, folder: Path, environment: Mapping[str, str], changed: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self._changed = changed
        self.kept: dict[str, list[subprocess.Popen[bytes]]] = {}

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of each name, for a meter."""
        return {name: [psutil.Process(keeper.pid) for keeper in keepers] for name, keepers in self.kept.items()}

    def lines_logged(self, words: str) -> int:
        """Return how many lines with these words the processes have logged."""
        return sum(log.read_text(errors="replace").count(words) for log in self.folder.glob("*.log"))

    def asked(self) -> list[tuple[UUID, float]]:
        """Return the calls that the carrier within the workers was asked for, and when, in that order."""
        lines = [line for ledger in self.folder.glob("*.csv") for line in ledger.read_text().split("\n")[:-1]]
        found = [(UUID(call_id), float(at)) for call_id, _, at in (line.partition(",") for line in lines)]
        return sorted(found, key=lambda pair: pair[1])

    def wait_until_asked(self, calls: Collection[UUID], *, seconds: float) -> dict[UUID, float]:
        """Wait until the carrier was asked for all of these calls; return when for each, as far as it came to that."""
        deadline = time.monotonic() + seconds
        wanted = set(calls)
        while True:
            found = {call_id: at for call_id, at in self.asked() if call_id in wanted}
            if len(found) == len(wanted) or time.monotonic() > deadline:
                return found
            self.check()
            time.sleep(1)

    def start(self, line: procfile.Line, *, number: int, options: Sequence[str]) -> None:
        log = self.folder / f"{line.name}-{number}.log"
        words = [
            "bench.worker" if word == "config.celery" else word.replace("@%h", f"{number}@%h") for word in line.command
        ]
        with log.open("wb") as output:
            keeper = start_kept(
                [*words, *options], environment={**self.environment, **line.settings, **self._changed}, output=output
            )
        self.kept.setdefault(line.name, []).append(keeper)

    def check(self) -> None:
        """Raise :class:`NotStarted` if a process has ended."""
        for name, keepers in self.kept.items():
            if any(has_ended(keeper) for keeper in keepers):
                said = "".join(log.read_text(errors="replace")[-2_000:] for log in self.folder.glob(f"{name}-*.log"))
                message = f"{name} has ended:\n{said}"
                raise NotStarted(message)


@contextmanager
def fleet(counts: Mapping[str, int], *, worker_options: Sequence[str] = (), **changed: str) -> Iterator[Fleet]:
    """Run so many processes of each of these lines of the Procfile; ``changed`` are settings that win over its own.

    Logs are written as always, to a file. Celery's workers load ``bench.worker``, which is the product's app with the
    bare task. Everything is up when the body begins, beat last.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {**os.environ, "BENCH_LEDGERS": folder, **changed}
        lines = {line.name: line for line in procfile.read(BASE_DIR / "Procfile", environment)}
        running = Fleet(Path(folder), environment, changed)
        try:
            app.control.purge()
            for name in sorted(counts, key=lambda name: name == "beat"):
                if name == "beat":
                    _wait_until_up(running, counts)
                options = worker_options if name.startswith("worker-") else ()
                for number in range(counts[name]):
                    running.start(lines[name], number=number, options=options)
            _wait_until_up(running, counts)
            yield running
            running.check()
        finally:
            stop_all([keeper for keepers in running.kept.values() for keeper in keepers], seconds=15)


def http_settings(folder: Path) -> dict[str, str]:
    """Return the settings of web and the simulated carrier, on ports of their own."""
    port, carrier_port = settings.free_port(), settings.free_port()
    return {
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SIMULATED_CARRIER_URL": f"http://127.0.0.1:{carrier_port}",
        "SIMULATED_CARRIER_LEDGER": str(folder / "ledger.jsonl"),
    }


def _wait_until_up(running: Fleet, counts: Mapping[str, int]) -> None:
    workers = sum(count for name, count in counts.items() if name.startswith("worker-"))
    addresses = [
        running.environment[name].rpartition(":")[2]
        for line, name in (("web", "PUBLIC_URL"), ("carrier", "SIMULATED_CARRIER_URL"))
        if line in counts
    ]
    deadline = time.monotonic() + _START_SECONDS
    while len(app.control.ping(timeout=0.5, limit=workers) or ()) < workers or not all(map(_listens, addresses)):
        running.check()
        if time.monotonic() > deadline:
            message = f"{', '.join(counts)}: not all answered within {_START_SECONDS} s"
            raise NotStarted(message)


def _listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0
