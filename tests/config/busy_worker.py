"""Ringback's Celery app with a task that takes a moment: what a worker under load is measured with."""

import time

from config.celery import app

__all__ = ["app"]


@app.task(name="tests.take_a_moment")
def take_a_moment() -> None:
    time.sleep(0.02)
