"""A loop that works rows off as they come, inside a Celery task.

One runs per process; a nudge that finds it running returns at once. It ends after a while and nudges its successor, so
that a deploy, a killed worker or a lost message costs no more than the next nudge of beat.
"""

import threading
import time
from collections.abc import Callable

LASTS_SECONDS = 30.0
PAUSE_SECONDS = 0.03
"""Between two looks that found nothing: the longest that a row waits to be seen."""

_stopping = threading.Event()


def stop_all() -> None:
    """End every loop of this process at its next look; for the worker's shutdown."""
    _stopping.set()


class Drain:
    """A kind of work that one thread of the process does at a time."""

    def __init__(self, work: Callable[[], int], *, pause_seconds: float = PAUSE_SECONDS, batch: int = 1) -> None:
        """Prepare a loop; ``batch`` is what ``work`` does at most, or less where a small one is not worth a pause."""
        self._work = work
        self._pause_seconds = pause_seconds
        self._batch = batch
        self._running = threading.Lock()

    def run(self, *, lasts_seconds: float = LASTS_SECONDS) -> bool:
        """Call ``work`` until time is up, pausing when it filled no batch; tell whether this thread was the one.

        ``work`` returns how much it did; what it raises ends the loop.
        """
        if not self._running.acquire(blocking=False):
            return False
        try:
            until = time.monotonic() + lasts_seconds
            while time.monotonic() < until and not _stopping.is_set():
                # What fills no batch can wait for company: a batch of one costs nearly as much as a batch of a hundred.
                if self._work() < self._batch:
                    _stopping.wait(self._pause_seconds)
        finally:
            self._running.release()
        return not _stopping.is_set()
