"""Deletes and erases what is not kept any longer."""

import logging
import time

from celery import shared_task

from dialer.retention import ages, erasure, purging
from dialer.sign_in import sessions
from dialer.workspaces import idempotency
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

_BATCH = 10_000
_TALKS = 1_000
_TURN_SECONDS = 10


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


@shared_task(name="dialer.retain")
def retain() -> None:
    """Delete imports and erase talks that are older than their workspace keeps them."""
    now = database_now()
    imports, talks = ages.delete_imports(limit=_BATCH, now=now), ages.erase_talks(limit=_TALKS, now=now)
    if imports or talks:
        log.info("dialer.retained imports=%d talks=%d", imports, talks)


@shared_task(name="dialer.purge_workspaces")
def purge_workspaces() -> None:
    """Delete rows of workspaces that were closed 30 days ago, for a while; the next message does the rest."""
    began, batches = time.monotonic(), 0
    while time.monotonic() - began < _TURN_SECONDS and purging.purge_next(now=database_now()):
        batches += 1
    if batches:
        log.info("workspaces.purged batches=%d", batches)


@shared_task(name="dialer.erase_contacts")
def erase_contacts() -> None:
    """Erase what the rest of the database tells of deleted contacts."""
    steps = erasure.run_due(now=database_now())
    if steps:
        log.info("contacts.erased steps=%d", steps)
