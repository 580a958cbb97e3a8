"""The simulated carrier as a real process in accelerated time, for whoever needs a carrier in a test."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pytest
import requests

from dialer.carriers.simulation.ledger import Place, places

ROOT = Path(__file__).resolve().parents[1]
SPEED = 50.0
SECRET = "the carrier's secret in tests"  # noqa: S105 — guards nothing but this


@dataclass(kw_only=True)
class RunningCarrier:
    """A carrier process; ``flags`` are those of the command, spelled with underscores."""

    ledger: Path
    flags: dict[str, object] = field(default_factory=dict)
    secret: str = SECRET
    url: str = ""
    _process: "subprocess.Popen[str] | None" = None

    def start(self) -> Self:
        """Start the process, on the port it had before if it ran before; return when it listens."""
        port = self.url.rpartition(":")[2] or "0"
        self._process = subprocess.Popen(self.command(port=port), stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[3].rstrip(",")
        return self

    def command(self, *, port: str = "0") -> list[str]:
        """Return the command line of a carrier on this ledger."""
        options: dict[str, object] = {"speed": SPEED, "seed": "tests", "ledger": self.ledger, "secret": self.secret}
        options |= {"port": port, **self.flags}
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "dialer.carriers.simulation", *arguments]

    def stop(self) -> int:
        """End the process by SIGTERM and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._wait()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._wait()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def control(self, **wishes: object) -> None:
        """Tell the network what to do wrong: ``reports``, ``capacity``, ``down``, ``answer_delay``."""
        response = self.request("POST", "/control", json=wishes)
        response.raise_for_status()

    def places(self) -> list[Place]:
        """Return every request to place a call, from the carrier's own ledger."""
        return places(self.ledger)

    def places_of(self, call_id: UUID) -> list[Place]:
        return [place for place in self.places() if place.call_id == str(call_id)]

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return requests.request(method, self.url + path, headers=headers, timeout=10, **options)

    def _wait(self) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


StartCarrier = Callable[..., RunningCarrier]


@pytest.fixture
def start_carrier(tmp_path: Path) -> Iterator[StartCarrier]:
    """Give a function that starts carriers with flags; all are ended after the test."""
    started: list[RunningCarrier] = []

    def start(**flags: object) -> RunningCarrier:
        carrier = RunningCarrier(ledger=tmp_path / f"ledger-{len(started)}.jsonl", flags=flags)
        started.append(carrier)
        return carrier.start()

    yield start
    for carrier in started:
        if carrier.is_running:
            carrier.kill()


@pytest.fixture
def simulated_carrier(start_carrier: StartCarrier) -> RunningCarrier:
    """Give a carrier that reports nowhere."""
    return start_carrier()
