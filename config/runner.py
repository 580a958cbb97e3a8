"""``make run``: the servers and every process of the Procfile in one terminal, until Ctrl-C.

Each process is kept by a keeper (:mod:`config.leash`): whatever ends this one, TERM, Ctrl-C once or twice, or
``kill -9``, ends them all and frees their ports. A process that ends by itself is started again, ever more slowly.
"""

import argparse
import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

from config import local, procfile
from config.embedded import EmbeddedServers, ServerNotStartable, free_port, is_free
from config.env import BASE_DIR
from config.leash import Leash, has_ended, kill_group

_LONGEST_PAUSE_SECONDS = 30
_SAME_REQUEST_SECONDS = 0.2
_COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95)


class CannotRun(Exception):
    """The run cannot start; the message says why."""


class _AskedToStop(Exception):
    """TERM or Ctrl-C came before everything ran."""


class StopRequests:
    """Counts Ctrl-C, TERM and HUP; raises at the first one as long as ``raising`` is set.

    Two within a fifth of a second are one: who signals a group and its leader says it twice.
    """

    def __init__(self) -> None:
        self.count = 0
        self._counted_at = 0.0
        self.raising = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._counted_at > _SAME_REQUEST_SECONDS:
            self.count += 1
        self._counted_at = now
        if self.raising:
            self.raising = False
            raise _AskedToStop


@dataclass(slots=True, kw_only=True)
class _Process:
    line: procfile.Line
    prefix: bytes
    keeper: subprocess.Popen[bytes] | None = None
    output: IO[bytes] | None = None
    unfinished: bytes = b""
    started_at: float = 0
    pause_seconds: float = 0
    start_at: float = 0


