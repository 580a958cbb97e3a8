"""Runs a peer: its environment, its workers, and the driver that hands calls to its queue."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import psycopg
from redis import Redis

from bench.peers.catalogue import PEERS, Peer
from config.env import BASE_DIR
from config.local.keeper import has_ended, start_kept, stop_all

_FOLDER = BASE_DIR / ".venv-bench"
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_COMMON = ("psycopg[binary,pool]", "redis")
_START_SECONDS = 45
_WARM_UP = 20


class PeerFailed(Exception):
    """A peer cannot be installed, does not start or does not finish; the message says what it said last."""


@cache
def install() -> dict[str, str]:
    """Make the environment of the peers unless it is there; return the error of each package that has one."""
    stamp = _FOLDER / "installed.json"
    wanted = _REQUIREMENTS.read_text()
    if stamp.exists() and (known := json.loads(stamp.read_text()))["wanted"] == wanted:
        errors: dict[str, str] = known["errors"]
        return errors
    print("installing the peers into .venv-bench/", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", _FOLDER], check=True)  # noqa: S603 — our own command
    errors = {}
    for package in dict.fromkeys((*_COMMON, *(peer.package for peer in PEERS))):
        done = subprocess.run(  # noqa: S603 — our own command
            [
                *(_FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--constraint", _REQUIREMENTS, package),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            errors[package] = "not installed: " + _end_of(done.stderr)
    stamp.write_text(json.dumps({"wanted": wanted, "errors": errors}))
    return errors


def version_of(peer: Peer) -> str:
    """Return the installed version of a peer's package; empty if it is not there."""
    name = peer.package.partition("[")[0].replace("-", "_")
    found = next(_FOLDER.glob(f"lib/python*/site-packages/{name}-*.dist-info"), None)
    return found.name.removeprefix(f"{name}-").removesuffix(".dist-info") if found else ""


@dataclass(frozen=True, slots=True)
class Handed:
    """What a driver did: how many calls it handed over, in how many seconds, with how much CPU, and from which id."""

    count: int
    seconds: float
    cpu: float
    first_id: int


class Workers:
    """A peer's running workers."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self.peer = peer
        self._folder = folder
        self._keepers: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **os.environ,
            **peer.environment,
            "PATH": f"{_FOLDER / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(BASE_DIR),
            "DJANGO_SETTINGS_MODULE": "bench.peers.django_q2_settings",
            "RQ_REDIS_URL": os.environ["REDIS_URL"],
        }

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(keeper.pid) for keeper in self._keepers]

    def start(self) -> None:
        self._drive("prepare")
        for number, words in enumerate(self.peer.commands):
            with (self._folder / f"{number}.log").open("wb") as log:
                command = [str(_FOLDER / "bin" / words[0]), *words[1:]]
                self._keepers.append(start_kept(command, environment=self._environment, output=log))
        with self.handing("now", count=_WARM_UP) as go:
            handed = go()
        self.wait_for_end(handed, seconds=_START_SECONDS)

    def stop(self) -> None:
        stop_all(self._keepers, seconds=5)

    @contextmanager
    def handing(
        self, action: str, *, count: int, lead: float = 0.0, step: float = 0.0, within: float = 600.0
    ) -> Iterator[Callable[[], Handed]]:
        """Prepare ``count`` calls; calling what is yielded hands them to the queue and returns what that took."""
        words = [f"--count={count}", f"--lead={lead}", f"--step={step}", f"--within={within}"]
        driver = self._driver(action, *words)
        assert driver.stdin is not None
        assert driver.stdout is not None
        try:
            if driver.stdout.readline() != "ready\n":
                raise PeerFailed(_end_of(driver.communicate()[1]))

            def go() -> Handed:
                answer, error = driver.communicate("go\n")
                if driver.returncode:
                    raise PeerFailed(_end_of(error))
                done: dict[str, Any] = json.loads(answer)
                return Handed(done["handed"], done["seconds"], done["cpu"], done["first_id"])

            yield go
        finally:
            driver.kill()
            driver.wait()

    def wait_for_end(self, handed: Handed, *, seconds: float) -> None:
        """Wait until each call handed over has ended; raises :class:`PeerFailed` with how many have."""
        deadline = time.monotonic() + seconds
        while (ended := self.ended(handed)) < handed.count:
            if any(map(has_ended, self._keepers)):
                message = f"a worker ended: {self._said()}"
                raise PeerFailed(message)
            if time.monotonic() > deadline:
                message = f"{ended:,} of {handed.count:,} calls ended within {seconds:.0f} s; {self._said()}"
                raise PeerFailed(message)
            time.sleep(0.1)

    def ended(self, handed: Handed) -> int:
        """Return how many of the calls handed over have ended."""
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            found = connection.execute(
                "SELECT count(*) FROM peer_call WHERE id >= %s AND id < %s AND state = 'ended'",
                (handed.first_id, handed.first_id + handed.count),
            ).fetchone()
        assert found is not None
        return int(found[0])

    def asked(self, handed: Handed) -> list[tuple[float, float, int]]:
        """Return when each call that was placed was due and placed, and how often it was handed out again."""
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            return connection.execute(
                "SELECT extract(epoch FROM due_at)::float8, asked_at, repeats FROM peer_call "
                "WHERE id >= %s AND id < %s AND asked_at IS NOT NULL",
                (handed.first_id, handed.first_id + handed.count),
            ).fetchall()

    def _driver(self, action: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 — our own command
            [_FOLDER / "bin" / "python", "-m", "bench.peers.driver", self.peer.module, action, *words],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _drive(self, action: str, *words: str) -> None:
        driver = self._driver(action, *words)
        _, error = driver.communicate()
        if driver.returncode:
            raise PeerFailed(_end_of(error))

    def _said(self) -> str:
        return _end_of("\n".join(log.read_text(errors="replace") for log in self._folder.glob("*.log")))


@contextmanager
def running(peer: Peer) -> Iterator[Workers]:
    """Run a peer's workers on an empty Valkey database, warmed up; raises :class:`PeerFailed`."""
    errors = install()
    for package in (*_COMMON, peer.package):
        if package in errors:
            raise PeerFailed(errors[package])
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS peer_call, peer_event, peer_delivery")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        workers = Workers(peer, Path(folder))
        try:
            workers.start()
            yield workers
        finally:
            workers.stop()


def _end_of(text: str, *, lines: int = 3) -> str:
    kept: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(kept[-lines:])[-400:] or "it said nothing"
