"""Periodic work for campaigns: schedules first calls, completes and pauses campaigns."""

import logging

from celery import shared_task

from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import lifecycle
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)


@shared_task(name="dialer.sweep_campaigns")
def sweep_campaigns() -> None:
    """Schedule first calls, and complete, pause and wind down campaigns that are due."""
    now = database_now()
    counts = {"failed": lifecycle.fail_unusable(now=now), **campaign_completion.sweep(now=now)}
    if any(counts.values()):
        log.info("campaigns.swept %s", " ".join(f"{name}={count}" for name, count in counts.items()))
