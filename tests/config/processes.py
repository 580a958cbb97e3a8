"""What tests ask of the operating system: which processes there are, and who listens."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from config.env import BASE_DIR
from config.local.settings import read_json

PATIENCE_SECONDS = 60


def eventually(condition: Callable[[], object], *, what: str) -> None:
    """Wait until a condition holds; fails with ``what`` when it does not within a generous time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.02)


def belonging_to(folder: Path) -> list[str]:
    """Return the command lines of all processes that have this data folder in their environment or command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                words = [*process.cmdline(), process.environ().get("DATA_DIR", "")]
                if any(str(folder) in word for word in words):
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
        except psutil.Error:
            continue
    return found


def listening(port: int) -> bool:
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        for connection in psutil.net_connections("tcp")
    )


def ports(folder: Path) -> list[int]:
    """Return the ports that a run over this folder has chosen."""
    servers = read_json(folder / "servers.json")
    kept = read_json(folder / "local.json")
    carrier = kept["SIMULATED_CARRIER_URL"].rpartition(":")[2]
    return [int(port) for port in (servers["postgres_port"], servers["valkey_port"], kept["PORT"], carrier)]


def start(module: str, *arguments: str, folder: Path, output: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start one of our modules in a process group of its own, with nothing of this environment's servers."""
    with output.open("wb") as file:
        return subprocess.Popen(  # noqa: S603 — our own modules
            [sys.executable, "-m", module, *arguments],
            env={**bare_environment(), "DATA_DIR": str(folder), **environment},
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def bare_environment() -> Mapping[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Do what Ctrl-C does: the terminal tells the whole foreground group."""
    os.killpg(process.pid, signal.SIGINT)


@contextlib.contextmanager
def folder_of_ours() -> Iterator[Path]:
    """Make a folder outside of pytest's, whose parent every pytest of this user closes to others when it starts.

    Root runs the servers as another user, who would then be locked out.
    """
    with tempfile.TemporaryDirectory(prefix="ringback-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
