"""A loop inside a Celery task that processes rows as they come.

One loop per process; a second task returns at once. The loop ends after a while and publishes its successor, so
that after a deploy, a killed worker or a lost message, the next task from beat is enough to continue.
"""

import threading
import time
from collections.abc import Callable

LASTS_SECONDS = 30.0
PAUSE_SECONDS = 0.03
"""The pause after a small batch, and so the longest time until a new row is noticed."""

_stopping = threading.Event()


def stop_all() -> None:
    """End every loop of this process after its present batch; for the worker's shutdown."""
    _stopping.set()


class Drain:
    """A loop over one kind of work; at most one thread of the process runs it."""

    def __init__(self, work: Callable[[], int], *, pause_seconds: float = PAUSE_SECONDS, batch: int = 1) -> None:
        """Prepare a loop, which pauses whenever ``work`` processes fewer than ``batch`` rows."""
        self._work = work
        self._pause_seconds = pause_seconds
        self._batch = batch
        self._running = threading.Lock()

    def run(self, *, lasts_seconds: float = LASTS_SECONDS) -> bool:
        """Call ``work`` until time is up; returns false if another thread runs the loop, or if it was stopped.

        ``work`` returns how many rows it processed; an exception from it ends the loop.
        """
        if not self._running.acquire(blocking=False):
            return False
        try:
            until = time.monotonic() + lasts_seconds
            while time.monotonic() < until and not _stopping.is_set():
                # Let rows gather: a batch of one costs nearly as much as a batch of a hundred.
                if self._work() < self._batch:
                    _stopping.wait(self._pause_seconds)
        finally:
            self._running.release()
        return not _stopping.is_set()
