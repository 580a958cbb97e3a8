"""The way of a call through the workers: claim, place, apply reports, look up calls without reports."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from celery import current_app, shared_task

from dialer.calls import call_states
from dialer.dialing import carrier_reports, claim, completion, hanging_up, placing, reconciliation
from dialer.dialing.claim import Dispatched
from dialer.dialing.placing import Claim
from dialer.rules.statuses import Rank
from dialer.workspaces.clock import database_now
from dialer.workspaces.draining import Drain

log = logging.getLogger(__name__)

SLOT = timedelta(milliseconds=25)
"""Calls that start within one slot share a message, which delays a call by at most one slot."""
BATCH = 25
"""Calls in one message while it is calm; a killed worker leaves at most so many open."""
BATCH_OF_BACKLOG = 100
"""Calls in one message where many start at once: each call's share of every statement is smaller."""
BACKLOG = 200
"""So many calls in one slot are a backlog; below, small batches keep more workers busy and calls less late."""
CLAIM = 500
TICK_SECONDS = 0.8
"""How long a tick goes on claiming while there is more; the next tick follows a second later."""
REPORTS = 200
REPORTS_PAUSE_SECONDS = 0.05
"""The pause between two batches of reports, unless there are more: reports that gather share a transaction."""


@shared_task(name="dialer.tick")
def tick() -> None:
    """Claim due calls and publish them; release expired leases and decide undecided calls."""
    now = database_now()
    began = time.monotonic()
    expired = call_states.release_expired(limit=5_000, now=now)
    undecided = completion.decide_undecided(limit=100, now=now)
    claimed = 0
    while True:
        batch = claim.claim_due(limit=CLAIM, now=now)
        publish(batch, now=now, began=began)
        claimed += len(batch)
        # A claim may return fewer than its limit although there is more, since it splits the limit among campaigns.
        if not batch or time.monotonic() - began > TICK_SECONDS:
            break
    if claimed or expired or undecided:
        log.info("tick claimed=%d expired=%d undecided=%d", claimed, expired, undecided)


@shared_task(name="dialer.place_calls")
def place_calls(batch: Sequence[tuple[str, int]]) -> None:
    """Place a batch of ``(call id, generation)``; a repeated or late message finds other generations."""
    claims = [Claim(call_id=UUID(call_id), generation=generation) for call_id, generation in batch]
    counts = placing.place(claims, now=database_now())
    log.info("calls.placed %s", " ".join(f"{name}={count}" for name, count in counts.items()))


def _apply_some() -> int:
    return carrier_reports.apply_stored(limit=REPORTS, now=database_now())


_reports = Drain(_apply_some, pause_seconds=REPORTS_PAUSE_SECONDS, batch=REPORTS)


@shared_task(name="dialer.apply_carrier_events")
def apply_carrier_events() -> None:
    """Apply carrier reports as they come, for half a minute, then start a successor."""
    if _reports.run():
        apply_carrier_events.delay()


@shared_task(name="dialer.hang_up")
def hang_up() -> None:
    """Ask carriers to hang up on calls that were cancelled; the next check does it if this message is lost."""
    asked = hanging_up.ask_due(limit=50, now=database_now())
    if asked:
        log.info("calls.hung_up count=%d", asked)


@shared_task(name="dialer.check_open_calls")
def check_open_calls() -> None:
    """Hang up on cancelled calls, and look up live calls without recent reports."""
    hang_up()
    checked = reconciliation.check_due(limit=50, now=database_now())
    if checked:
        log.info("calls.looked_up count=%d", checked)


def publish(dispatched: Iterable[Dispatched], *, now: datetime, began: float) -> None:
    """Send claimed calls to the workers, one message per slot, with a countdown to it.

    ``began`` is the value of ``time.monotonic()`` at ``now``: claiming and publishing take time, and a countdown starts
    when the message is sent.

    No call is lost if a message is not sent: its lease runs out and the next tick claims it again.
    """
    with current_app.producer_or_acquire() as producer:
        for start_at, batch in _slots(dispatched):
            message = ([(str(call.call_id), call.generation) for call in batch],)
            wait = (start_at - now).total_seconds() - (time.monotonic() - began)
            if wait > 0:
                place_calls.apply_async(args=message, countdown=wait, producer=producer)
            else:
                # Without a countdown, the message skips the worker's timer and goes straight to a thread.
                place_calls.apply_async(args=message, producer=producer)


def _slots(dispatched: Iterable[Dispatched]) -> Iterator[tuple[datetime, Sequence[Dispatched]]]:
    """Group calls into slots by their start; a message is due with its last call, so that no call is early.

    Messages of a backlog are due by rank within their slot, since workers take those of one instant in any order.
    """
    ordered = sorted(dispatched, key=lambda call: call.start_at)
    for _, slot in groupby(ordered, key=lambda call: int(call.start_at.timestamp() / SLOT.total_seconds())):
        calls = list(slot)
        if len(calls) < BACKLOG:
            yield from ((batch[-1].start_at, batch) for batch in _batches(calls, BATCH))
            continue
        for rank, same in groupby(sorted(calls, key=lambda call: call.rank), key=lambda call: call.rank):
            delay = rank * SLOT / len(Rank)
            yield from ((batch[-1].start_at + delay, batch) for batch in _batches(list(same), BATCH_OF_BACKLOG))


def _batches(calls: Sequence[Dispatched], size: int) -> Iterator[Sequence[Dispatched]]:
    return (calls[first : first + size] for first in range(0, len(calls), size))
