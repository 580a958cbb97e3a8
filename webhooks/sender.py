"""The sender loop: claim, post in parallel, settle in groups.

Slots come in two lanes: one for endpoints that answer promptly, one for slow and unknown endpoints. A request that
takes long moves to the slow lane, whatever its endpoint. So however many receivers hang, prompt ones get a slot within
a second, and usually at once.

No transaction is open and no row is locked while a request is under way. The process uses one database connection,
every few milliseconds; requests in flight hold none.
"""

import logging
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from webhooks import batches, delivery
from webhooks.delivery import Claimed
from webhooks.rules.lanes import SLOW_MS, Lane
from webhooks.settling import Sent, settle
from webhooks.transport import Answer, Transport

log = logging.getLogger(__name__)

SLOTS: Mapping[Lane, int] = {Lane.FAST: 256, Lane.SLOW: 256}
"""Parallel requests of one loop, by lane."""
MOST_SLOTS = 768
"""All requests of one loop, however many long ones of the fast lane count in the slow lane."""
MOST_AT_ONCE: Mapping[Lane, int] = {Lane.FAST: 256, Lane.SLOW: 16}
"""Requests started at once; running requests and the fast lane are served in between."""
LOOK_SECONDS: Mapping[Lane, float] = {Lane.FAST: 0.01, Lane.SLOW: 0.05}
"""Pause between two claims while deliveries keep coming: the longest that a committed event waits for its claim."""
QUIET_LOOK_SECONDS: Mapping[Lane, float] = {Lane.FAST: 0.03, Lane.SLOW: 0.05}
"""The same after a second without any delivery."""
QUIET_AFTER_SECONDS = 1.0
PAUSE_SECONDS = 0.005
"""How long the caller of :meth:`Sender.step` pauses when there was nothing to do."""
FREEZE_SECONDS = 0.2
"""Pause between two checks for batches that are full or have waited long enough."""
GROUP_SECONDS = 0.02
"""How long an answer waits to be settled together with others."""
GROUP = 200
BACKLOG_GROUP_SECONDS = 0.05
"""The same while there is a backlog: larger groups cost less, and the next deliveries are late anyway."""
BACKLOG_EACH = 8
"""How many deliveries of each prompt endpoint a claim takes while there is a backlog; others have the next turn."""
CLOCK_SECONDS = 0.25
"""How long PostgreSQL's time is extrapolated by this process's clock before it is read again."""
TROUBLE_SECONDS = 0.5
"""Pause after the database did not answer."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    started_at: datetime
    """By the database's clock, for the row."""
    began: float
    """By this process's, for the slot."""


