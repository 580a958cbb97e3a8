"""The processes of a storm: those of the Procfile and a few beside them, each started again as soon as it has ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from config.env import BASE_DIR
from config.local import procfile
from config.local.keeper import has_ended, kill_group, start_kept
from tests.chaos.faults import LIFE, FaultLog, Kind

_PAUSE = 0.1
_WITHOUT = ("release", "demo")
_GIVES_UP = b"Unrecoverable error"
"""What Celery says when it ends a worker of its own accord."""


@dataclass(slots=True, kw_only=True)
class Process:
    """A command and its lives."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    lives: int = 0
    keeper: subprocess.Popen[bytes] | None = None
    heard: int = 0
    """How much of its log has been read."""
    gave_up_at: float | None = None

    @property
    def life(self) -> str:
        return f"{self.name}.{self.lives}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A life that ended by itself; times are seconds since 1970."""

    life: str
    status: int
    at: float
    gave_up_at: float | None
    """When Celery said that it does; it then waits for the tasks that it has."""

    def __str__(self) -> str:
        return f"{self.life} with status {self.status}"


def of_procfile(environment: Mapping[str, str]) -> list[Process]:
    """Return every process of the Procfile, Celery's with the app of the storm."""
    return [
        Process(
            name=line.name,
            command=["tests.chaos.app" if word == "config.celery" else word for word in line.command],
            environment=line.settings,
        )
        for line in procfile.read(BASE_DIR / "Procfile", environment)
        if line.name not in _WITHOUT
    ]


class Crew:
    """Starts processes, starts them again, and does to them what a storm does; a context manager."""

    def __init__(
        self, processes: Sequence[Process], *, environment: Mapping[str, str], folder: Path, log: FaultLog
    ) -> None:
        self.by_name = {process.name: process for process in processes}
        self.ended: list[Ended] = []
        self._environment = environment
        self._folder = folder
        self.log = log
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        with self._lock:
            for process in self.by_name.values():
                self._start(process)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._watcher.join()
        for process in self.by_name.values():
            if process.keeper is not None:
                kill_group(process.keeper)

    def kill(self, name: str) -> str:
        """Kill a process with all that it has started, and start it again; return the fault, which is not over yet."""
        process = self.by_name[name]
        with self._lock:
            assert process.keeper is not None
            fault = self.log.begin(Kind.KILL, [process.life])
            kill_group(process.keeper)
            self._start(process)
        return fault

    def stop(self, name: str, *, seconds: float) -> None:
        """Stop a process for a while and let it go on, as a frozen host does."""
        process = self.by_name[name]
        with self._lock:
            assert process.keeper is not None
            group, number = process.keeper.pid, process.lives
            fault = self.log.begin(Kind.STOP, [process.life], f"for {seconds:g} s")
            os.killpg(group, signal.SIGSTOP)
        time.sleep(seconds)
        with self._lock:
            if process.lives == number:
                os.killpg(group, signal.SIGCONT)
        self.log.end(fault)

    def _watch(self) -> None:
        while not self._stopping.wait(_PAUSE):
            with self._lock:
                for process in self.by_name.values():
                    self._listen(process)
                    if process.keeper is not None and has_ended(process.keeper):
                        self.ended.append(
                            Ended(
                                life=process.life,
                                status=process.keeper.returncode,
                                at=time.time(),
                                gave_up_at=process.gave_up_at,
                            )
                        )
                        self._start(process)

    def _listen(self, process: Process) -> None:
        """Note by our clock when a worker gives up: its own may be another."""
        with self._log_of(process).open("rb") as log:
            log.seek(process.heard)
            said = log.read()
        process.heard += len(said)
        if _GIVES_UP in said:
            process.gave_up_at = time.time()

    def _log_of(self, process: Process) -> Path:
        return self._folder / f"{process.name}.log"

    def _start(self, process: Process) -> None:
        process.lives += 1
        process.gave_up_at = None
        with self._log_of(process).open("ab") as output:
            process.keeper = start_kept(
                process.command,
                environment={**self._environment, **process.environment, LIFE: process.life},
                output=output,
            )


def python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def eventually(is_so: Callable[[], bool], *, within_seconds: float = 240, but: type[Exception] | None = None) -> bool:
    """Wait until something is so, and say whether it came to be; ``but`` is what it may raise meanwhile."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            if is_so():
                return True
        except Exception as error:
            if but is None or not isinstance(error, but):
                raise
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
