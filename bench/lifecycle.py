"""Whole dial lifecycles per second, beside bare Celery no-op tasks and beside the same work as a plain job.

A lifecycle is: waiting contact claimed, compare-and-set and commit, carrier asked, report stored and applied, and one
transaction for outcome, decision, the next callback with its queued call, and the events with the deliveries to a
signed endpoint (they wait: no process sends them here). The product's beat is the metronome, contact limits are on.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from bench import rows
from bench.figures import Figure, Size
from bench.fleet import CARRIER_IN_PROCESS, DIAL_PROCESSES, ENGINE, Fleet, fleet, http_settings
from bench.meters import Meter
from bench.peers.catalogue import PEERS, PLAIN_CELERY, Peer
from bench.peers.workers import running
from bench.rounds import Rounds, at_least, at_most, more_than
from bench.worker import app, last, nothing
from dialer.models import Campaign
from dialer.workspaces.ids import new_id

OURS = "ringback"
OVER_HTTP = "ringback, carrier over HTTP"
BARE = "bare Celery no-op task"
RATE, CPU = "rate", "CPU"
_WARM_UP = 500
_PATIENCE_SECONDS = 180
_RATIO, _CPU_RATIO = "rate ÷ bare task's", "CPU ÷ bare task's"
_OF_CELERY, _OF_DURABLE = "rate ÷ plain Celery ETA's", "rate ÷ fastest durable peer's"
_GOALS = {
    (OURS, _RATIO): at_least(3),
    (OURS, _CPU_RATIO): at_most(0.4),
    (OURS, _OF_CELERY): at_least(20),
    (OURS, _OF_DURABLE): more_than(1),
}


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one arm did in a round: units per second, and seconds of CPU for each."""

    rate: float
    cpu: float


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("lifecycle")
    campaign = rows.a_campaign()
    count = size.of(short=6_000, full=20_000)
    for _ in range(size.rounds):
        costs: dict[str, _Cost] = {}
        with rounds.arm(BARE):
            costs[BARE] = _bare(rounds, count)
        with rounds.arm(OURS), fleet(ENGINE, **CARRIER_IN_PROCESS) as processes:
            costs[OURS] = _ours(rounds, OURS, processes, campaign, count)
        with (
            rounds.arm(OVER_HTTP),
            tempfile.TemporaryDirectory() as folder,
            fleet({**ENGINE, "web": 1, "carrier": 1}, **http_settings(Path(folder))) as processes,
        ):
            costs[OVER_HTTP] = _ours(rounds, OVER_HTTP, processes, campaign, count // 2)
        for peer in PEERS:
            with rounds.arm(peer.name):
                costs[peer.name] = _peer(rounds, peer, count // 6)
        _compare(rounds, costs)
    yield from rounds.figures(_GOALS)


def _bare(rounds: Rounds, count: int) -> _Cost:
    """Publish no-op tasks from one process to workers that do nothing else; prefetching is on, Celery's default."""
    with fleet({"worker-dial": DIAL_PROCESSES}, worker_options=("--prefetch-multiplier=4",)) as processes:
        _no_ops(_WARM_UP)
        meter, used = Meter(processes.processes()), time.process_time()
        took = _no_ops(count)
        cpu = {**meter.read(), "publisher": time.process_time() - used}
        cost = _cost(rounds, BARE, count, took=took, cpu=cpu)
    rounds.note(BARE, f"{count:,} a round, published by one process; {DIAL_PROCESSES} workers, prefetch multiplier 4")
    return cost


def _no_ops(count: int) -> float:
    """Return the seconds from the first published to the last taken."""
    client = Redis.from_url(os.environ["BROKER_URL"])
    key = f"bench-last-{new_id()}"
    began = time.monotonic()
    with app.producer_or_acquire() as producer:
        for number in range(count):
            nothing.apply_async(args=(number,), producer=producer)
        last.apply_async(args=(key,), producer=producer)
    while not client.exists(key):
        time.sleep(0.005)
    return time.monotonic() - began


def _ours(rounds: Rounds, arm: str, processes: Fleet, campaign: Campaign, count: int) -> _Cost:
    """Let ``count`` waiting contacts fall due at once; until the last one's next callback is there."""
    _lifecycles(processes, campaign, _WARM_UP)
    messages = processes.lines_logged("calls.placed")
    meter = Meter(processes.processes())
    took = _lifecycles(processes, campaign, count)
    cost = _cost(rounds, arm, count, took=took, cpu=meter.read())
    records, size, pages = meter.read_wal()
    rounds.add(arm, "WAL", "bytes", size / count, better="lower")
    rounds.add(arm, "WAL, full pages after checkpoints", "bytes", pages / count, better="lower")
    rounds.add(arm, "WAL records", "", records / count, better="lower")
    rounds.add(arm, "calls in a message", "", count / (processes.lines_logged("calls.placed") - messages))
    fleet_of = ", ".join(f"{len(keepers)} {name}" for name, keepers in processes.kept.items())
    rounds.note(arm, f"{count:,} a round; {fleet_of}, as the Procfile starts them")
    return cost


def _lifecycles(processes: Fleet, campaign: Campaign, count: int) -> float:
    before = rows.callbacks_made()
    began = time.monotonic()
    rows.waiting_contacts(campaign, count)
    while (made := rows.callbacks_made() - before) < count:
        processes.check()
        if time.monotonic() > began + _PATIENCE_SECONDS:
            message = f"{made:,} of {count:,} calls had their callback after {_PATIENCE_SECONDS} s"
            raise TimeoutError(message)
        time.sleep(0.1)
    return time.monotonic() - began


def _peer(rounds: Rounds, peer: Peer, count: int) -> _Cost:
    with running(peer) as workers, workers.handing("now", count=count) as go:
        meter = Meter({"workers": workers.processes()})
        began = time.monotonic()
        handed = go()
        workers.wait_for_end(handed, seconds=_PATIENCE_SECONDS)
        took = time.monotonic() - began
        cost = _cost(rounds, peer.name, count, took=took, cpu={**meter.read(), "publisher": handed.cpu})
    rounds.note(peer.name, f"{count:,} a round, each a plain job that writes fewer rows than a lifecycle of Ringback")
    return cost


def _cost(rounds: Rounds, arm: str, count: int, *, took: float, cpu: dict[str, float]) -> _Cost:
    rounds.add(arm, RATE, "1/s", count / took)
    total = sum(cpu.values()) / count
    rounds.add(arm, CPU, "ms of CPU", 1000 * total, better="lower")
    for kind, seconds in cpu.items():
        rounds.add(arm, f"{CPU}, {kind}", "ms of CPU", 1000 * seconds / count, better="lower")
    return _Cost(count / took, total)


def _compare(rounds: Rounds, costs: dict[str, _Cost]) -> None:
    """Add the ratios of this round, as far as both sides of each were measured."""
    for arm in (OURS, OVER_HTTP):
        if arm in costs and BARE in costs:
            rounds.add(arm, _RATIO, "ratio", costs[arm].rate / costs[BARE].rate)
            rounds.add(arm, _CPU_RATIO, "ratio", costs[arm].cpu / costs[BARE].cpu, better="lower")
    if OURS not in costs:
        return
    durable = [costs[peer.name].rate for peer in PEERS if peer.is_durable and peer.name in costs]
    if PLAIN_CELERY.name in costs:
        rounds.add(OURS, _OF_CELERY, "ratio", costs[OURS].rate / costs[PLAIN_CELERY.name].rate)
    if durable:
        rounds.add(OURS, _OF_DURABLE, "ratio", costs[OURS].rate / max(durable))
