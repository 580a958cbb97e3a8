"""A storm: what is done to the system, in an order and at times that the seed gives."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.chaos.crew import Crew
from tests.chaos.faults import BROKER, CARRIER, POSTGRES, FaultLog, Kind
from tests.chaos.servers import Broker, Postgres

MISCHIEF: Sequence[Mapping[str, object]] = (
    {"capacity": 0}, {"down": True}, {"answer_delay": 6.0},
    {"reports": "late"}, {"reports": "twice"}, {"reports": "out_of_order"}, {"reports": "never"},
)  # fmt: skip
"""What the carrier is told to do wrong, one after another."""
_PATIENCE = 240.0
"""Seconds until a carrier that was killed must listen again."""
HARMLESS: Mapping[str, object] = {"capacity": None, "down": False, "answer_delay": 0.0, "reports": "normal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a storm lasts, and what comes in it."""

    seconds: float
    rounds: int
    """How often each process is killed and each server troubled."""
    stopped: float
    """Seconds: longer than a lease."""
    away: float
    full: float
    mischief: float
    doubled: float


SHORT = Length(seconds=42, rounds=1, stopped=7, away=5, full=2.5, mischief=1.5, doubled=12)
USUAL = Length(seconds=180, rounds=3, stopped=12, away=20, full=8, mischief=4, doubled=40)
LONG = Length(seconds=1800, rounds=25, stopped=45, away=60, full=30, mischief=10, doubled=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is done, and how long after the beginning."""

    after: float
    kind: Kind
    whom: str = ""
    mischief: int = 0


def plan(*, seed: str, length: Length, processes: Sequence[str], stopped: Sequence[str]) -> list[Step]:
    """Return every kind of fault, as often as the length says, in an order that the seed gives."""
    dice = random.Random(seed)  # noqa: S311 — chance that can be repeated is what is wanted
    wanted: list[tuple[Kind, str, int]] = []
    for _ in range(length.rounds):
        wanted += [(Kind.KILL, name, 0) for name in processes]
        wanted += [(Kind.STOP, name, 0) for name in stopped]
        wanted += [(Kind.CARRIER, CARRIER, n) for n in range(len(MISCHIEF))]
        servers = (Kind.BROKER, Kind.AWAY, Kind.FLUSH, Kind.FULL, Kind.DOUBLED)
        wanted += [(Kind.POSTGRES, POSTGRES, 0), *((kind, BROKER, 0) for kind in servers)]
    dice.shuffle(wanted)
    pace = length.seconds / len(wanted)
    return [
        Step(after=pace * (n + dice.random()), kind=kind, whom=whom, mischief=mischief)
        for n, (kind, whom, mischief) in enumerate(wanted)
    ]


class Storm:
    """Does what is planned; what takes its time goes on beside what comes next."""

    def __init__(
        self, crew: Crew, *, log: FaultLog, broker: Broker, carrier: str, secret: str, doubled: Path, length: Length
    ) -> None:
        self._crew = crew
        self._log = log
        self._broker = broker
        self._carrier = carrier
        self._secret = secret
        self._doubled = doubled
        self._length = length
        self._postgres = Postgres()
        self._beside: list[threading.Thread] = []
        self._broker_is_ours = threading.Lock()
        self.failures: list[str] = []
        """What could not be done as planned."""

    def blow(self, steps: Sequence[Step]) -> None:
        """Do every step, and wait until all is over."""
        began = time.monotonic()
        for step in steps:
            time.sleep(max(0.0, began + step.after - time.monotonic()))
            if step.kind is Kind.POSTGRES:
                self._do(step)
                continue
            thread = threading.Thread(target=self._do, args=(step,), daemon=True)
            thread.start()
            self._beside.append(thread)
        for thread in self._beside:
            thread.join()

    def _do(self, step: Step) -> None:
        try:
            self._acts[step.kind](self, step)
        except Exception as error:  # noqa: BLE001 — a storm goes on; what did not happen is said, and fails the run
            self.failures.append(f"{step.kind} {step.whom}: {type(error).__name__}: {error}")

    def _kill(self, step: Step) -> None:
        """Kill a process; what speaks to the carrier misses it until it listens again."""
        fault = self._crew.kill(step.whom)
        if step.whom == CARRIER:
            self._tell({})
        self._log.end(fault)

    def _stop(self, step: Step) -> None:
        self._crew.stop(step.whom, seconds=self._length.stopped)

    def _crash_postgres(self, _: Step) -> None:
        with self._log.lasting(Kind.POSTGRES, [POSTGRES]):
            self._postgres.crash()

    def _trouble_broker(self, step: Step) -> None:
        with self._broker_is_ours, self._log.lasting(step.kind, [BROKER]):
            match step.kind:
                case Kind.FLUSH:
                    self._broker.flush()
                case Kind.FULL:
                    self._broker.fill()
                    time.sleep(self._length.full)
                    self._broker.relieve()
                case _:
                    self._broker.kill()
                    time.sleep(self._length.away if step.kind is Kind.AWAY else 0)
                    self._broker.start()

    def _double(self, _: Step) -> None:
        with self._log.lasting(Kind.DOUBLED, [BROKER]):
            self._doubled.touch()
            time.sleep(self._length.doubled)
            self._doubled.unlink(missing_ok=True)

    def _misbehave(self, step: Step) -> None:
        wishes = MISCHIEF[step.mischief]
        with self._log.lasting(Kind.CARRIER, [CARRIER], str(dict(wishes))), self._told(wishes):
            time.sleep(self._length.mischief)

    @contextmanager
    def _told(self, wishes: Mapping[str, object]) -> Iterator[None]:
        """Tell the carrier what to do wrong; one that was killed meanwhile has forgotten it, which is as well."""
        self._tell(wishes)
        yield
        self._tell({name: HARMLESS[name] for name in wishes})

    def _tell(self, wishes: Mapping[str, object]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._secret}"}
                requests.post(f"{self._carrier}/control", json=wishes, headers=headers, timeout=5).raise_for_status()
            except requests.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    _acts: Mapping[Kind, Callable[["Storm", Step], None]] = {
        Kind.KILL: _kill,
        Kind.STOP: _stop,
        Kind.POSTGRES: _crash_postgres,
        Kind.BROKER: _trouble_broker,
        Kind.AWAY: _trouble_broker,
        Kind.FLUSH: _trouble_broker,
        Kind.FULL: _trouble_broker,
        Kind.DOUBLED: _double,
        Kind.CARRIER: _misbehave,
    }
