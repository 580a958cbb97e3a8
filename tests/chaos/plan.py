"""Where a dial worker dies: a seeded list of points, one death each, used up over all lives of the worker."""

import os
import random
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NoReturn


class Point(StrEnum):
    """The four places of one dial at which dying could cost or double a call."""

    BEFORE_CLAIM_IS_TAKEN = "before the compare-and-set"
    BEFORE_REQUEST = "after it, before the request"
    BEFORE_ANSWER = "after it, before the answer"
    BEFORE_RECORD = "before the record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The worker dies when it comes to ``point`` after it has passed it ``passes`` times."""

    point: Point
    passes: int


def deaths(*, seed: str, each: int) -> Sequence[Death]:
    """Return ``each`` deaths per point in an order that the seed gives."""
    dice = random.Random(seed)  # noqa: S311 — chance that can be repeated is what is wanted
    found = [Death(point=point, passes=dice.randrange(4)) for point in Point for _ in range(each)]
    dice.shuffle(found)
    return found


class Fate:
    """One life of a worker: it knows its death from the number of lines in the file of those before."""

    def __init__(self, planned: Sequence[Death], log: Path) -> None:
        past = len(read(log))
        self._death = planned[past] if past < len(planned) else None
        self._log = log
        self._left = self._death.passes if self._death else 0
        self._lock = threading.Lock()

    def is_here(self, point: Point) -> bool:
        """Say whether this passage of the point is the one to die at; the caller then calls :meth:`die`."""
        with self._lock:
            if self._death is None or self._death.point is not point:
                return False
            self._left -= 1
            return self._left == -1

    def die(self, point: Point) -> NoReturn:
        """Write the point down and end like one who is killed from outside."""
        file = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{point}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError  # nobody comes here


def read(log: Path) -> Sequence[str]:
    """Return the points of the deaths so far."""
    return log.read_text().splitlines() if log.exists() else ()


@cache
def fate() -> Fate:
    """Return this process's fate, as its environment says; without a word about it, it lives on."""
    return of(os.environ)


def of(environment: Mapping[str, str]) -> Fate:
    log = environment.get("CHAOS_LOG")
    if log is None:
        return Fate((), Path(os.devnull))
    return Fate(deaths(seed=environment["CHAOS_SEED"], each=int(environment["CHAOS_EACH"])), Path(log))
