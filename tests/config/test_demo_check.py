"""`make demo-check` believes nobody: what is wrong in the ledger, the queue or the inbox is called broken."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path
from typing import Any

import pytest

from config.demo import check
from dialer.carriers.simulation.ledger import Ledger, Place

START = datetime(2025, 3, 12, 10, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=4)


class _Demo(ThreadingHTTPServer):
    """Answers as the demo does, from lists that a test fills."""

    def __init__(self) -> None:
        self.callbacks: list[dict[str, Any]] = []
        self.deliveries: list[dict[str, Any]] = []
        self.inbox: dict[str, Any] = {"count": 0, "verified": 0, "problems": [], "ids": []}
        super().__init__(("127.0.0.1", 0), _Answers)


class _Answers(BaseHTTPRequestHandler):
    server: _Demo

    def do_GET(self) -> None:
        lists = {"callbacks": self.server.callbacks, "deliveries": self.server.deliveries}
        name = self.path.partition("?")[0].strip("/").rpartition("/")[2]
        body = dumps({"next": None, "results": lists[name]} if name in lists else self.server.inbox).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def demo() -> Iterator[_Demo]:
    with _Demo() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api(demo: _Demo) -> check.Api:
    return check.Api(base=f"http://127.0.0.1:{demo.server_port}", key="a key")


def verdicts(promises: list[check.Promise]) -> list[bool]:
    return [promise.is_kept for promise in promises]


def a_callback(demo: _Demo, ledger: Path, *, late: float | None, waiting: dict[str, str] | None = None) -> None:
    """Let a callback fall due, dialled so many seconds late, or not dialled at all."""
    call = f"call_{len(demo.callbacks)}"
    due = START + timedelta(minutes=1, seconds=len(demo.callbacks))
    demo.callbacks.append(
        {
            "call_id": call,
            "scheduled_at": due.isoformat(),
            "status": "pending" if late is None else "dialled",
            "waiting": waiting,
        }
    )
    if late is not None:
        with Ledger(ledger) as file:
            file.write(
                Place(
                    at=due + timedelta(seconds=late),
                    call_id=call,
                    public_id=call,
                    to="+4930123",
                    accepted=True,
                    reason="",
                    nth=0,
                    ring_timeout_seconds=30,
                    max_duration_seconds=60,
                )
            )


@pytest.mark.parametrize(
    ("latest", "kept"),
    [(0.9, [True, True]), (1.1, [True, False]), (-0.1, [True, False]), (None, [False, False])],
    ids=["in time", "late", "early", "never"],
)
def test_the_ledger_says_whether_callbacks_were_in_time(
    demo: _Demo, api: check.Api, tmp_path: Path, latest: float | None, kept: list[bool]
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    for _ in range(9):
        a_callback(demo, ledger, late=0.1)
    a_callback(demo, ledger, late=latest)

    assert verdicts(check.called_back(api, ledger, since=START, now=NOW)) == kept


def test_a_callback_that_says_why_it_waits_is_not_late(demo: _Demo, api: check.Api, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    for _ in range(10):
        a_callback(demo, ledger, late=0.1)
    a_callback(demo, ledger, late=None, waiting={"code": "outside_window"})

    assert verdicts(check.called_back(api, ledger, since=START, now=NOW)) == [True, True]


@pytest.mark.parametrize(
    ("delivery", "inbox", "kept"),
    [
        ("delivered", {"count": 1, "verified": 1, "ids": ["evt_1"]}, [True, True]),
        ("delivered", {"count": 0, "verified": 0, "ids": []}, [False, False]),
        ("delivered", {"count": 1, "verified": 0, "ids": ["evt_1"]}, [True, False]),
        ("failed", {"count": 1, "verified": 1, "ids": ["evt_1"]}, [False, True]),
    ],
    ids=["told", "lost", "not verified", "failed"],
)
def test_what_was_delivered_must_be_in_the_inbox_and_verified(
    demo: _Demo, api: check.Api, delivery: str, inbox: dict[str, Any], kept: list[bool]
) -> None:
    demo.deliveries.append({"event_id": "evt_1", "status": delivery})
    demo.inbox |= inbox

    assert verdicts(check.told(api)) == kept
