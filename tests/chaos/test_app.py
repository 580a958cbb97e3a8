"""What a process of a storm is to suffer, it does suffer."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SHOW = """
import json, time
from datetime import datetime, timezone
from tests.chaos.app import app
from celery.worker.request import Request
import celery.worker.request as request
from kombu.asynchronous.timer import _time
print(json.dumps({"app": app.now().timestamp(), "expiry": request.datetime.now(timezone.utc).timestamp(),
    "timer": _time(), "time": time.time()}))
"""
SEND = """
import sys
from kombu import Connection
from tests.chaos.app import app
app.conf.broker_url = "memory://"
with app.connection_for_write() as connection:
    connection.default_channel.queue_declare("tick")
    app.send_task("dialer.tick", queue="tick", connection=connection)
    print(connection.default_channel.queue_declare("tick", passive=True).message_count)
"""


def run(code: str, **environment: str) -> Any:
    done = subprocess.run(  # noqa: S603 — our own code
        [sys.executable, "-c", code], env=os.environ | environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_a_clock_that_is_ahead_is_ahead_wherever_celery_looks() -> None:
    shown = run(SHOW, CHAOS_CLOCK="90")

    now = datetime.now(UTC).timestamp()
    assert all(80 < at - now < 95 for at in shown.values()), shown


def test_every_message_is_published_twice_while_it_is_said_so(tmp_path: Path) -> None:
    flag = tmp_path / "doubled"
    once = run(SEND, CHAOS_DOUBLED=str(flag))
    flag.touch()
    twice = run(SEND, CHAOS_DOUBLED=str(flag))

    assert (once, twice) == (1, 2)
