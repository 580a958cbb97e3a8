"""Sends text messages to carriers."""

import logging

from celery import shared_task

from dialer.messages import messages
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)

BATCH = 10
"""Most messages that one worker claims, and so the most that a killed worker leaves in doubt."""


@shared_task(name="dialer.send_messages")
def send_messages() -> None:
    """Send due messages; starts a successor if there are more."""
    lost = messages.give_up_on_lost(now=database_now())
    sent = messages.send_due(limit=BATCH, now=database_now())
    if sent == BATCH:
        send_messages.delay()
    if sent or lost:
        log.info("messages.sent count=%d lost=%d", sent, lost)
