"""A task that works rows off for half a minute, run in a thread as a worker runs it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from dialer.workspaces import draining


@pytest.fixture
def stoppable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let loops of this test be stopped, and those of later ones run."""
    monkeypatch.setattr(draining, "_stopping", threading.Event())


@contextmanager
def at_work(task: Callable[..., object]) -> Iterator[threading.Thread]:
    """Run a task (``some_task.apply``) until the block ends; then stop it as a worker that shuts down stops it."""

    def work() -> None:
        try:
            task(throw=True)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        draining.stop_all()
        thread.join(30)
    assert not thread.is_alive()
