"""A real HTTP server that keeps what it is sent and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dialer.carriers.base import ReportRequest

PATIENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Received:
    at: datetime
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    def as_it_came(self) -> ReportRequest:
        return ReportRequest(url=f"http://{self.headers['Host']}{self.path}", headers=self.headers, body=self.body)


class Receiver:
    """``statuses`` are answered in turn, then 200; ``body`` is what every answer says."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.body = b"{}"
        self.url = ""
        self._received: list[Received] = []
        self._changed = threading.Condition()

    @property
    def received(self) -> list[Received]:
        with self._changed:
            return list(self._received)

    def wait_for(self, enough: Callable[[list[Received]], bool]) -> list[Received]:
        """Return what has come as soon as it is enough; fails where that takes too long."""
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self._received), PATIENCE), self._received
            return list(self._received)

    def reports(self, call_id: str, *, until: str = "ended", times: int = 1) -> list[dict[str, Any]]:
        """Return a call's reports in the order they came, as soon as one of a kind came so many times."""

        def of_call(received: list[Received]) -> list[dict[str, Any]]:
            every = (report for request in received for report in request.content.get("reports", []))
            return [report for report in every if report["call_id"] == call_id]

        return of_call(self.wait_for(lambda all_: sum(report["kind"] == until for report in of_call(all_)) >= times))

    def take(self, request: Received) -> int:
        with self._changed:
            self._received.append(request)
            self._changed.notify_all()
            return self.statuses.pop(0) if self.statuses else 200


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of its own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = receiver.take(
                Received(at=datetime.now(UTC), path=self.path, headers=dict(self.headers), body=body)
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.send_header("Location", receiver.url)
            self.end_headers()
            self.wfile.write(receiver.body)

        do_GET = do_POST  # noqa: N815 — the names http.server asks for

        def log_message(self, *_: object) -> None:
            """Say nothing: the test looks at what was received."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
