"""The loop that keeps deliveries moving: claim, post side by side, settle in groups.

No transaction is open and no row is locked while a request is under way. The process holds one database connection
between its looks, which come every few milliseconds; what is in flight holds none.
"""

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection

from webhooks import delivery
from webhooks.delivery import Claimed, Sent
from webhooks.transport import Answer, Transport

log = logging.getLogger(__name__)

SLOTS = 128
"""Requests side by side in one loop."""
LOOK_SECONDS = 0.02
"""Between two claims while there is work: about how long a committed event waits to be seen."""
GROUP_SECONDS = 0.02
"""How long an answer waits for others to be settled with."""
GROUP = 200
TROUBLE_SECONDS = 0.5
"""How long the database is left alone when it did not answer."""


class Sender:
    """Sends what is due through one transport; for one thread."""

    def __init__(self, transport: Transport, *, clock: Callable[[], datetime], slots: int = SLOTS) -> None:
        self._transport = transport
        self._clock = clock
        self._slots = slots
        self._under_way: dict[Claimed, datetime] = {}
        self._sent: list[Sent] = []
        self._look_at = 0.0
        self._settle_at = 0.0

    @property
    def is_idle(self) -> bool:
        return not self._under_way and not self._sent

    def step(self) -> int:
        """Move everything on a little, claiming if it is time; return how much there is or was to do."""
        claimed = self._ask_database(self._claim) if time.monotonic() >= self._look_at else 0
        return claimed + self._move_on()

    def finish(self, *, within_seconds: float) -> None:
        """Wait for what is under way and settle it, claiming nothing more.

        What cannot be settled in time is left to its lease: it is sent again, under the same ids.
        """
        until = time.monotonic() + within_seconds
        while not self.is_idle and time.monotonic() < until:
            if not self._move_on():
                time.sleep(LOOK_SECONDS)
        if not self.is_idle:
            log.warning("webhooks.left_to_leases deliveries=%d", len(self._under_way) + len(self._sent))

    def close(self) -> None:
        self._transport.close()

    def _move_on(self) -> int:
        if self._under_way:
            for answer in self._transport.run(LOOK_SECONDS):
                self._note(answer)
        done = 0
        if self._sent and self._is_time_to_settle():
            done = self._ask_database(self._settle)
        return done + len(self._under_way)

    def _is_time_to_settle(self) -> bool:
        now = time.monotonic()
        return now >= self._settle_at and (
            len(self._sent) >= GROUP or not self._under_way or now >= self._settle_at + GROUP_SECONDS
        )

    def _claim(self) -> int:
        free = self._slots - len(self._under_way) - len(self._sent)
        if free <= 0:
            return 0
        now = self._clock()
        claimed = delivery.claim_due(limit=free, now=now)
        # When all that was asked for came there is more: look again as soon as there is room.
        self._look_at = time.monotonic() + (0 if len(claimed) == free else LOOK_SECONDS)
        for each in claimed:
            self._under_way[each] = now
            request = delivery.prepare(each, now=now)
            if isinstance(request, Answer):
                self._note(request)
            else:
                self._transport.start(request)
        return len(claimed)

    def _note(self, answer: Answer) -> None:
        claimed: Claimed = answer.key
        if not self._sent:
            self._settle_at = max(self._settle_at, time.monotonic())
        self._sent.append(
            Sent(
                claimed=claimed,
                started_at=self._under_way.pop(claimed),
                answer=answer,
                dice=random.random(),  # noqa: S311 — jitter is no secret
            )
        )

    def _settle(self) -> int:
        group = self._sent[:GROUP]
        settled = delivery.settle(group, now=self._clock())
        del self._sent[: len(group)]
        self._look_at = 0.0  # there is room again
        log.info("webhooks.settled %s", " ".join(f"{status}={number}" for status, number in sorted(settled.items())))
        return len(group)

    def _ask_database(self, work: Callable[[], int]) -> int:
        """Do ``work``, or leave everything as it is and the database alone for a moment where it does not answer."""
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            log.warning("webhooks.database_trouble error=%s", str(error).strip().replace("\n", " ")[:200])
            connection.close()
            self._look_at = self._settle_at = time.monotonic() + TROUBLE_SECONDS
            return 0
