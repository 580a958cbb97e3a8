"""Deletes data that is kept for a limited time."""

import logging

from celery import shared_task

from dialer.sign_in import sessions
from dialer.workspaces import idempotency
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

_BATCH = 10_000


@shared_task(name="dialer.forget_answers")
def forget_answers() -> None:
    """Delete answers kept under an ``Idempotency-Key`` that are older than a day."""
    count = idempotency.forget(limit=_BATCH, now=database_now())
    if count:
        log.info("idempotency.forgotten count=%s", count)


@shared_task(name="dialer.forget_sessions")
def forget_sessions() -> None:
    """Delete sessions that have expired, with the addresses in them."""
    count = sessions.forget(limit=_BATCH, now=database_now())
    if count:
        log.info("sessions.forgotten count=%s", count)
