"""Reading imports, away from the queues that calls and deliveries wait in."""

import logging
import time
from uuid import UUID

from celery import shared_task

from dialer.campaigns import imports
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

TURN_SECONDS = 10
"""Files of any size share the workers: each is read for so long, then waits for its next turn."""


@shared_task(name="dialer.import_contacts")
def import_contacts(import_id: str) -> None:
    """Read an import on, then make room for what else waits; a repeated message finds nothing left to do."""
    began = time.monotonic()
    batches = 1
    while has_more := imports.read_batch(UUID(import_id), now=database_now()):
        if time.monotonic() - began > TURN_SECONDS:
            break
        batches += 1
    log.info("import.read import=%s batches=%d", import_id, batches)
    if has_more:
        import_contacts.delay(import_id)


@shared_task(name="dialer.resume_imports")
def resume_imports() -> None:
    """Nudge workers to imports whose message was lost or whose worker was killed."""
    for import_id in imports.resume_open(now=database_now()):
        import_contacts.delay(str(import_id))
