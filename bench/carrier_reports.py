"""Reports of a carrier over HTTP: how many calls a second end, and how long the carrier waits for its answer.

Calls are live; the carrier posts the end of each, signed as the simulated carrier signs, to the web server as the
Procfile starts it (two processes). Two workers apply the reports meanwhile: outcome, the next callback with its queued
call, and the events with a delivery to an endpoint, in one transaction. Reports per second count from the first post
until the last outcome is durable. Answers are timed at a steady rate, each from when its report was due. In one arm
every report is a request of its own, at most 16 under way; in the other the simulated carrier's reporter gathers
reports and sends up to 100 at once over four connections.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from bench import filling, http_load
from bench.figures import Figure, Size
from bench.fleet import DIAL_PROCESSES, fleet, http_settings
from bench.latencies import add_latencies, within
from bench.meters import Meter
from bench.rounds import Rounds, at_least
from bench.rows import a_campaign, callbacks_made
from bench.worker import app
from dialer.carriers.simulation.reporting import Reporter
from dialer.carriers.simulation.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from dialer.models import Campaign, CarrierEvent

RATE = 600
P99 = 30
_CONNECTIONS = 16
_PATH = "/carriers/simulated/"
_SINGLE, _GATHERED = "a report per request", "gathered reports"
_ENDED = "calls ended, all durable"


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("carrier_reports")
    calls, seconds = size.of(short=2_000, full=10_000), size.of(short=5, full=20)
    campaign = a_campaign()
    with (
        tempfile.TemporaryDirectory() as folder,
        fleet({"web": 1, "worker-dial": DIAL_PROCESSES}, **http_settings(Path(folder))) as running,
    ):
        port = int(running.environment["PORT"])
        _until_durable(campaign, 200, partial(_one_by_one, port))  # the first are slow
        for _ in range(size.rounds):
            for arm, send in ((_SINGLE, _one_by_one), (_GATHERED, _gathered)):
                meter = Meter(running.processes())
                _, took = _until_durable(campaign, calls, partial(send, port))
                rounds.add(arm, _ENDED, "1/s", calls / took)
                for kind, used in meter.read().items():
                    rounds.add(arm, f"CPU of a report, {kind}", "ms", 1000 * used / calls, better="lower")
            answers, took = _until_durable(campaign, RATE * seconds, partial(_one_by_one, port, rate=RATE))
            add_latencies(rounds, _SINGLE, f"answer at {RATE}/s", answers)
            rounds.add(_SINGLE, f"last outcome at {RATE}/s", "ms", 1000 * (took - seconds), better="lower")
    goals = {(arm, _ENDED): at_least(RATE) for arm in (_SINGLE, _GATHERED)}
    yield from rounds.figures({**goals, **within(_SINGLE, f"answer at {RATE}/s", p99=P99)})


def _until_durable(
    campaign: Campaign, count: int, send: Callable[[Sequence[UUID]], list[float]]
) -> tuple[list[float], float]:
    """Return what ``send`` returns, and the seconds from the first report to the last callback that follows."""
    ids = filling.live_calls(campaign, count)
    filling.analyse()
    before = callbacks_made()
    app.send_task("dialer.apply_carrier_events")  # as beat does every second; a loop that runs goes on
    began = time.perf_counter()
    answers = send(ids)
    while CarrierEvent.objects.filter(applied_at=None).exists():
        time.sleep(0.01)
    took = time.perf_counter() - began
    assert callbacks_made() == before + count, "a call ended without what follows"
    return answers, took


def _one_by_one(port: int, ids: Sequence[UUID], *, rate: float | None = None) -> list[float]:
    requests = [_signed([_report(id_)]) for id_ in ids]
    return http_load.send(port, requests, connections=_CONNECTIONS, rate=rate)


def _gathered(port: int, ids: Sequence[UUID]) -> list[float]:
    return asyncio.run(_through_reporter(f"http://127.0.0.1:{port}{_PATH}", ids))


async def _through_reporter(url: str, ids: Sequence[UUID]) -> list[float]:
    left, all_taken = len(ids), asyncio.Event()

    def taken() -> None:
        nonlocal left
        left -= 1
        if not left:
            all_taken.set()

    reporter = Reporter(url, settings.SIMULATED_CARRIER_SECRET)
    for id_ in ids:
        reporter.send(str(id_), _report(id_), taken)
    running = asyncio.create_task(reporter.run())
    await all_taken.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return []


def _report(call_id: UUID) -> dict[str, Any]:
    return {
        "kind": "ended",
        "event_id": f"bench-{call_id}",
        "call_id": str(call_id),
        "carrier_call_id": f"bench-{call_id}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "outcome": "no_answer",
        "ended_reason": "no_answer",
    }


def _signed(reports: Sequence[dict[str, Any]]) -> bytes:
    body, timestamp = json.dumps({"reports": reports}).encode(), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(settings.SIMULATED_CARRIER_SECRET, timestamp, body),
    }
    return http_load.request("POST", _PATH, headers, body)