class Sender:
    """Sends due deliveries through one transport; to be used by one thread."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Callable[[], datetime],
        slots: Mapping[Lane, int] = SLOTS,
        turns: MutableMapping[Lane, UUID] | None = None,
    ) -> None:
        """Prepare a sender; ``turns`` says whose turn is next, and passes from one sender to its successor."""
        self._transport = transport
        self._clock = clock
        self._slots = slots
        self._under_way: dict[Claimed, _UnderWay] = {}
        self._sent: list[Sent] = []
        self._look_at = dict.fromkeys(Lane, 0.0)
        self._turns = dict.fromkeys(Lane, UUID(int=0)) if turns is None else turns
        self._has_backlog = dict.fromkeys(Lane, False)
        self._found_at = dict.fromkeys(Lane, -math.inf)
        self._freeze_at = 0.0
        self._settle_at = 0.0
        self._time = datetime.min.replace(tzinfo=UTC)
        self._asked_at = -math.inf

    @property
    def is_idle(self) -> bool:
        return not self._under_way and not self._sent

    def step(self) -> int:
        """Run one round: transfer, settle, freeze batches and claim what is due; return the amount of work found."""
        claimed = self._ask_database(self._freeze) if time.monotonic() >= self._freeze_at else 0
        for lane in Lane:
            if time.monotonic() >= self._look_at[lane]:
                claimed += self._ask_database(lambda lane=lane: self._claim(lane))  # type: ignore[misc]
        return claimed + self._move_on()

    def finish(self, *, within_seconds: float) -> None:
        """Wait for running requests and settle them, without claiming more.

        A delivery that is not settled in time is sent again when its lease ends, under the same ids.
        """
        until = time.monotonic() + within_seconds
        while not self.is_idle and time.monotonic() < until:
            if not self._move_on():
                time.sleep(PAUSE_SECONDS)
        if not self.is_idle:
            log.warning("webhooks.left_to_leases deliveries=%d", len(self._under_way) + len(self._sent))

    def close(self) -> None:
        self._transport.close()

    def _move_on(self) -> int:
        if self._under_way:
            for answer in self._transport.run(LOOK_SECONDS[Lane.FAST]):
                self._note(answer)
        done = 0
        if self._sent and self._is_time_to_settle():
            done = self._ask_database(self._settle)
        return done + len(self._under_way)

    def _is_time_to_settle(self) -> bool:
        now = time.monotonic()
        wait = BACKLOG_GROUP_SECONDS if self._has_backlog[Lane.FAST] else GROUP_SECONDS
        return now >= self._settle_at and (
            len(self._sent) >= GROUP or not self._under_way or now >= self._settle_at + wait
        )

    def _freeze(self) -> int:
        frozen = batches.freeze_due(now=self._now())
        self._freeze_at = time.monotonic() + (0 if frozen else FREEZE_SECONDS)
        return frozen

    def _claim(self, lane: Lane) -> int:
        taken = self._taken()
        free = min(self._slots[lane] - taken[lane], MOST_SLOTS - taken.total(), MOST_AT_ONCE[lane])
        if free <= 0:
            return 0
        now = self._now()
        # The slow lane never takes several of each while others wait: a receiver that hangs keeps all that it is given.
        is_deep = self._has_backlog[lane] and lane is Lane.FAST
        most_endpoints = max(1, free // BACKLOG_EACH) if is_deep else delivery.MOST_ENDPOINTS
        limit = min(free, most_endpoints * BACKLOG_EACH) if is_deep else free
        claimed = delivery.claim_due(
            limit=limit, most_endpoints=most_endpoints, lane=lane, after=self._turns[lane], now=now
        )
        self._plan_next_look(lane, claimed, free)
        for each in claimed:
            self._under_way[each] = _UnderWay(now, time.monotonic())
            request = delivery.prepare(each, now=now)
            if isinstance(request, Answer):
                self._note(request)
            else:
                self._transport.start(request)
        return len(claimed)

    def _plan_next_look(self, lane: Lane, claimed: Sequence[Claimed], free: int) -> None:
        """Note whose turn it is next, whether there is a backlog, and when to claim again."""
        now = time.monotonic()
        if claimed:
            self._turns[lane], self._found_at[lane] = claimed[-1].receiver.id, now
        # A claim that fills most of the free slots means that more is due: claim again as soon as slots are free.
        self._has_backlog[lane] = len(claimed) > free // 2
        is_quiet = now > self._found_at[lane] + QUIET_AFTER_SECONDS
        pause = QUIET_LOOK_SECONDS[lane] if is_quiet else LOOK_SECONDS[lane]
        self._look_at[lane] = now if self._has_backlog[lane] else now + pause

    def _taken(self) -> Counter[Lane]:
        """Count the slots in use by lane; long requests count in the slow lane."""
        long_ago = time.monotonic() - SLOW_MS / 1000
        taken = Counter(
            Lane.SLOW if under_way.began < long_ago else claimed.receiver.lane
            for claimed, under_way in self._under_way.items()
        )
        taken.update(sent.claimed.receiver.lane for sent in self._sent)
        return taken

    def _now(self) -> datetime:
        """Return PostgreSQL's time, extrapolated: reading it every round would be a third of all statements."""
        if time.monotonic() - self._asked_at > CLOCK_SECONDS:
            self._time, self._asked_at = self._clock(), time.monotonic()
        return self._time + timedelta(seconds=time.monotonic() - self._asked_at)

    def _note(self, answer: Answer) -> None:
        claimed: Claimed = answer.key
        if not self._sent:
            self._settle_at = max(self._settle_at, time.monotonic())
        self._sent.append(
            Sent(
                claimed=claimed,
                started_at=self._under_way.pop(claimed).started_at,
                answer=answer,
                dice=random.random(),  # noqa: S311 — jitter is no secret
            )
        )

    def _settle(self) -> int:
        group = self._sent[:GROUP]
        settled = settle(group, now=self._now())
        del self._sent[: len(group)]
        log.info("webhooks.settled %s", " ".join(f"{status}={number}" for status, number in sorted(settled.items())))
        return len(group)

    def _ask_database(self, work: Callable[[], int]) -> int:
        """Do ``work``; if the database does not answer, change nothing and pause before the next attempt."""
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            log.warning("webhooks.database_trouble error=%s", str(error).strip().replace("\n", " ")[:200])
            connection.close()
            self._freeze_at = self._settle_at = time.monotonic() + TROUBLE_SECONDS
            self._look_at = dict.fromkeys(Lane, self._settle_at)
            return 0
