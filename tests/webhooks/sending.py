"""The loop that sends, stepped by hand."""

import time
from collections.abc import Callable
from datetime import datetime

from dialer.workspaces.clock import database_now
from webhooks.models import Delivery
from webhooks.sender import Sender
from webhooks.transport import Transport


def make_sender(clock: Callable[[], datetime] = database_now) -> Sender:
    return Sender(Transport(allowed_networks=["127.0.0.0/8"]), clock=clock)


def run_until(sender: Sender, is_done: Callable[[], bool], *, within_seconds: float = 10) -> None:
    until = time.monotonic() + within_seconds
    while not is_done():
        assert time.monotonic() < until, "it does not come to that"
        go_on(sender)


def go_on(sender: Sender, *, seconds: float = 0) -> None:
    """Step for a while, once at least, pausing as the drain does."""
    until = time.monotonic() + seconds
    while True:
        if not sender.step():
            time.sleep(0.005)
        if time.monotonic() >= until:
            return


def nothing_pending() -> bool:
    return not Delivery.objects.filter(status="pending").exists()
