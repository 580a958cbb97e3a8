"""The simulated voice agent: sends the callee's wishes and the analysis of the talk to Ringback's API.

If the API refuses or cannot be reached, the carrier goes on; each kind of answer is logged once.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from dialer.carriers.simulation.http import post

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
WAITS: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try: Ringback may not have applied the preceding report yet."""
LATER: Final = frozenset({404, 409, 425, 429})


class Agent:
    """Uses one API with one key; without both it is silent."""

    def __init__(self, api_url: str, api_key: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._api_key = api_key
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._said: set[tuple[str, str]] = set()

    def ask_for_callback(self, call: str, *, at: datetime) -> None:
        """Send the wish for a callback; ``call`` is the public id of the call, here and below."""
        body = {"scheduled_at": at.isoformat(), "notes": "Asked to be called back at a better time."}
        self._start(call, "request-callback", body)

    def ask_not_to_be_called(self, call: str) -> None:
        self._start(call, "request-dnc", {})

    def can_speak_for(self, call: str) -> bool:
        return bool(self._api_url and self._api_key and call)

    def tell_recording(self, call: str, *, transcript: str, recording_url: str) -> None:
        self._start(call, "recording", {"transcript": transcript, "recording_url": recording_url})

    def tell_analysis(self, call: str, *, asked: str | None) -> None:
        """Send the analysis of an answered call; ``asked`` is what the callee asked for during it."""
        summary, outcome_id, score = {
            "callback": ("The contact had no time and asked to be called back.", "callback_requested", 50),
            "dnc": ("The contact asked not to be called again.", "do_not_call", 0),
        }.get(asked or "", ("The contact listened and is interested.", "interested", 80))
        body = {
            "summary": summary,
            "outcome_id": outcome_id,
            "score": score,
            "structured_data": {"interested": asked is None},
            "flow_completed": asked is None,
        }
        self._start(call, "analysis", body)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, call: str, verb: str, body: Mapping[str, object]) -> None:
        if not self.can_speak_for(call):
            return
        task = asyncio.ensure_future(self._tell(call, verb, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, call: str, verb: str, body: Mapping[str, object]) -> None:
        url = f"{self._api_url}/calls/{call}/{verb}/"
        content = json.dumps(body).encode()
        # One key per effect, the same after a restart: a request that arrived without an answer is not done twice.
        headers = {"Authorization": f"Bearer {self._api_key}", "Idempotency-Key": f"simulated-carrier:{call}:{verb}"}
        problem = ""
        for wait in (0.0, *WAITS):
            await asyncio.sleep(wait)
            async with self._free:
                problem, may_change = await _attempt(url, headers, content)
            if not may_change:
                break
        if problem and (verb, problem) not in self._said:
            self._said.add((verb, problem))
            log.warning("carrier.agent_refused verb=%s call=%s problem=%s", verb, call, problem)


async def _attempt(url: str, headers: Mapping[str, str], content: bytes) -> tuple[str, bool]:
    """Return the problem, empty if there is none, and whether another try may succeed."""
    try:
        status = await post(url, headers, content)
    except OSError as error:
        return type(error).__name__, True
    match status // 100:
        case 2:
            return "", False
        case 5:
            return f"HTTP {status}", True
        case _:
            return f"HTTP {status}", status in LATER
