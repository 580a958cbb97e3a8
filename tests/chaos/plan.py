"""Where a worker dies: a seeded list of points, one death each, used up over all lives of the worker."""

import os
import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NoReturn

from tests.chaos import faults
from tests.chaos.faults import Kind, append, life

WEBHOOK_PASSES = 20
"""A delivery passes its points far more often than a dial does."""


class Point(StrEnum):
    """The four places of one dial at which dying could cost or double a call."""

    BEFORE_CLAIM_IS_TAKEN = "before the compare-and-set"
    BEFORE_REQUEST = "after it, before the request"
    BEFORE_ANSWER = "after it, before the answer"
    BEFORE_RECORD = "before the record"


class WebhookPoint(StrEnum):
    """The three places of one delivery at which dying could lose or change it."""

    BEFORE_REQUEST = "after the claim, before the request"
    BEFORE_ANSWER = "after the request, before the answer"
    BEFORE_RECORD = "after the answer, before it is settled"


Points = type[Point] | type[WebhookPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The worker dies when it comes to ``point`` after it has passed it ``passes`` times."""

    point: Point | WebhookPoint
    passes: int


def deaths(*, seed: str, each: int, points: Points = Point, most_passes: int = 3) -> Sequence[Death]:
    """Return ``each`` deaths per point in an order that the seed gives."""
    dice = random.Random(seed)  # noqa: S311 — chance that can be repeated is what is wanted
    found = [Death(point=point, passes=dice.randint(0, most_passes)) for point in points for _ in range(each)]
    dice.shuffle(found)
    return found


class Fate:
    """One life of a worker: it knows its death from the number of lines in the file of those before."""

    def __init__(self, planned: Sequence[Death], log: Path) -> None:
        past = self._past = len(deaths_in(log))
        self._death = planned[past] if past < len(planned) else None
        self._log = log
        self._left = self._death.passes if self._death else 0
        self._lock = threading.Lock()

    def is_here(self, point: Point | WebhookPoint) -> bool:
        """Say whether this passage of the point is the one to die at; the caller then calls :meth:`die`."""
        with self._lock:
            if self._death is None or self._death.point is not point:
                return False
            self._left -= 1
            return self._left == -1

    def die(self, point: Point | WebhookPoint) -> NoReturn:
        """Write the fault down and end like one who is killed from outside."""
        now = time.time()
        append(
            self._log, id=f"D{self._past + 1:02}", kind=Kind.DEATH, at=now, until=now, concerns=[life()], note=point
        )  # fmt: skip
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError  # nobody comes here


def deaths_in(log: Path) -> Sequence[str]:
    """Return the points of the deaths so far."""
    return [fault.note for fault in faults.read(log) if fault.kind == Kind.DEATH]


@cache
def fate() -> Fate:
    """Return this process's fate, as its environment says; without a word about it, it lives on."""
    return of(os.environ)


def of(environment: Mapping[str, str]) -> Fate:
    log = environment.get("CHAOS_LOG")
    if log is None:
        return Fate((), Path(os.devnull))
    seed, each = environment["CHAOS_SEED"], int(environment["CHAOS_EACH"])
    if environment.get("CHAOS_OF") == "webhooks":
        planned = deaths(seed=seed, each=each, points=WebhookPoint, most_passes=WEBHOOK_PASSES)
    else:
        planned = deaths(seed=seed, each=each, most_passes=int(environment.get("CHAOS_PASSES", "3")))
    return Fate(planned, Path(log))
