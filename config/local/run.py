"""``make run``: the servers and every process of the Procfile in one terminal, until Ctrl-C.

Each process has a keeper (:mod:`config.local.keeper`): when this process ends, by TERM, Ctrl-C or ``kill -9``, all end
and free their ports. A process that ends on its own is restarted, after a pause that grows with each restart.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from config.env import BASE_DIR
from config.local import procfile, settings
from config.local.keeper import has_ended, kill_group, start_kept, stop_all
from config.local.servers import EmbeddedServers, ServerNotStartable

_LONGEST_PAUSE_SECONDS = 30
_SAME_REQUEST_SECONDS = 0.2
_LOOK_SECONDS = 0.2
_LAST_WORDS_SECONDS = 1  # a stray child may hold the pipe for longer
_RUN_ONCE = ("release", "demo")

_Running = tuple[subprocess.Popen[bytes], threading.Thread]


class _StopRequests:
    """Counts Ctrl-C, TERM and HUP; raises KeyboardInterrupt at the first one as long as ``raising`` is set.

    Two signals within a fifth of a second count as one: a signal to a group and to its leader arrives twice.
    """

    def __init__(self) -> None:
        self.count = 0
        self.raising = True
        self._counted_at = 0.0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        now = time.monotonic()
        if now - self._counted_at > _SAME_REQUEST_SECONDS:
            self.count += 1
        self._counted_at = now
        if self.raising:
            self.raising = False
            raise KeyboardInterrupt


def _keep_running(
    line: procfile.Line, environment: Mapping[str, str], *, number: int, stop_seconds: float
) -> Iterator[_Running]:
    """Start a process, and restart it when it has ended, after a pause that grows while it ends soon.

    Each ``next`` checks the process once and yields its current keeper and the thread that passes on its output.
    """
    settings = {**environment, **line.settings}
    pause = 0.0
    while True:
        started_at = time.monotonic()
        keeper = start_kept(line.command, environment=settings, grace_seconds=stop_seconds, output=subprocess.PIPE)
        reader = threading.Thread(target=_pass_on_output, args=(keeper, line.name, number), daemon=True)
        reader.start()
        while not has_ended(keeper):
            yield keeper, reader
        reader.join(_LAST_WORDS_SECONDS)
        ran_long = time.monotonic() - started_at > 2 * _LONGEST_PAUSE_SECONDS
        pause = 1 if ran_long else min(2 * pause or 1, _LONGEST_PAUSE_SECONDS)
        say(f"{line.name} ended with status {keeper.returncode}; again in {pause:.0f} s")
        ended_at = time.monotonic()
        while time.monotonic() < ended_at + pause:
            yield keeper, reader


def _pass_on_output(keeper: subprocess.Popen[bytes], name: str, number: int) -> None:
    prefix = f"{name:<15} | "
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        prefix = f"\x1b[{31 + number % 6}m{prefix}\x1b[0m"
    for text in keeper.stdout or ():
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stdout.buffer.write(prefix.encode() + text.removesuffix(b"\n") + b"\n")
            sys.stdout.buffer.flush()


def say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201 — the terminal is what this is for


def _environment(folder: Path, servers: EmbeddedServers | None) -> dict[str, str]:
    """Return the environment of the processes, with free ports chosen where none is set."""
    environment = settings.environment(folder)
    if servers is not None:
        environment = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url} | environment
    if "PORT" not in os.environ:
        environment["PORT"] = str(settings.free_port(environment.get("PORT"), *range(8000, 8100)))
    elif not settings.is_free(int(os.environ["PORT"])):
        sys.exit(f"port {os.environ['PORT']} is taken: choose another one with PORT, or leave PORT out")
    if "SIMULATED_CARRIER_URL" not in os.environ:
        last = urlsplit(environment.get("SIMULATED_CARRIER_URL", "")).port
        environment["SIMULATED_CARRIER_URL"] = f"http://127.0.0.1:{settings.free_port(last)}"
    settings.kept(folder, **{name: environment[name] for name in ("PORT", "SIMULATED_CARRIER_URL")})
    return environment | {"PYTHONUNBUFFERED": "1"}


def _run_once(line: procfile.Line, environment: Mapping[str, str]) -> None:
    """Run a command to its end; if it fails, exit before any process starts."""
    keeper = start_kept(line.command, environment={**environment, **line.settings})
    try:
        status = keeper.wait()
    finally:
        kill_group(keeper)
    if status != 0:
        sys.exit(f"{line.name} failed with status {status}: {' '.join(line.command)}")


def _run(path: Path, requests: _StopRequests, *, follow_parent: bool, stop_seconds: float) -> None:
    """Run all until asked to stop, or until the parent has ended, then stop all."""
    folder = settings.data_dir()
    parent = os.getppid()
    servers = None
    with contextlib.ExitStack() as stack:
        if not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
            say(f"starting PostgreSQL and Valkey over {folder}")
            servers = stack.enter_context(EmbeddedServers(folder))
        environment = _environment(folder, servers)
        lines = procfile.read(path, environment)
        if environment["DEMO"] == "0":
            lines = [line for line in lines if line.name not in ("demo", "carrier")]
        for line in lines:
            if line.name in _RUN_ONCE:
                _run_once(line, environment)
        processes = {
            line.name: _keep_running(line, environment, number=number, stop_seconds=stop_seconds)
            for number, line in enumerate(lines)
            if line.name not in _RUN_ONCE
        }
        running: dict[str, _Running] = {}
        web_answers = False
        requests.raising = False
        try:
            while not requests.count and not (follow_parent and os.getppid() != parent):
                for name in servers.revive() if servers is not None else ():
                    say(f"{name} had ended and runs again")
                for name, process in processes.items():
                    running[name] = next(process)
                if not web_answers and not settings.is_free(int(environment["PORT"])):
                    web_answers = True
                    relaxed = ", ".join(f"{name}={environment[name]}" for name in settings.RELAXED)
                    where = settings.welcome(environment)
                    say(f"\nRingback runs with relaxed settings for local use ({relaxed}):\n{where}\n")
                time.sleep(_LOOK_SECONDS)
        finally:
            _stop(running, requests, seconds=stop_seconds)


def _stop(running: Mapping[str, _Running], requests: _StopRequests, *, seconds: float) -> None:
    say("stopping; Ctrl-C again stops at once")
    keepers = [keeper for keeper, _ in running.values()]
    killed = stop_all(keepers, seconds=seconds, at_once=lambda: requests.count > 1)
    for name, (keeper, reader) in running.items():
        reader.join(_LAST_WORDS_SECONDS)
        if keeper in killed:
            say(f"{name} is killed")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.local.run", description=__doc__)
    parser.add_argument("--procfile", type=Path, default=BASE_DIR / "Procfile")
    parser.add_argument("--follow-parent", action="store_true", help="stop when the process that started this ends")
    parser.add_argument("--stop-seconds", type=float, default=10, help="how long a process may take to end")
    arguments = parser.parse_args()
    requests = _StopRequests()
    try:
        _run(arguments.procfile, requests, follow_parent=arguments.follow_parent, stop_seconds=arguments.stop_seconds)
    except KeyboardInterrupt:
        say("stopped before everything ran")
    except (ServerNotStartable, procfile.ProcfileUnreadable) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
