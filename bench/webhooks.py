"""Webhook deliveries per second, and how long a committed event takes to its receiver's first byte.

Fifty receivers, bodies of about 1 KB, signed. Ringback: events are recorded in PostgreSQL, then two workers as the
Procfile starts them claim, sign, post and settle them, from beat's first message to the last one settled.
django-webhook: as many models are saved, each of which publishes a Celery task per receiver; then two workers take
them, from when they may to the last request that came. The limits: two processes that post the same bytes in a loop,
by libcurl and by ``requests``, without database or signing. First bytes: events are committed at a rate, ten in a
transaction, while the workers run. Everything shares the machine, the receivers and the writer too.
"""

import time
from collections.abc import Iterator

from bench import bare_posts, deliveries
from bench.figures import Figure, Size
from bench.latencies import add_latencies, within
from bench.meters import Meter
from bench.peers import webhook_tasks
from bench.receivers import Receivers
from bench.rounds import Rounds, at_least
from dialer.workspaces.statements import run

RECEIVERS = 50
RATES = (200, 500)
P99 = 25
DURABLE = 5_000
TIMES = 10
_OURS, _PEER = "ringback", "django-webhook"
_RATE, _RATIO = "deliveries", "times those of django-webhook"


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("webhooks")
    count, seconds = size.of(short=5_000, full=50_000), size.of(short=5, full=20)
    with Receivers(RECEIVERS) as receivers:
        for _ in range(size.rounds):
            ours = peers = 0.0
            with rounds.arm(_OURS):
                ours = _of_ringback(rounds, receivers, count)
            with rounds.arm(_PEER):
                peers = _of_django_webhook(rounds, receivers, count // 10)
            if ours and peers:
                rounds.add(_OURS, _RATIO, "ratio", ours / peers)
            for arm, post, posts in (
                ("libcurl, no database", bare_posts.by_libcurl, 2 * count),
                ("requests, no database", bare_posts.by_requests, count // 2),
            ):
                with rounds.arm(arm):
                    _of_a_loop(rounds, arm, receivers, post, posts)
        for rate in RATES:
            _first_bytes(rounds, receivers, rate, seconds=seconds, times=size.rounds)
    yield from rounds.figures(
        {
            (_OURS, _RATE): at_least(DURABLE),
            (_OURS, _RATIO): at_least(TIMES),
            **within(f"committed at {RATES[-1]}/s", "first byte", p99=P99),
        }
    )


def _of_ringback(rounds: Rounds, receivers: Receivers, count: int) -> float:
    """Return deliveries per second."""
    deliveries.record(deliveries.a_workspace(receivers.ports), count // RECEIVERS)
    run("bench_vacuum", "VACUUM ANALYZE webhooks_delivery, webhooks_event, webhooks_endpoint")
    with deliveries.senders() as running:
        meter = Meter({"senders": running.processes()["worker-webhooks"], "receivers": [receivers.process]})
        began = time.monotonic()
        with deliveries.beat():
            while deliveries.are_pending():
                time.sleep(0.02)
        took = time.monotonic() - began
        _add(rounds, _OURS, count, took, meter)
    return count / took


def _of_django_webhook(rounds: Rounds, receivers: Receivers, count: int) -> float:
    """Return requests per second."""
    with webhook_tasks.published(receivers.ports, count // RECEIVERS) as workers:
        meter = Meter({"senders": workers.processes, "receivers": [receivers.process]})
        until = receivers.count() + count
        began = time.monotonic()
        workers.begin()
        while receivers.count() < until:
            time.sleep(0.02)
        took = time.monotonic() - began
        _add(rounds, _PEER, count, took, meter)
    rounds.note(_PEER, workers.configuration)
    return count / took


def _of_a_loop(rounds: Rounds, arm: str, receivers: Receivers, post: bare_posts.Post, count: int) -> None:
    before = receivers.count()
    rate, cpu = bare_posts.posts_per_second(post, receivers.ports, count, processes=deliveries.SENDERS)
    assert receivers.count() - before >= count, "a request did not arrive"
    rounds.add(arm, _RATE, "1/s", rate)
    rounds.add(arm, "CPU of a delivery, senders", "ms", cpu, better="lower")


def _add(rounds: Rounds, arm: str, count: int, took: float, meter: Meter) -> None:
    rounds.add(arm, _RATE, "1/s", count / took)
    for kind, used in meter.read().items():
        rounds.add(arm, f"CPU of a delivery, {kind}", "ms", 1000 * used / count, better="lower")


def _first_bytes(rounds: Rounds, receivers: Receivers, rate: int, *, seconds: int, times: int) -> None:
    arm = f"committed at {rate}/s"
    workspaces = [deliveries.a_workspace([port]) for port in receivers.ports]
    with rounds.arm(arm), deliveries.senders(), deliveries.beat():
        deliveries.stream(receivers, workspaces, rate, 2)  # the first delivery of an endpoint waits for its lane
        for _ in range(times):
            stream = deliveries.stream(receivers, workspaces, rate, seconds)
            add_latencies(rounds, arm, "first byte", stream.first_bytes)
            rounds.add(arm, "events committed", "1/s", stream.rate)
