"""What the whole fleet costs with nothing to do: CPU of every process of the Procfile, of PostgreSQL and of Valkey.

The database is empty. Counting begins a while after beat's first heartbeats have reached every queue, because it is
the last process to start.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, Size
from bench.fleet import fleet, http_settings
from bench.meters import Meter
from bench.rounds import Rounds, at_most
from config.celery import QUEUES
from config.models import Heartbeat

LINES = ("web", "beat", "worker-tick", "worker-dial", "worker-webhooks", "worker-default", "carrier")
"""The lines of the Procfile whose processes do not end by themselves."""
PERCENT = 5
_SETTLE_SECONDS = 5


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("idle")
    seconds = size.of(short=10, full=30)
    with (
        tempfile.TemporaryDirectory() as folder,
        fleet(dict.fromkeys(LINES, 1), **http_settings(Path(folder))) as running,
    ):
        while Heartbeat.objects.count() < len(QUEUES):
            running.check()
            time.sleep(1)
        time.sleep(_SETTLE_SECONDS)
        for _ in range(size.rounds):
            meter = Meter(running.processes())
            time.sleep(seconds)
            used = meter.read()
            for kind, spent in {"whole fleet": sum(used.values()), **used}.items():
                rounds.add(kind, "CPU", "% of one core", 100 * spent / seconds, better="lower")
    rounds.note("whole fleet", f"over {seconds} s")
    yield from rounds.figures({("whole fleet", "CPU"): at_most(PERCENT)})
