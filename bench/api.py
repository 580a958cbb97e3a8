"""How long the API takes to answer: a call is created, the callback queue is listed, with many callbacks in it.

Requests come at a steady rate over kept connections, the two kinds in turn, to the web server as the Procfile starts
it; each is timed from when it was due. A call is created for a new contact, with an ``Idempotency-Key``; a list is
the first page of the pending callbacks.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from bench import filling, http_load
from bench.figures import Figure, Size
from bench.fleet import fleet, http_settings
from bench.latencies import add_latencies, within
from bench.meters import Meter
from bench.rounds import Rounds
from bench.rows import a_campaign
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now

RATE = 20
"""Requests per second, both kinds together."""
P95 = 50
_CONNECTIONS = 8
_CREATE, _LIST = "create a call", "list callbacks"


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("api")
    callbacks, seconds = size.of(short=10_000, full=100_000), size.of(short=10, full=30)
    campaign = a_campaign()
    filling.callbacks(campaign, callbacks)
    filling.analyse()
    _, key = api_keys.issue(
        workspace_id=campaign.workspace_id, name="Bench", scope="admin", actor=SYSTEM, now=database_now()
    )
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with tempfile.TemporaryDirectory() as folder, fleet({"web": 1}, **http_settings(Path(folder))) as running:
        port = int(running.environment["PORT"])
        http_load.send(port, list(_requests(headers, 100)), connections=_CONNECTIONS)  # the first are slow
        for _ in range(size.rounds):
            meter = Meter(running.processes())
            requests = list(_requests(headers, RATE * seconds))
            took = http_load.send(port, requests, connections=_CONNECTIONS, rate=RATE)
            add_latencies(rounds, _CREATE, "answer", took[::2])
            add_latencies(rounds, _LIST, "answer", took[1::2])
            for kind, used in meter.read().items():
                rounds.add("both in turn", f"CPU of a request, {kind}", "ms", 1000 * used / len(took), better="lower")
    for arm in (_CREATE, _LIST):
        rounds.note(arm, f"{callbacks:,} callbacks pending, {RATE} requests a second")
    yield from rounds.figures({**within(_CREATE, "answer", p95=P95), **within(_LIST, "answer", p95=P95)})


def _requests(headers: dict[str, str], count: int) -> Iterator[bytes]:
    for number in range(count):
        if number % 2:
            yield http_load.request("GET", "/api/v1/callbacks/?status=pending", headers)
        else:
            body = {"contact": {"name": "Bench", "phone": f"+4930{uuid4().int % 10**8:08}"}}
            key = {"Idempotency-Key": str(uuid4())}
            yield http_load.request("POST", "/api/v1/calls/", headers | key, http_load.in_json(body))
