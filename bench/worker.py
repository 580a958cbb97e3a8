"""Ringback's Celery app with one task more: the bare one that the engine is compared with."""

from django.conf import settings
from redis import Redis

from config.celery import app

__all__ = ["app"]

app.conf.task_routes = {**app.conf.task_routes, "bench.*": {"queue": "dial"}}


@app.task(name="bench.nothing")
def nothing(number: int) -> None:
    """Do nothing: what is left is Celery."""


@app.task(name="bench.last")
def last(key: str) -> None:
    """Say that everything published before was taken."""
    Redis.from_url(settings.BROKER_URL).incr(key)
