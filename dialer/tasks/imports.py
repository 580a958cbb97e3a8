"""Reads imports, in a queue apart from those of calls and deliveries."""

import logging
import time
from uuid import UUID

from celery import shared_task

from dialer.campaigns import imports
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

TURN_SECONDS = 10
"""How long one task reads a file before others have their turn, so that large files do not block the workers."""


@shared_task(name="dialer.import_contacts")
def import_contacts(import_id: str) -> None:
    """Continue an import for one turn, then queue the next; a repeated message does no harm."""
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
    """Publish imports again whose message was lost or whose worker was killed."""
    for import_id in imports.resume_open(now=database_now()):
        import_contacts.delay(str(import_id))
