"""Text messages on their way to carriers."""

import logging

from celery import shared_task

from dialer.messages import messages
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

BATCH = 10
"""Messages that one worker has in hand: what a killed one leaves in doubt at most."""


@shared_task(name="dialer.send_messages")
def send_messages() -> None:
    """Send what is due; where more waits, a successor goes on."""
    lost = messages.give_up_on_lost(now=database_now())
    sent = messages.send_due(limit=BATCH, now=database_now())
    if sent == BATCH:
        send_messages.delay()
    if sent or lost:
        log.info("messages.sent count=%d lost=%d", sent, lost)
