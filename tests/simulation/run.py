"""One simulation from its seed to its verdict."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from psycopg.conninfo import make_conninfo

from tests.simulation.carrier import Network, answering
from tests.simulation.checker import Judgement, Rule, Violation, judge, share_of, watch
from tests.simulation.engine import Engine
from tests.simulation.record import Record
from tests.simulation.script import Script
from tests.simulation.world import START, World

WATCH_EVERY = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated."""

    people: int
    days: int
    deeds_per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    judgement: Judgement
    deeds: Counter[str]
    steps: int
    seconds: float
    cpu_seconds: float
    record: Record = field(repr=False)

    def lines(self) -> list[str]:
        """Say it for people."""
        seen = self.judgement
        return [
            f"{seen.calls:,} calls, {seen.callbacks:,} callbacks ({seen.dialled:,} dialled), {self.steps:,} instants",
            f"outcomes: {', '.join(f'{name} {count:,}' for name, count in sorted(seen.outcomes.items()))}",
            f"callbacks: {', '.join(f'{name} {count:,}' for name, count in sorted(seen.kinds.items()))}",
            f"deeds: {', '.join(f'{name} {count:,}' for name, count in sorted(self.deeds.items()))}",
            f"never dialled: {', '.join(f'{name} {count:,}' for name, count in sorted(seen.excuses.items()))}",
            f"late, in simulated seconds: {_late(seen.lateness)}",
            f"  the {len(seen.unhindered):,} that nothing stood in the way of: {_late(seen.unhindered)}",
            f"{len(seen.violations)} violations; {self.seconds:.1f} s, {self.cpu_seconds:.1f} s of Python",
            *(f"  {violation.rule}: {violation.seen}" for violation in seen.violations[:20]),
        ]


def _late(lateness: Sequence[timedelta]) -> str:
    shares = (("p50", 0.5), ("p99", 0.99), ("max", 1))
    return ", ".join(f"{name} {share_of(lateness, share).total_seconds():,.1f}" for name, share in shares)


def simulate(size: Size, *, seed: str, start: datetime = START) -> Outcome:
    """Let the time pass on an empty database, and judge what was done in it."""
    began, worked = time.monotonic(), time.process_time()
    record = Record()
    engine = Engine(start=start, seed=seed)
    network = Network(seed=seed, record=record, clock=engine.clock, deliver=engine.deliver)
    world = World(record=record, dice=random.Random(f"{seed}:world"))  # noqa: S311 — chance that can be repeated
    watched: list[Violation] = []
    end = start + timedelta(days=size.days)
    with answering(network), pooled(), errors(watched):
        world.settle(size.people, now=start)
        script = Script(world=world, engine=engine, network=network, seed=seed)
        network.answered, network.found, engine.applied = script.answered, engine.hear, script.applied
        engine.bulk_ended = script.bulk_ended
        script.write(until=end, deeds_per_day=size.deeds_per_day)
        _every(WATCH_EVERY, engine, until=end, work=lambda: watched.extend(watch(record, dsn(), at=engine.now)))
        engine.run(end)
    judgement = judge(record, dsn(), at=end, watched=watched)
    return Outcome(
        judgement=judgement,
        deeds=script.done,
        steps=engine.steps,
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - worked,
        record=record,
    )


def _every(every: timedelta, engine: Engine, *, until: object, work: Callable[[], object]) -> None:
    when = engine.now + every
    while when < until:  # type: ignore[operator]
        engine.at(when, work)
        when += every


@contextmanager
def pooled() -> Iterator[None]:
    """Keep connections, as a worker does: placing gives its own back before it asks the carrier, each time."""
    options = connection.settings_dict["OPTIONS"]
    if "pool" in options:
        yield
        return
    connection.close()
    options["pool"] = {"min_size": 1, "max_size": 6}
    try:
        yield
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        del options["pool"]


@contextmanager
def errors(found: list[Violation]) -> Iterator[None]:
    """Count what the engine logs as an error, instead of showing it; not requests that the carrier lets fail."""

    class Handler(logging.Handler):
        def emit(self, entry: logging.LogRecord) -> None:
            if not str(entry.msg).startswith("call.place_failed"):
                why = f": {entry.exc_info[1]!r}" if entry.exc_info else ""
                found.append(Violation(rule=Rule.NO_ERRORS, seen=f"{entry.name}: {entry.getMessage()}{why}"))

    handler = Handler(level=logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("dialer", "callbacks", "webhooks")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True


def dsn() -> str:
    """Say how the checker reaches the database, with a connection of its own."""
    its = connection.settings_dict
    return make_conninfo(
        host=its["HOST"], port=its["PORT"], dbname=its["NAME"], user=its["USER"], password=its["PASSWORD"]
    )
