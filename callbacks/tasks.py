"""Celery tasks of the callback queue: each reads the clock and calls one function."""

import logging
import time
from uuid import UUID

from celery import shared_task
from django.db import transaction

from callbacks import bulk, deadlines
from callbacks.models import BulkAction
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

BATCH = 500
"""Deadlines handled in one transaction."""
TURN_SECONDS = 5
"""How long one run of the deadline sweeps may take; the next run finds the rest."""
BULK_TURN_SECONDS = 10
"""How long one message works on a bulk job before it makes room for other jobs."""


@shared_task(name="callbacks.keep_deadlines")
def keep_deadlines() -> None:
    """Report late promises, and expire retries that are far too late."""
    now = database_now()
    began = time.monotonic()
    late = expired = 0
    while True:
        told = len(deadlines.tell_late(limit=BATCH, now=now))
        given_up = len(deadlines.expire(limit=BATCH, now=now))
        late, expired = late + told, expired + given_up
        if max(told, given_up) < BATCH or time.monotonic() - began > TURN_SECONDS:
            break
    if late or expired:
        log.info("deadlines.kept late=%d expired=%d", late, expired)


@shared_task(name="callbacks.run_bulk")
def run_bulk(bulk_id: str) -> None:
    """Work on a bulk action for one turn, then publish the next; a repeated message does no harm."""
    began = time.monotonic()
    batches = 1
    while has_more := bulk.run_batch(UUID(bulk_id), now=database_now()):
        if time.monotonic() - began > BULK_TURN_SECONDS:
            break
        batches += 1
    log.info("bulk.run bulk=%s batches=%d", bulk_id, batches)
    if has_more:
        run_bulk.delay(bulk_id)


def run_bulk_soon(job: BulkAction) -> None:
    """Publish the message of a new job after the commit; if it is lost, the sweep finds the row."""
    transaction.on_commit(lambda: run_bulk.delay(str(job.pk)), robust=True)


@shared_task(name="callbacks.resume_bulks")
def resume_bulks() -> None:
    """Publish messages for bulk actions whose message was lost or whose worker was killed."""
    for bulk_id in bulk.resume_open(now=database_now()):
        run_bulk.delay(str(bulk_id))
