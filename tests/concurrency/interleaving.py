"""Forced interleavings: one thread stops inside the code under test, at a statement that the test names.

Statements of the hot path carry their name as a comment, those of the ORM are named by how they begin; Django's
``execute_wrapper`` sees every statement of one connection. The same door makes mutants: a statement is rewritten on its
way, the guard taken out.

An interleaving is never taken for granted. That a thread waits is what PostgreSQL says of its backend, and a race in
which somebody was not where the scenario has him fails with the story: who was where, and who waited for whom.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection, transaction

PATIENCE = 20.0
"""Seconds for anything that must happen; whoever takes longer has deadlocked, and the test fails."""
_LOOK_AGAIN = 0.005
_STATEMENTS_TOLD = 6
_THREADS_TOLD = 6

Rewrites = Mapping[str, tuple[tuple[str, str], ...]]
"""By the name of a statement: what is replaced by what."""


class RaceFailed(AssertionError):
    """The interleaving did not happen, or it did harm; the text is the whole story."""


def is_statement(sql: str, name: str) -> bool:
    """Tell whether this is the statement of that name, or, of the ORM's, one that begins so and goes on after ``…``."""
    begins, _, goes_on = name.partition("…")
    return sql.startswith((f"/* {name} */", begins)) and goes_on in sql


def name_of(sql: str) -> str:
    """Name a statement for a person: its own name, else its verb and table."""
    if named := re.match(r"/\* (\w+) \*/", sql):
        return named[1]
    table = re.search(r'(?:FROM|INTO|UPDATE) "(\w+)"', sql)
    return f"{sql.split(maxsplit=1)[0]} {table[1]}" if table else sql[:40]


class Stop:
    """A place where a thread stops until it is let go."""

    def __init__(self, *, before: str) -> None:
        self.before = before
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.racer: Racer | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if is_statement(sql, self.before) and not self.reached.is_set():
            self.reached.set()
            # Whoever plays the race gives up first, and can tell why.
            if not self.go_on.wait(2 * PATIENCE):
                message = f"nobody let the thread go on at {name_of(sql)}"
                raise RaceFailed(message)
        return execute(sql, params, many, context)

    @property
    def holds(self) -> bool:
        return self.reached.is_set() and not self.go_on.is_set()

    def wait(self) -> None:
        """Wait until the thread is there; one that finishes without coming there fails the race at once."""
        assert self.racer is not None, "give the stop to the thread that is to stop"
        until = time.monotonic() + PATIENCE
        while not self.reached.wait(_LOOK_AGAIN):
            if (self.racer.is_done and not self.reached.is_set()) or time.monotonic() > until:
                self.racer.fail(f"{self.racer.name} never came to {self.before}")


class Mutant:
    """Rewrites statements; fails where a guard that it should remove is not there."""

    def __init__(self, rewrites: Rewrites) -> None:
        self.rewrites = rewrites
        self.met: set[str] = set()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        for name, replacements in self.rewrites.items():
            if is_statement(sql, name):
                self.met.add(name)
                for old, new in replacements:
                    assert old in sql, f"{name} has no {old!r}: the mutant would test nothing"
                    sql = sql.replace(old, new)
        return execute(sql, params, many, context)


class Racer:
    """One thread of a race: what it does, over which backend, and where it is."""

    def __init__(self, name: str, stops: list[Stop], threads: "Threads") -> None:
        self.name = name
        self.stops = stops
        self.pid: int | None = None
        self._trail: deque[str] = deque(maxlen=_STATEMENTS_TOLD)
        self._future: Future[Any] = Future()
        self._threads = threads
        for stop in stops:
            stop.racer = self

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        """Note the statement; the code under test may have given its connection back and have another backend now."""
        self.pid = context["connection"].connection.info.backend_pid
        self._trail.append(name_of(sql))
        return execute(sql, params, many, context)

    def runs_as(self, future: Future[Any]) -> None:
        self._future = future

    @property
    def is_done(self) -> bool:
        return self._future.done()

    def result(self) -> Any:
        """Wait for the end and return what came of it, or raise what was raised."""
        if not wait([self._future], timeout=PATIENCE).done:
            self.fail(f"{self.name} did not come to its end")
        return self._future.result()

    def fail(self, what: str) -> None:
        self._threads.fail(what)

    def blockers(self) -> list[int]:
        """Ask PostgreSQL whose locks this thread's backend waits for now."""
        if self.pid is None or self.is_done:
            return []
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_blocking_pids(%s)", [self.pid])
            row = cursor.fetchone()
        return list(row[0]) if row else []

    def told(self, names: Mapping[int, str]) -> str:
        """Say where the thread is and how it came there."""
        trail = " → ".join(self._trail) or "no statement yet"
        return f"  {self.name}: {self._where(names)}\n      statements: {trail}"

    def _where(self, names: Mapping[int, str]) -> str:
        if self.is_done:
            raised = self._future.exception()
            # Of an error of the database the first line says it.
            said = f"raised {type(raised).__name__}: {raised}".splitlines()[0] if raised else self._future.result()
            return f"done ({said})"
        last = self._trail[-1] if self._trail else "its first statement"
        if any(stop.holds for stop in self.stops):
            return f"stopped before {last}"
        if blockers := self.blockers():
            return f"waits in {last} for {' and '.join(names.get(pid, f'backend {pid}') for pid in blockers)}"
        return f"runs, last seen at {last}"


