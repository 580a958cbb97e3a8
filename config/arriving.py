"""Requests as they arrive: the event loop gathers each until it is whole, so that no thread waits for a slow client.

gunicorn's own parser reads the head and says how the body is framed; here is only counted how much of it is missing.
"""

import contextlib
import re
import time
from enum import Enum, auto
from http import HTTPStatus
from socket import socket
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader

SECONDS = 10.0
BYTES_PER_SECOND = 8_192
"""A request has ``SECONDS`` to arrive, from its first byte, and a second more for each ``BYTES_PER_SECOND``."""
MOST_GATHERED = 131_072
"""A longer body is read by a thread while it arrives, under the same deadline: files are not kept in memory."""
LONGEST_HEAD = 65_536
_RECEIVED_AT_ONCE = 65_536
_END_OF_HEAD = b"\r\n\r\n"
_LONGEST_CHUNK_LINE = 8_190
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_CHUNK_SIZE = re.compile(rb"\s*([0-9a-fA-F]{1,15})[ \t]*(;.*)?\r\n", re.DOTALL)
_CONTINUE = f"HTTP/1.1 {HTTPStatus.CONTINUE.value} {HTTPStatus.CONTINUE.phrase}\r\n\r\n".encode()


class State(Enum):
    """What there is of a request."""

    ARRIVING = auto()  # more is needed
    READY = auto()  # a thread can answer it, or refuse it, without waiting
    LARGE = auto()  # a thread reads the rest while it arrives
    GONE = auto()  # the client has left


class Arriving(RequestParser):  # type: ignore[misc] # gunicorn has no types
    """The parser of one connection: ``gather`` reads without waiting, ``next`` gives what was gathered to gunicorn."""

    def __init__(self, cfg: Any, connection: socket, client: object) -> None:  # noqa: ANN401 — gunicorn's configuration
        super().__init__(cfg, connection, client)
        self.unreader = self._arrived = _Arrived(connection)
        self._connection = connection
        self._head = bytearray()
        self._body: _Length | _Chunks = _Length(0)
        self._request: Request | None = None
        self._refusal: Exception | None = None

    @property
    def deadline(self) -> float:
        return self._arrived.deadline

    @property
    def has_begun(self) -> bool:
        """Whether anything of the current request has arrived."""
        return self._arrived.count > 0

    def begin(self) -> State:
        """Wait for the next request; what the client sent too early belongs to it."""
        rest = self._arrived.take_buffered()
        self._arrived.restart()
        self._head = bytearray()
        self._request = self._refusal = None
        return self._take(rest) if rest else self.gather()

    def gather(self) -> State:
        """Take what has arrived, without waiting for more."""
        try:
            data = self._connection.recv(_RECEIVED_AT_ONCE)
        except BlockingIOError:
            return State.ARRIVING
        except OSError:
            return State.GONE
        return self._take(data) if data else State.GONE

    def stream(self) -> None:
        """Let the thread wait for the rest; its time starts now. The connection ends with this request."""
        assert self._request is not None
        self._arrived.restart()
        self._arrived.is_streamed = True
        self._request.force_close()

    def __next__(self) -> Request:
        if self._refusal is not None:
            raise self._refusal
        return self._request

    def _take(self, data: bytes) -> State:
        self._arrived.count += len(data)
        if self._request is None:
            if not self._has_head(data):
                return State.ARRIVING
            if len(self._head) > LONGEST_HEAD and self._head.find(_END_OF_HEAD, 0, LONGEST_HEAD) < 0:
                self._refusal = LimitRequestHeaders("the head is too long")
            else:
                self._read_head()
            if self._refusal is not None:
                return State.READY
            data = self._arrived.buf.getvalue()
        else:
            self._arrived.append(data)
        self._body.count(data)
        if self._body.is_whole:
            return State.READY
        if self._body.is_longer_than(MOST_GATHERED):
            return State.LARGE
        self._tell_to_continue()
        return State.ARRIVING

    def _has_head(self, data: bytes) -> bool:
        """Append to the head; whether it is whole, or so wrong that gunicorn refuses it without seeing the rest."""
        known = len(self._head)
        self._head += data
        longest_line = self.cfg.limit_request_line + 2
        return (
            self._head.find(_END_OF_HEAD, max(known - 3, 0)) >= 0
            or _BARE_LINE_FEED.search(self._head, known) is not None
            or (len(self._head) > longest_line and self._head.find(b"\r\n", 0, longest_line) < 0)
            or len(self._head) > LONGEST_HEAD
        )

    def _read_head(self) -> None:
        self._arrived.unread(bytes(self._head))
        try:
            request = super().__next__()
        except Exception as error:  # noqa: BLE001 — the thread raises it again, where gunicorn answers
            self._refusal = error
            return
        self._request = request
        reader = request.body.reader
        self._body = _Chunks() if isinstance(reader, ChunkedReader) else _Length(reader.length)

    def _tell_to_continue(self) -> None:
        """Answer ``Expect: 100-continue`` here, because the client waits for it with the body."""
        if self._request is not None and self._request._expected_100_continue:  # noqa: SLF001 — gunicorn answers too late
            self._request._expected_100_continue = False  # noqa: SLF001
            with contextlib.suppress(OSError):
                self._connection.send(_CONTINUE)


class _Arrived(Unreader):  # type: ignore[misc] # gunicorn has no types
    """The bytes that have arrived; only a streamed body waits for more, and not past its deadline."""

    def __init__(self, connection: socket) -> None:
        super().__init__()
        self._connection = connection
        self.restart()

    def restart(self) -> None:
        self.began = time.monotonic()
        self.count = 0
        self.is_streamed = False

    @property
    def deadline(self) -> float:
        return self.began + SECONDS + self.count / BYTES_PER_SECOND

    def append(self, data: bytes) -> None:
        self.buf.seek(0, 2)
        self.buf.write(data)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes of a streamed body, none of another; raises ``TimeoutError`` after the deadline."""
        if not self.is_streamed:
            return b""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        usual = self._connection.gettimeout()
        self._connection.settimeout(left)
        try:
            data = self._connection.recv(min(max(size_hint or 0, 8_192), _RECEIVED_AT_ONCE))
        finally:
            self._connection.settimeout(usual)
        self.count += len(data)
        return data


class _Length:
    """Counts a body whose length is known."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._missing = length

    @property
    def is_whole(self) -> bool:
        return self._missing <= 0

    def is_longer_than(self, size: int) -> bool:
        return self._length > size

    def count(self, data: bytes) -> None:
        self._missing -= len(data)


class _Chunks:
    """Counts a body in chunks, up to its last one; a malformed one counts as whole, and gunicorn refuses it."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._to_skip = 0
        self._is_at_trailers = False
        self._size = 0
        self.is_whole = False

    def is_longer_than(self, size: int) -> bool:
        return self._size > size

    def count(self, data: bytes) -> None:
        self._size += len(data)
        at = 0
        while at < len(data) and not self.is_whole:
            if self._to_skip:
                step = min(self._to_skip, len(data) - at)
                self._to_skip -= step
                at += step
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            if self._line.endswith(b"\n") or len(self._line) > _LONGEST_CHUNK_LINE:
                self._read_line()

    def _read_line(self) -> None:
        line, self._line = bytes(self._line), bytearray()
        if self._is_at_trailers:
            self.is_whole = line == b"\r\n" or not line.endswith(b"\r\n")
        elif (found := _CHUNK_SIZE.fullmatch(line)) is None:
            self.is_whole = True
        elif size := int(found[1], 16):
            self._to_skip = size + len(b"\r\n")
        else:
            self._is_at_trailers = True
