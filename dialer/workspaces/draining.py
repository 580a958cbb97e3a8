"""A loop inside a Celery task that processes rows as they come.

One loop per process; a second task returns at once. The loop ends after a while and publishes its successor, so
that after a deploy, a killed worker or a lost message, the next task from beat is enough to continue.
"""

import math
import threading
import time
from collections.abc import Callable

LASTS_SECONDS = 30.0
PAUSE_SECONDS = 0.03
"""The pause after a small batch."""
QUIET_SHARE = 0.1
"""How long the loop pauses while nothing comes, as a share of the time for which nothing has come."""
LONGEST_PAUSE_SECONDS = 0.2
"""The longest pause, and so the longest time until a row is noticed after a quiet time."""

_stopping = threading.Event()


def stop_all() -> None:
    """End every loop of this process after its present batch; for the worker's shutdown."""
    _stopping.set()


class Drain:
    """A loop over one kind of work; at most one thread of the process runs it."""

    def __init__(self, work: Callable[[], int], *, pause_seconds: float = PAUSE_SECONDS, batch: int = 1) -> None:
        """Prepare a loop, which pauses whenever ``work`` processes fewer than ``batch`` rows.

        While nothing comes the pause grows, to a tenth of the time since the last row. The next row waits a little
        longer then, and a process with nothing to do hardly uses the processor.
        """
        self._work = work
        self._pause_seconds = pause_seconds
        self._batch = batch
        self._running = threading.Lock()
        self._last_row_at = -math.inf

    def run(self, *, lasts_seconds: float = LASTS_SECONDS) -> bool:
        """Call ``work`` until time is up; returns false if another thread runs the loop, or if it was stopped.

        ``work`` returns how many rows it processed; an exception from it ends the loop.
        """
        if not self._running.acquire(blocking=False):
            return False
        try:
            until = time.monotonic() + lasts_seconds
            while (now := time.monotonic()) < until and not _stopping.is_set():
                done = self._work()
                if done:
                    self._last_row_at = now
                # Let rows gather: a batch of one costs nearly as much as a batch of a hundred.
                if done < self._batch:
                    quiet = QUIET_SHARE * (now - self._last_row_at)
                    _stopping.wait(max(self._pause_seconds, min(quiet, LONGEST_PAUSE_SECONDS)))
        finally:
            self._running.release()
        return not _stopping.is_set()
