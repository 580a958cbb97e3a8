"""The worker class of gunicorn: slow clients wait in the event loop, and errors have the one shape.

A thread takes a request when it is whole (:mod:`config.arriving`). Bodies that are too large to be gathered hold half
of the threads at most. It speaks plain HTTP: a proxy terminates TLS.
"""

import json
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from socket import SHUT_WR, socket
from typing import Any

from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

from config.arriving import Arriving, State

ANSWER_SECONDS = 30.0
"""How long a client may take to accept one piece of an answer."""
WAITING_SECONDS = 60.0
"""How long a large body waits for a thread."""
LINGER_SECONDS = 2.0
"""How long a closed connection is still read, so that its client sees the answer rather than a reset."""
_LOOK_SECONDS = 0.5


class TooSlow(Exception):
    """The request did not arrive in time."""


class TooBusy(Exception):
    """Other large bodies kept this one waiting for too long."""


_REFUSALS = {
    LimitRequestLine: (HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The address is too long."),
    LimitRequestHeaders: (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "The headers are too large.",
    ),
    TooSlow: (HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive."),
    TooBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "too_busy", "Too many large requests at once; try again in a minute."),
}


class WebWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Gathers requests in the event loop, and answers in JSON where gunicorn writes HTML.

    The path of what cannot be read is not known, so this holds for the admin too.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: set[TConn] = set()
        self._lingering: dict[TConn, float] = {}
        self._waiting: deque[tuple[TConn, float]] = deque()
        """Large bodies that wait for a thread, and until when."""
        self._streaming: set[TConn] = set()
        self._most_streaming = max(self.cfg.threads // 2, 1)
        self._next_look = 0.0

    def enqueue_req(self, conn: TConn) -> None:
        """Gather the next request of a connection before a thread takes it."""
        if conn.parser is None:
            conn.parser = Arriving(self.cfg, conn.sock, conn.client)
            conn.data_ready = True  # else gunicorn's thread would wait for the first byte
        conn.sock.settimeout(0)
        state = conn.parser.begin()
        if state is State.ARRIVING:
            self._arriving.add(conn)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_more, conn))
        else:
            self._proceed(conn, state)

    def handle_request(self, req: Request, conn: TConn) -> bool:
        conn.sock.settimeout(ANSWER_SECONDS)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.warning("web.broken_off path=%s", req.path)
            return False

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        if conn in self._streaming:
            self._streaming.discard(conn)
            if self._waiting:
                self._stream(self._waiting.popleft()[0])
        if fs.cancelled() or fs.exception() is not None or not fs.result():
            self._linger(conn)  # gunicorn would wait for the client in the event loop
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Refuse requests that did not arrive in time; gunicorn calls this after all events, or once a second."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        for conn in [conn for conn in self._arriving if conn.parser.deadline <= now]:
            self._stop_watching(conn)
            if conn.parser.has_begun:
                self._refuse(conn, TooSlow())
            else:
                self._drop(conn)
        while self._waiting and self._waiting[0][1] <= now:
            self._refuse(self._waiting.popleft()[0], TooBusy())
        for conn in [conn for conn, until in self._lingering.items() if until <= now]:
            self._stop_watching(conn)
            self._drop(conn)

    def handle_error(self, req: object, client: socket, addr: Any, exc: Exception) -> None:  # noqa: ANN401 — gunicorn's signature
        if type(exc) not in _REFUSALS:
            super().handle_error(req, client, addr, exc)
            return
        status, code, message = _REFUSALS[type(exc)]
        self.log.warning("web.refused status=%d code=%s", status, code)
        body = json.dumps({"error": {"code": code, "message": message, "fields": {}, "details": {}}}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("web.refusal_not_sent status=%d", status)

    def _on_more(self, conn: TConn, _socket: socket) -> None:
        state = conn.parser.gather()
        if state is not State.ARRIVING:
            self._stop_watching(conn)
            self._proceed(conn, state)

    def _proceed(self, conn: TConn, state: State) -> None:
        match state:
            case State.READY:
                super().enqueue_req(conn)
            case State.LARGE if len(self._streaming) < self._most_streaming:
                self._stream(conn)
            case State.LARGE:
                self._waiting.append((conn, time.monotonic() + WAITING_SECONDS))
            case _:
                self._drop(conn)

    def _stream(self, conn: TConn) -> None:
        self._streaming.add(conn)
        conn.parser.stream()
        super().enqueue_req(conn)

    def _refuse(self, conn: TConn, error: Exception) -> None:
        self.handle_error(None, conn.sock, conn.client, error)
        self._linger(conn)

    def _linger(self, conn: TConn) -> None:
        """End a connection: our side first, the rest when its client has, or soon after."""
        try:
            conn.sock.settimeout(0)
            conn.sock.shutdown(SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_last_words, conn))
        except (OSError, ValueError):
            self._drop(conn)
        else:
            self._lingering[conn] = time.monotonic() + LINGER_SECONDS

    def _on_last_words(self, conn: TConn, client: socket) -> None:
        try:
            has_more = bool(client.recv(65_536))
        except OSError:
            has_more = False
        if not has_more:
            self._stop_watching(conn)
            self._drop(conn)

    def _stop_watching(self, conn: TConn) -> None:
        self._arriving.discard(conn)
        self._lingering.pop(conn, None)
        self.poller.unregister(conn.sock)

    def _drop(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
