"""Sends signed reports until they are taken or the patience runs out.

Reports of a call keep their order because each call has its lane, and a lane has one request under way; reports that
gather meanwhile go in one batch. A report that is given up or finds no room is lost, but a look-up still returns it.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from dialer.carriers.simulation.http import post
from dialer.carriers.simulation.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

log = logging.getLogger(__name__)

LANES: Final = 4
BATCH: Final = 100
GATHER: Final = 0.01
"""Seconds that a lane gathers reports before it sends them."""
FIRST_WAIT: Final = 0.2
LONGEST_WAIT: Final = 5.0
PATIENCE: Final = 120.0
"""Seconds after which a lane gives up a batch that is not taken, so that the next can go."""
ROOM: Final = 10_000
"""Reports that may wait in a lane; beyond that, the oldest is dropped."""


@dataclass(slots=True)
class _Lane:
    waiting: deque[tuple[Mapping[str, object], Callable[[], None] | None]] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    lost: int = 0  # dropped for want of room since the last log entry


class Reporter:
    """Sends reports to one address; without an address it drops them and calls ``then`` at once."""

    def __init__(self, url: str, secret: str, *, patience: float = PATIENCE, room: int = ROOM) -> None:
        self._url = url
        self._secret = secret
        self._patience = patience
        self._room = room
        self._lanes = [_Lane() for _ in range(LANES)]

    def send(self, call_id: str, report: Mapping[str, object], then: Callable[[], None] | None = None) -> None:
        """Queue a report; calls ``then`` when it has been taken, never if it is lost."""
        if not self._url:
            if then is not None:
                then()
            return
        lane = self._lanes[crc32(call_id.encode()) % LANES]
        if len(lane.waiting) >= self._room:
            lane.waiting.popleft()  # not the newest: the newest include the ends of calls
            lane.lost += 1
        lane.waiting.append((report, then))
        lane.wake.set()

    async def run(self) -> None:
        """Send queued reports until cancelled."""
        await asyncio.gather(*(self._serve(lane) for lane in self._lanes))

    async def _serve(self, lane: _Lane) -> None:
        while True:
            await lane.wake.wait()
            await asyncio.sleep(GATHER)
            batch = [lane.waiting.popleft() for _ in range(min(BATCH, len(lane.waiting)))]
            if not lane.waiting:
                lane.wake.clear()
            if lane.lost:
                log.error("carrier.reports_lost count=%s problem=no_room", lane.lost)
                lane.lost = 0
            if await self._deliver(json.dumps({"reports": [report for report, _ in batch]}).encode()):
                for _, then in batch:
                    if then is not None:
                        then()
            else:
                log.error("carrier.reports_lost count=%s problem=never_taken after=%.0fs", len(batch), self._patience)

    async def _deliver(self, body: bytes) -> bool:
        """Send, newly signed each time, until the answer is 2xx; returns whether it came within the patience."""
        give_up_at = time.monotonic() + self._patience
        wait = FIRST_WAIT
        while (problem := await self._attempt(body)) is not None:
            if time.monotonic() + wait > give_up_at:
                return False
            log.warning("carrier.report_not_taken problem=%s next_in=%.1fs", problem, wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        return True

    async def _attempt(self, body: bytes) -> str | None:
        timestamp = str(int(time.time()))
        headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature(self._secret, timestamp, body)}
        try:
            status = await post(self._url, headers, body)
        except OSError as error:
            return type(error).__name__
        return None if status // 100 == 2 else f"HTTP {status}"  # noqa: PLR2004 — the class of success
