"""The heartbeat task."""

from celery import shared_task

from config.watch import record_heartbeat


@shared_task(name="config.heartbeat")
def heartbeat(queue: str) -> None:
    record_heartbeat(queue)
