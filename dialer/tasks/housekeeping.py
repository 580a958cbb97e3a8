"""Deletes and erases what is not kept any longer."""

import logging

from celery import shared_task

from dialer.retention import erasure
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


@shared_task(name="dialer.erase_contacts")
def erase_contacts() -> None:
    """Erase what the rest of the database tells of deleted contacts."""
    steps = erasure.run_due(now=database_now())
    if steps:
        log.info("contacts.erased steps=%d", steps)
