"""Forced interleavings: one thread stops inside the code under test, at a statement that the test names.

Statements of the hot path carry their name as a comment; Django's ``execute_wrapper`` sees every statement of one
connection. The same door makes mutants: a statement is rewritten on its way, the guard taken out.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection

PATIENCE = 20.0
"""A test that waits longer has deadlocked, and fails."""

Rewrites = Mapping[str, tuple[tuple[str, str], ...]]
"""By the name of a statement: what is replaced by what."""


class Stop:
    """A place where a thread stops until it is let go."""

    def __init__(self, *, before: str) -> None:
        self.name = f"/* {before} */"
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if sql.startswith(self.name) and not self.reached.is_set():
            self.reached.set()
            assert self.go_on.wait(PATIENCE), f"nobody let the thread go on at {self.name}"
        return execute(sql, params, many, context)

    def wait(self) -> None:
        assert self.reached.wait(PATIENCE), f"the thread never came to {self.name}"


class Mutant:
    """Rewrites statements; fails where a guard that it should remove is not there."""

    def __init__(self, rewrites: Rewrites) -> None:
        self.rewrites = rewrites

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        for name, replacements in self.rewrites.items():
            if sql.startswith(f"/* {name} */"):
                for old, new in replacements:
                    assert old in sql, f"{name} has no {old!r}: the mutant would test nothing"
                    sql = sql.replace(old, new)
        return execute(sql, params, many, context)


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
        self._pool = ThreadPoolExecutor(max_workers=most)
        # A guard holds a thread back for as long as it is asked to wait; without guards it gets through in the end.
        self._time = PATIENCE if rewrites else 0.05

    def start(self, work: Callable[[], Any], *wrappers: Any) -> Future[Any]:
        return self._pool.submit(self._run, work, wrappers)

    def _run(self, work: Callable[[], Any], wrappers: tuple[Any, ...]) -> Any:
        try:
            with through(self._mutant, *wrappers):
                return work()
        finally:
            connection.close()

    def give_time_to(self, future: Future[Any]) -> None:
        """Let a thread that should be waiting on a lock come that far, or through where there is none."""
        wait([future], timeout=self._time)

    def close(self) -> None:
        self._pool.shutdown(wait=True)


@contextmanager
def threads(rewrites: Rewrites, *, most: int = 4) -> Iterator[Threads]:
    running = Threads(rewrites, most=most)
    try:
        yield running
    finally:
        running.close()
