"""The program that ``docs/webhooks.md`` names makes a campaign, starts it, and prints what happens."""

import http.client
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django.fixtures import Settings

from dialer.workspaces.clock import database_now
from tests.api.client import Api
from tests.factories import ROUND_THE_CLOCK, make_line
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from tests.webhooks.sending import go_on
from webhooks.models import Endpoint
from webhooks.sender import Sender

__all__ = ["carrier"]

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = Path(__file__).parents[2] / "docs" / "campaign_from_csv.py"
PEOPLE = "name,phone\nJane Roe,+493012345671\nJoe Bloggs,+493012345672\n"
EVENTS = ["campaign.started", *["call.attempted", "call.ended"] * 2]


@pytest.fixture
def program(live_server: Any, settings: Settings, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    api = Api(scope="admin")
    make_line(api.workspace, is_default=True)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    opened = api.patch("settings/", {"schedule": {**ROUND_THE_CLOCK, "days": days}})
    assert opened.status_code == 200, opened.content
    people = tmp_path / "people.csv"
    people.write_text(PEOPLE)
    environment = {"RINGBACK_API": f"{live_server.url}/api/v1", "RINGBACK_KEY": api.plain, "PORT": "0"}
    command = [sys.executable, str(PROGRAM), str(people)]
    with subprocess.Popen(  # noqa: S603
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        yield started
        started.kill()


def test_it_calls_the_people_of_a_file_and_prints_what_is_ours(
    program: "subprocess.Popen[str]", carrier: InProcessCarrier, sender: Sender
) -> None:
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in program.stdout or ():
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    until = time.monotonic() + 60

    said: list[str] = []
    while len(said) < len(EVENTS):
        assert program.poll() is None, program.stderr and program.stderr.read()
        assert time.monotonic() < until, said
        dial(database_now())
        end_all(database_now(), "no_answer", lasted=timedelta())
        go_on(sender, seconds=0.1)
        while not lines.empty():
            event = json.loads(lines.get())["event"]
            said += [event] if event in EVENTS else []

    assert sorted(said) == sorted(EVENTS)
    assert len(carrier.placed) == 2
    forged = http.client.HTTPConnection(urlsplit(Endpoint.objects.get().url).netloc, timeout=10)
    forged.request("POST", "/", body=b"{}", headers={"X-Kejue-Signature": "sha256=0", "X-Kejue-Timestamp": "0"})
    assert forged.getresponse().status == 401