@contextmanager
def through(*wrappers: Any) -> Generator[None]:
    """Send this thread's statements through the wrappers, also after the code under test gave its connection back."""
    with ExitStack() as stack:
        for wrapper in wrappers:
            stack.enter_context(connection.execute_wrapper(wrapper))
        yield


class Threads:
    """Runs functions in threads of their own, each with a connection of its own."""

    def __init__(self, rewrites: Rewrites, *, most: int) -> None:
        self._mutant = Mutant(rewrites)
        self._is_mutated = any(rewrites.values())
        self._pool = ThreadPoolExecutor(max_workers=most)
        self._racers: deque[Racer] = deque(maxlen=_THREADS_TOLD)

    def start(self, work: Callable[[], Any], *wrappers: Any, name: str = "") -> Racer:
        stops = [wrapper for wrapper in wrappers if isinstance(wrapper, Stop)]
        racer = Racer(name or f"thread {len(self._racers) + 1}", stops, self)
        self._racers.append(racer)
        racer.runs_as(self._pool.submit(self._run, work, (racer, self._mutant, *wrappers)))
        return racer

    def met(self) -> set[str]:
        """Return which of the statements that were to be rewritten came by."""
        return self._mutant.met

    def begin_round(self) -> None:
        """Forget the threads of the round before: the story is that of one round."""
        self._racers.clear()

    def _run(self, work: Callable[[], Any], wrappers: tuple[Any, ...]) -> Any:
        try:
            with through(*wrappers):
                return work()
        finally:
            connection.close()

    def held_back(self, racer: Racer, *, by: Racer) -> None:
        """Wait until a thread waits for a lock of another one, as the scenario says it must.

        Where guards are taken out it may get through instead.
        """
        blocker = self._settled(racer)
        if not self._is_mutated and blocker is not by:
            self.fail(f"{racer.name} is not held back by {by.name}")

    def gets_through(self, racer: Racer) -> None:
        """Wait until a thread has finished though another one stands still, as the scenario says it must.

        Where guards are taken out it may be held back by others instead.
        """
        blocker = self._settled(racer)
        if not self._is_mutated and blocker is not None:
            self.fail(f"{racer.name} is held back by {blocker.name}")

    def _settled(self, racer: Racer) -> Racer | None:
        """Wait until a thread has finished or waits for another one, which is returned; it will do nothing else now."""
        until = time.monotonic() + PATIENCE
        while not racer.is_done:
            blockers = racer.blockers()
            for other in self._racers:
                if other is not racer and not other.is_done and other.pid in blockers:
                    return other
            if time.monotonic() > until:
                self.fail(f"{racer.name} neither finished nor was held back")
            wait([racer._future], timeout=_LOOK_AGAIN)  # noqa: SLF001 — the other half of one thing
        return None

    def fail(self, what: str) -> None:
        message = f"{what}\n{self.story()}"
        raise RaceFailed(message)

    def story(self) -> str:
        names = {racer.pid: racer.name for racer in self._racers if racer.pid is not None and not racer.is_done}
        return "\n".join(racer.told(names) for racer in self._racers)

    def close(self) -> None:
        for racer in self._racers:
            for stop in racer.stops:
                stop.go_on.set()
        self._pool.shutdown(wait=True)


@contextmanager
def threads(rewrites: Rewrites, *, most: int = 4) -> Iterator[Threads]:
    running = Threads(rewrites, most=most)
    try:
        yield running
    except RaceFailed:
        raise
    except Exception as error:
        error.add_note(running.story())
        raise
    finally:
        running.close()


@contextmanager
def uncommitted(running: Threads, work: Callable[[], Any], *, name: str) -> Iterator[Racer]:
    """Run ``work`` in a thread and hold its transaction open meanwhile."""
    done, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            work()
            done.set()
            assert go_on.wait(2 * PATIENCE)

    held = running.start(hold, name=name)
    try:
        if not done.wait(PATIENCE):
            running.fail(f"{name} did not come to the end of its work")
        yield held
    finally:
        go_on.set()
    held.result()
