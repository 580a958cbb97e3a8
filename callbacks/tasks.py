"""Celery tasks of the callback queue: each reads the clock and calls one function."""

import logging

from celery import shared_task

from callbacks import deadlines
from dialer.workspaces.clock import database_now

log = logging.getLogger(__name__)


@shared_task(name="callbacks.keep_deadlines")
def keep_deadlines() -> None:
    """Tell promises that are late, give up retries that are far too late."""
    now = database_now()
    late, expired = deadlines.tell_late(now=now), deadlines.expire(now=now)
    if late or expired:
        log.info("deadlines.kept late=%d expired=%d", len(late), len(expired))