class Runner:
    """Starts, watches and stops the processes of one Procfile in one environment."""

    def __init__(
        self,
        lines: list[procfile.Line],
        *,
        environment: Mapping[str, str],
        servers: EmbeddedServers | None,
        requests: StopRequests,
        stop_seconds: float,
    ) -> None:
        self._environment = environment
        self._servers = servers
        self._requests = requests
        self._stop_seconds = stop_seconds
        self._leash = Leash()
        self._selector = selectors.DefaultSelector()
        is_colourful = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = max((len(line.name) for line in lines), default=0)
        self._processes = [
            _Process(line=line, prefix=_prefix(line.name, width, _COLOURS[n % len(_COLOURS)] if is_colourful else None))
            for n, line in enumerate(lines)
        ]

    def run(self, *, follow_parent: bool, on_answer: Callable[[], bool]) -> None:
        """Run all until asked to stop, or until the parent has ended, then stop all.

        ``on_answer`` is called about twice a second until it returns true.
        """
        parent = os.getppid()
        has_answered = False
        self._requests.raising = False
        try:
            while not self._requests.count and not (follow_parent and os.getppid() != parent):
                self._start_what_does_not_run()
                self._pass_on_output(seconds=0.5)
                has_answered = has_answered or on_answer()
        finally:
            self._stop()

    def _start_what_does_not_run(self) -> None:
        for name in self._servers.revive() if self._servers is not None else ():
            say(f"{name} had ended and runs again")
        now = time.monotonic()
        for process in self._processes:
            if process.keeper is not None and has_ended(process.keeper):
                ran_long = now - process.started_at > 2 * _LONGEST_PAUSE_SECONDS
                process.pause_seconds = 1 if ran_long else min(2 * process.pause_seconds or 1, _LONGEST_PAUSE_SECONDS)
                process.start_at = now + process.pause_seconds
                status = process.keeper.returncode
                self._forget(process)
                say(f"{process.line.name} ended with status {status}; again in {process.pause_seconds:.0f} s")
            if process.keeper is None and now >= process.start_at:
                self._start(process)

    def _start(self, process: _Process) -> None:
        process.keeper = self._leash.start(
            process.line.command,
            environment={**self._environment, **process.line.settings},
            grace_seconds=self._stop_seconds,
            output=subprocess.PIPE,
        )
        process.started_at = time.monotonic()
        process.output = process.keeper.stdout
        assert process.output is not None
        os.set_blocking(process.output.fileno(), False)
        self._selector.register(process.output, selectors.EVENT_READ, process)

    def _forget(self, process: _Process) -> None:
        while process.output is not None and self._copy(process):
            pass
        self._close_output(process)
        process.keeper = None

    def _close_output(self, process: _Process) -> None:
        if process.output is not None:
            self._selector.unregister(process.output)
            process.output.close()
            process.output = None

    def _pass_on_output(self, *, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            assert isinstance(key.data, _Process)
            self._copy(key.data)

    def _copy(self, process: _Process) -> bool:
        """Write what a process has said, whole lines with its name in front; false where there was nothing."""
        assert process.output is not None
        try:
            data = os.read(process.output.fileno(), 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            self._close_output(process)
        *whole, process.unfinished = (process.unfinished + data).split(b"\n")
        if not data and process.unfinished:
            whole, process.unfinished = [process.unfinished], b""
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stdout.buffer.write(b"".join(process.prefix + line + b"\n" for line in whole))
            sys.stdout.buffer.flush()
        return bool(data)

    def _stop(self) -> None:
        """Ask all to end; kill what has not after a while, or as soon as asked a second time."""
        say("stopping; Ctrl-C again stops at once")
        for process in self._processes:
            if process.keeper is not None:
                process.keeper.terminate()
        deadline = time.monotonic() + self._stop_seconds
        while any(process.keeper is not None for process in self._processes):
            must_kill = self._requests.count > 1 or time.monotonic() > deadline
            for process in self._processes:
                if process.keeper is not None and must_kill:
                    say(f"{process.line.name} is killed")
                    kill_group(process.keeper)
                    process.keeper.wait()
                if process.keeper is not None and has_ended(process.keeper):
                    self._forget(process)
            self._pass_on_output(seconds=0.05)


def _prefix(name: str, width: int, colour: int | None) -> bytes:
    text = f"{name:<{width}} | "
    return (text if colour is None else f"\x1b[{colour}m{text}\x1b[0m").encode()


def say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201 — the terminal is what this is for


def _environment(folder: Path, servers: EmbeddedServers | None) -> dict[str, str]:
    """Return what the processes are started with, ports that nobody has named chosen."""
    environment = local.environment(folder)
    if servers is not None:
        environment = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url} | environment
    environment["PORT"] = str(_port(environment.get("PORT")))
    if "SIMULATED_CARRIER_URL" not in os.environ:
        kept = urlsplit(environment.get("SIMULATED_CARRIER_URL", "")).port
        environment["SIMULATED_CARRIER_URL"] = f"http://127.0.0.1:{kept if kept and is_free(kept) else free_port()}"
    chosen = {name: environment[name] for name in ("PORT", "SIMULATED_CARRIER_URL")}
    local.keep(folder, local.kept(folder) | chosen)
    return environment | {"PYTHONUNBUFFERED": "1"}


def _port(wanted: str | None) -> int:
    """Return the port for the web: the one asked for, or the last one, or from 8000 on the first that is free."""
    if "PORT" in os.environ:
        if not is_free(int(os.environ["PORT"])):
            message = f"port {os.environ['PORT']} is taken: choose another one with PORT, or leave PORT out"
            raise CannotRun(message)
        return int(os.environ["PORT"])
    candidates: tuple[int, ...] = (int(wanted or 8000), *range(8000, 8100), free_port())
    return next(port for port in candidates if is_free(port))


def _release(line: procfile.Line, environment: Mapping[str, str]) -> None:
    """Run a command to its end; raises :class:`CannotRun` where it fails."""
    keeper = Leash().start(line.command, environment={**environment, **line.settings})
    try:
        status = keeper.wait()
    finally:
        kill_group(keeper)
    if status != 0:
        message = f"{line.name} failed with status {status}: {' '.join(line.command)}"
        raise CannotRun(message)


def _run(path: Path, *, requests: StopRequests, follow_parent: bool, stop_seconds: float) -> None:
    folder = local.data_dir()
    with contextlib.ExitStack() as stack:
        servers = None
        if not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
            say(f"starting PostgreSQL and Valkey over {folder}")
            servers = stack.enter_context(EmbeddedServers(folder))
        environment = _environment(folder, servers)
        has_demo = environment["DEMO"] != "0"
        lines = procfile.read(path, environment)
        for line in lines:
            if line.name == "release" or (line.name == "demo" and has_demo):
                _release(line, environment)
        kept_running = [
            line for line in lines if line.name not in ("release", "demo") and (has_demo or line.name != "carrier")
        ]

        def welcome_when_web_answers() -> bool:
            answers = not is_free(int(environment["PORT"]))
            if answers:
                relaxed = ", ".join(f"{name}={environment[name]}" for name in local.RELAXED)
                say(f"\nRingback runs, relaxed for one's own machine ({relaxed}):\n{local.welcome(environment)}\n")
            return answers

        runner = Runner(
            kept_running, environment=environment, servers=servers, requests=requests, stop_seconds=stop_seconds
        )
        runner.run(follow_parent=follow_parent, on_answer=welcome_when_web_answers)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.runner", description=__doc__)
    parser.add_argument("--procfile", type=Path, default=BASE_DIR / "Procfile")
    parser.add_argument("--follow-parent", action="store_true", help="stop when the process that started this ends")
    parser.add_argument("--stop-seconds", type=float, default=10, help="how long a process may take to end")
    arguments = parser.parse_args()
    requests = StopRequests()
    try:
        _run(
            arguments.procfile,
            requests=requests,
            follow_parent=arguments.follow_parent,
            stop_seconds=arguments.stop_seconds,
        )
    except _AskedToStop:
        say("stopped before everything ran")
    except (CannotRun, ServerNotStartable, procfile.ProcfileUnreadable) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
