"""What is done to the system: each fault is written down, with an id and whom it concerns, before it is done.

A process that is started has a *life*, its name and a number (``worker-dial.3``): a fault names the lives that it ends
or stops, or the server that it troubles. So what went wrong is traced to a fault by who did it, not by when it was.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

LIFE = "CHAOS_LIFE"
"""The environment's word for the life of a process; its children inherit it."""


class Kind(StrEnum):
    """What may be done, and to whom."""

    KILL = "kill -9 of a process"
    DEATH = "kill -9 at a named point"
    STOP = "a process stopped for longer than its lease"
    POSTGRES = "PostgreSQL killed and restarted"
    BROKER = "the broker killed and restarted"
    AWAY = "the broker away for a while"
    FLUSH = "the broker forgets everything"
    FULL = "the broker is full"
    DOUBLED = "every message is published twice"
    BEATS = "two beats"
    CLOCKS = "clocks 90 s apart"
    CARRIER = "the carrier misbehaves"
    END = "a process ended by itself"


POSTGRES = "postgres"
BROKER = "broker"
CARRIER = "carrier"
"""Whom a fault concerns, beside lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line of the log; times are seconds since 1970, ``until`` is None while it lasts."""

    id: str
    kind: str
    at: float
    until: float | None = None
    concerns: tuple[str, ...] = ()
    note: str = ""

    def touches(self, since: float, until: float) -> bool:
        """Say whether the fault lasted at some moment of an interval."""
        return self.at <= until and (self.until is None or self.until >= since)


class FaultLog:
    """Appends to a file; several processes may."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0

    def begin(self, kind: Kind, concerns: Sequence[str], note: str = "") -> str:
        """Write a fault down that is about to be done, and return its id."""
        self._count += 1
        fault_id = f"F{self._count:02}"
        append(self.path, id=fault_id, kind=kind, at=time.time(), concerns=list(concerns), note=note)
        return fault_id

    def end(self, fault_id: str) -> None:
        append(self.path, id=fault_id, until=time.time())

    @contextmanager
    def lasting(self, kind: Kind, concerns: Sequence[str], note: str = "") -> Iterator[str]:
        fault_id = self.begin(kind, concerns, note)
        try:
            yield fault_id
        finally:
            self.end(fault_id)


def append(path: Path, **line: object) -> None:
    """Add a line in one write: nobody sees half of it, and it outlives whoever dies next."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)


def read(path: Path) -> list[Fault]:
    """Return the faults in the order in which they began."""
    found: dict[str, dict[str, Any]] = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        line = json.loads(text)
        found[line["id"]] = found.get(line["id"], {}) | line
    return [Fault(**line | {"concerns": tuple(line["concerns"])}) for line in found.values()]


def life() -> str:
    """Return the life of this process."""
    return os.environ.get(LIFE, "")
