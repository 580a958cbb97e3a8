"""Threads that do something side by side."""

import threading
from collections.abc import Callable

from django.db import connection


class Crew:
    """Threads with database connections of their own; what they raise is raised by ``join``."""

    def __init__(self, *works: Callable[[], object]) -> None:
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in self._threads:
            thread.start()

    def join(self, *, within_seconds: float = 60) -> None:
        for thread in self._threads:
            thread.join(within_seconds)
            assert not thread.is_alive(), "it waits for something"
        if self._errors:
            raise self._errors[0]

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 — handed to join
            self._errors.append(error)
        finally:
            connection.close()
