"""What campaigns need in time: first calls scheduled, ends noticed."""

import logging

from celery import shared_task

from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import lifecycle
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)


@shared_task(name="dialer.sweep_campaigns")
def sweep_campaigns() -> None:
    """Complete, pause and wind down what has come to its time."""
    now = database_now()
    counts = {"failed": lifecycle.fail_unusable(now=now), **campaign_completion.sweep(now=now)}
    if any(counts.values()):
        log.info("campaigns.swept %s", " ".join(f"{name}={count}" for name, count in counts.items()))
