"""The shipped loop in a process of its own, as a worker runs it."""

import time
from multiprocessing.synchronize import Event as Signal

import django

django.setup()

from dialer.workspaces.clock import database_now  # noqa: E402 — Django is set up first
from tests.hostile.alone import ALLOWED, DEADLINE  # noqa: E402
from tests.hostile.server import Addresses  # noqa: E402
from webhooks.sender import PAUSE_SECONDS, Sender  # noqa: E402
from webhooks.transport import Transport  # noqa: E402


def send(addresses: Addresses, ready: Signal, stop: Signal) -> None:
    transport = Transport(allowed_networks=ALLOWED, dns_servers=[addresses.name_server], ca_file=addresses.ca_file)
    sender = Sender(transport, clock=database_now)
    database_now()
    ready.set()
    while not stop.is_set():
        if not sender.step():
            time.sleep(PAUSE_SECONDS)
    sender.finish(within_seconds=2 * DEADLINE)
    sender.close()
