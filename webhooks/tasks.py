"""Celery tasks of webhooks: the loop that sends due deliveries, and the sweeps."""

import logging
import threading
import time
from uuid import UUID

from celery import shared_task
from django.conf import settings

from dialer.workspaces.clock import database_now
from dialer.workspaces.draining import Drain
from webhooks import endpoint_health, endpoints, retention
from webhooks import replay as replays
from webhooks.models import BOUNDS
from webhooks.rules.lanes import Lane
from webhooks.sender import PAUSE_SECONDS, Sender
from webhooks.transport import Transport

log = logging.getLogger(__name__)

SWEEP = 1_000
FORGET = 10_000
REPLAY_TURN_SECONDS = 10
FINISH_SECONDS = BOUNDS["timeout_seconds"][-1] + 5


class _OfThread(threading.local):
    """The sender of a thread, whose connections stay open from one loop to the next."""

    sender: Sender | None = None


_own = _OfThread()
_turns = dict.fromkeys(Lane, UUID(int=0))
"""Whose turn is next: the senders of this process, one after the other, go on where the last one ended."""


def _step() -> int:
    if _own.sender is None:
        transport = Transport(
            allowed_networks=settings.WEBHOOK_ALLOWED_NETWORKS,
            dns_servers=settings.WEBHOOK_DNS_SERVERS,
            ca_file=settings.WEBHOOK_CA_FILE,
        )
        _own.sender = Sender(transport, clock=database_now, turns=_turns)
    return _own.sender.step()


_drain = Drain(_step, pause_seconds=PAUSE_SECONDS)


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> None:
    """Send due deliveries for a while; one thread per process claims, the next takes over before its last answer."""
    try:
        if _drain.run():
            deliver_due.apply_async()
        if _own.sender is not None:
            _own.sender.finish(within_seconds=FINISH_SECONDS)
    except BaseException:
        if _own.sender is not None:  # its requests are due again when their leases end
            _own.sender.close()
            _own.sender = None
        raise


@shared_task(name="webhooks.suppress_unheard")
def suppress_unheard() -> None:
    """Settle pending deliveries of endpoints that are switched off."""
    suppressed = endpoints.suppress_unheard(now=database_now(), limit=SWEEP)
    if suppressed:
        log.info("webhooks.suppressed deliveries=%d", suppressed)


@shared_task(name="webhooks.mind_endpoints")
def mind_endpoints() -> None:
    """Resend missed deliveries to endpoints that answer again, and switch off those that have failed for days."""
    now = database_now()
    recovered = endpoint_health.recover(now=now, limit=SWEEP)
    disabled = endpoint_health.disable_hopeless(now=now, limit=SWEEP)
    if recovered or disabled:
        log.info("webhooks.minded recovered=%d disabled=%s", len(recovered), ",".join(map(str, disabled)) or "none")


@shared_task(name="webhooks.replay")
def replay() -> None:
    """Run the open replays in turn, one batch of each at a time; the next message does the rest."""
    began = time.monotonic()
    going, batches = replays.running(), 0
    while going and time.monotonic() - began < REPLAY_TURN_SECONDS:
        going = [each for each in going if replays.run_batch(each, now=database_now()) is replays.Turn.MORE]
        batches += 1
    if batches:
        log.info("webhooks.replayed rounds=%d left=%d", batches, len(going))


@shared_task(name="webhooks.retain")
def retain() -> None:
    """Create partitions for the attempts of the next days, and delete what is older than the retention period."""
    now = database_now()
    days = retention.keep_days(now=now)
    deliveries = retention.forget_deliveries(now=now, limit=FORGET) + retention.forget_early(now=now, limit=FORGET)
    events = retention.forget_events(now=now, limit=FORGET)
    if days.made or days.dropped or deliveries or events:
        log.info(
            "webhooks.retained made=%d dropped=%d deliveries=%d events=%d",
            len(days.made),
            len(days.dropped),
            deliveries,
            events,
        )
