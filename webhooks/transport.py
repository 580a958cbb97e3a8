"""The only module that speaks HTTP to receivers: libcurl's multi interface, many requests in one thread.

Receivers are not trusted. The name is resolved here, all its addresses must be allowed, only those are dialled, and the
socket's peer is checked once more. One deadline covers everything, at most 16 KiB of an answer are kept and never
decompressed, redirects are not followed, and proxies of the environment are not used.
"""

import os
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import certifi
import pycurl

from webhooks.kept_connections import Connection, KeptConnections
from webhooks.resolver import Addresses, NameUnresolved, Resolver
from webhooks.rules.classify import Failure
from webhooks.rules.destination import BadUrl, Destination, Network, parse, parse_networks, why_forbidden

MAX_ANSWER = 16 * 1024
MAX_CONNECTIONS = 512
_MAX_ADDRESSES = 8
_IDLE_CONNECTION_SECONDS = 15
_FIRST_FINAL_STATUS, _LAST_STATUS = 200, 599
_MAX_DETAIL = 300

_FAILURES = {
    pycurl.E_OPERATION_TIMEDOUT: Failure.TIMEOUT,
    pycurl.E_COULDNT_RESOLVE_HOST: Failure.DNS,
    pycurl.E_COULDNT_CONNECT: Failure.CONNECT,
    pycurl.E_GOT_NOTHING: Failure.RESET,
    pycurl.E_RECV_ERROR: Failure.RESET,
    pycurl.E_SEND_ERROR: Failure.RESET,
    pycurl.E_PARTIAL_FILE: Failure.RESET,
    pycurl.E_PEER_FAILED_VERIFICATION: Failure.CERTIFICATE,
    pycurl.E_SSL_ISSUER_ERROR: Failure.CERTIFICATE,
    pycurl.E_SSL_INVALIDCERTSTATUS: Failure.CERTIFICATE,
    pycurl.E_URL_MALFORMAT: Failure.BAD_URL,
}
"""Any other error is :attr:`Failure.PROTOCOL`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A POST; its answer carries the same ``key``."""

    key: Any
    url: str
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of a request; ``status`` needs a complete status line, times are milliseconds from the start."""

    key: Any
    status: int | None = None
    failure: Failure | None = None
    detail: str = ""
    body: bytes = b""
    retry_after: str | None = None
    address: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    """``None`` if an open connection was reused."""
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float = 0.0


class Transport:
    """Sends requests in parallel. Create it after the fork and use it in one thread."""

    def __init__(
        self, *, allowed_networks: Iterable[str] = (), dns_servers: Sequence[str] = (), ca_file: str = ""
    ) -> None:
        self._allowed = parse_networks(tuple(allowed_networks))
        self._ca_file = ca_file or certifi.where()
        self._selector = selectors.DefaultSelector()
        self._watched: set[int] = set()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._resolver = Resolver(servers=dns_servers, on_done=self._wake_up)
        self._resolving: list[tuple[_Exchange, Destination, Future[Addresses]]] = []
        self._idle: list[_Slot] = []
        self._busy: dict[Any, _Slot] = {}
        self._answers: list[Answer] = []
        self._timer: float | None = None
        self._kept = KeptConnections()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, MAX_CONNECTIONS)

    @property
    def in_flight(self) -> int:
        """Started requests whose answers :meth:`run` has not returned yet."""
        return len(self._resolving) + len(self._busy) + len(self._answers)

    def start(self, request: Request) -> None:
        """Start a request; :meth:`run` returns its answer, also if it fails."""
        exchange = _Exchange(request)
        try:
            destination = parse(request.url)
        except BadUrl as error:
            self._answers.append(exchange.failed(Failure.BAD_URL, f"the URL {error}"))
            return
        if destination.address is not None:
            self._dial(exchange, destination, (destination.address,))
            return
        found = self._resolver.lookup(destination.host)
        if isinstance(found, Future):
            self._resolving.append((exchange, destination, found))
        else:
            self._dial(exchange, destination, found)

    def run(self, seconds: float) -> list[Answer]:
        """Run transfers, waiting at most ``seconds`` for activity; return the answers that are complete."""
        if not self._answers:
            self._wait(seconds)
        if self._resolving:
            self._dial_resolved()
        self._collect()
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """Drop all requests in flight and all connections."""
        for slot in [*self._busy.values(), *self._idle]:
            if slot.exchange is not None:
                self._multi.remove_handle(slot.curl)
            slot.curl.close()
        self._multi.close()
        self._resolver.close()
        self._selector.close()
        os.close(self._woken)
        wake, self._wake = self._wake, -1
        os.close(wake)

    def _wake_up(self) -> None:
        try:
            os.write(self._wake, b"\0")
        except (BlockingIOError, OSError):
            return  # full: a wake-up is pending; closed: nobody waits

    def _dial(self, exchange: "_Exchange", destination: Destination, addresses: Addresses) -> None:
        exchange.dns_seconds = time.monotonic() - exchange.started
        left = exchange.seconds_left()
        if left <= 0:
            self._answers.append(exchange.failed(Failure.TIMEOUT, "the deadline passed while the name was resolved"))
            return
        for address in addresses:
            if (reason := why_forbidden(address, allowed=self._allowed)) is not None:
                self._answers.append(exchange.failed(Failure.FORBIDDEN_ADDRESS, reason))
                return
        slot = self._idle.pop() if self._idle else _Slot(self._allowed, self._ca_file, self._kept)
        slot.load(exchange, destination, addresses[:_MAX_ADDRESSES], left)
        self._busy[slot.curl] = slot
        self._multi.add_handle(slot.curl)

    def _dial_resolved(self) -> None:
        waiting, self._resolving = self._resolving, []
        for exchange, destination, future in waiting:
            if future.done():
                error = future.exception()
                if error is None:
                    self._dial(exchange, destination, future.result())
                else:
                    said = str(error) if isinstance(error, NameUnresolved) else repr(error)
                    self._answers.append(exchange.failed(Failure.DNS, f"{destination.host}: {said}"))
            elif exchange.seconds_left() <= 0:
                self._answers.append(exchange.failed(Failure.TIMEOUT, f"{destination.host}: no address in time"))
            else:
                self._resolving.append((exchange, destination, future))

    def _wait(self, seconds: float) -> None:
        now = time.monotonic()
        until = [now + seconds]
        if self._timer is not None:
            until.append(self._timer)
        until += [exchange.deadline for exchange, _, _ in self._resolving]
        for key, mask in self._selector.select(max(0.0, min(until) - now)):
            if key.fd == self._woken:
                os.read(self._woken, 4096)
                continue
            ready = pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0
            ready |= pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
            self._multi.socket_action(key.fd, ready)
        if self._timer is not None and self._timer <= time.monotonic():
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self) -> None:
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                self._free(curl, None, "")
            for curl, number, text in failed:
                self._free(curl, number, text)

    def _free(self, curl: object, error: int | None, text: str) -> None:
        slot = self._busy[curl]
        if slot.found_closed:
            self._multi.remove_handle(curl)
            slot.dial_afresh()
            self._multi.add_handle(curl)
            return
        self._answers.append(slot.answer(error, text))  # which asks for its socket, so before it is removed
        self._multi.remove_handle(curl)
        self._idle.append(self._busy.pop(curl))

    def _watch(self, what: int, fd: int, *_: object) -> None:
        events = 0
        if what in (pycurl.POLL_IN, pycurl.POLL_INOUT):
            events |= selectors.EVENT_READ
        if what in (pycurl.POLL_OUT, pycurl.POLL_INOUT):
            events |= selectors.EVENT_WRITE
        is_watched = fd in self._watched
        if events and is_watched:
            self._selector.modify(fd, events)
        elif events:
            self._selector.register(fd, events)
            self._watched.add(fd)
        elif is_watched:
            self._selector.unregister(fd)
            self._watched.remove(fd)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


class _Exchange:
    """A request under way and what was received so far."""

    __slots__ = ("deadline", "dns_seconds", "request", "started")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.started = time.monotonic()
        self.deadline = self.started + request.timeout_seconds
        self.dns_seconds = 0.0

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def failed(self, failure: Failure, detail: str) -> Answer:
        """Return the answer of a request that was never dialled."""
        elapsed = (time.monotonic() - self.started) * 1000
        return Answer(
            key=self.request.key, failure=failure, detail=detail[:_MAX_DETAIL], dns_ms=elapsed, total_ms=elapsed
        )


class _Slot:
    """A reusable easy handle; options that never change are set once."""

    def __init__(self, allowed: Sequence[Network], ca_file: str, kept: KeptConnections) -> None:
        self.exchange: _Exchange | None = None
        self.found_closed = False
        """The kept connection was closed, which showed before anything was sent."""
        self._allowed = tuple(allowed)
        self._kept = kept
        self._connection: Connection | None = None
        self._is_new_connection = False
        self._body = bytearray()
        self._is_cut = False
        self._forbidden = ""
        self._retry_after: str | None = None
        curl = self.curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        curl.setopt(pycurl.SSL_VERIFYPEER, 1)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.CAINFO, ca_file)
        curl.setopt(pycurl.MAXAGE_CONN, _IDLE_CONNECTION_SECONDS)
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        curl.setopt(pycurl.HEADERFUNCTION, self._header)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_sending)

    def load(self, exchange: _Exchange, destination: Destination, addresses: Addresses, seconds: float) -> None:
        """Prepare the handle to send one request to one of the checked addresses."""
        self.exchange = exchange
        self._body = bytearray()
        self._is_cut = False
        self._forbidden = ""
        self._connection = self._retry_after = None
        self._is_new_connection = self.found_closed = False
        curl, request = self.curl, exchange.request
        curl.setopt(pycurl.URL, destination.url)
        curl.setopt(pycurl.FRESH_CONNECT, 0)
        if destination.address is None:
            dialled = ",".join(f"[{a}]" if isinstance(a, IPv6Address) else str(a) for a in addresses)
            curl.setopt(pycurl.RESOLVE, [f"{destination.host}:{destination.port}:{dialled}"])
        # libcurl leaves out a header with an empty value unless it ends in a semicolon. No "Expect: 100-continue".
        headers = [f"{name}: {value}" if value else f"{name};" for name, value in request.headers]
        curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
        curl.setopt(pycurl.POSTFIELDS, request.body)
        self._set_deadline(seconds)

    def dial_afresh(self) -> None:
        """Prepare the handle to send the same request on a new connection."""
        assert self.exchange is not None
        self.found_closed = False
        self.curl.setopt(pycurl.FRESH_CONNECT, 1)
        self._set_deadline(self.exchange.seconds_left())

    def _set_deadline(self, seconds: float) -> None:
        milliseconds = max(1, int(seconds * 1000))
        self.curl.setopt(pycurl.TIMEOUT_MS, milliseconds)
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, milliseconds)

    def answer(self, error: int | None, text: str) -> Answer:
        """Return the answer received, and release the request."""
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        if self._connection is not None:
            self._kept.note(self._connection, self.curl.getinfo(pycurl.ACTIVESOCKET))
        code = self.curl.getinfo(pycurl.RESPONSE_CODE)
        status = code if _FIRST_FINAL_STATUS <= code <= _LAST_STATUS else None
        dns = exchange.dns_seconds * 1000
        times = {
            "connect_ms": self._milliseconds(pycurl.CONNECT_TIME, dns)
            if self.curl.getinfo(pycurl.NUM_CONNECTS)
            else None,
            "tls_ms": self._milliseconds(pycurl.APPCONNECT_TIME, dns),
            "first_byte_ms": self._milliseconds(pycurl.STARTTRANSFER_TIME, dns),
        }
        failure, detail = self._failure(error, text, status)
        return Answer(
            key=exchange.request.key,
            status=status,
            failure=failure,
            detail=detail[:_MAX_DETAIL],
            body=bytes(self._body),
            retry_after=self._retry_after,
            address=self._connection.peer if self._connection else None,
            dns_ms=dns,
            total_ms=(time.monotonic() - exchange.started) * 1000,
            **times,
        )

    def _failure(self, error: int | None, text: str, status: int | None) -> tuple[Failure | None, str]:
        if self._forbidden:
            return Failure.FORBIDDEN_ADDRESS, self._forbidden
        if self._is_cut:
            return Failure.BODY_CUT, f"the answer has more than {MAX_ANSWER:,} bytes"
        if error == pycurl.E_ABORTED_BY_CALLBACK:
            return Failure.RESET, "the receiver closed the connection without an answer"
        if error is None:
            return (None, "") if status is not None else (Failure.PROTOCOL, "the status line is not one of HTTP")
        return _FAILURES.get(error, Failure.PROTOCOL), text

    def _milliseconds(self, info: int, before: float) -> float | None:
        seconds = self.curl.getinfo(info)
        return before + seconds * 1000 if seconds else None

    def _write(self, data: bytes) -> int | None:
        room = MAX_ANSWER - len(self._body)
        self._body += data[:room]
        if len(data) > room:
            self._is_cut = True
            return 0  # libcurl ends the transfer
        return None

    def _header(self, line: bytes) -> None:
        if line[:12].lower() == b"retry-after:":
            self._retry_after = line[12:200].decode("latin-1").strip()

    def _open_socket(self, _purpose: int, address: tuple[int, int, int, tuple[Any, ...]]) -> socket.socket | int:
        family, kind, protocol, where = address
        if not self._may_dial(where[0]):
            return int(pycurl.SOCKET_BAD)
        self._is_new_connection = True
        return socket.socket(family, kind, protocol)

    def _before_sending(self, *ends: Any) -> int:
        """Let a request pass once, to a checked peer, on a connection that is open.

        libcurl sends again, on a new connection, if a kept one ends without an answer; the receiver may have read both.
        """
        if self._connection is not None:
            return int(pycurl.PREREQFUNC_ABORT)
        connection = Connection(*ends)
        self.found_closed = not self._is_new_connection and self._kept.is_closed(connection)
        if self.found_closed or not self._may_dial(connection.peer):
            return int(pycurl.PREREQFUNC_ABORT)
        self._connection = connection
        return int(pycurl.PREREQFUNC_OK)

    def _may_dial(self, text: str) -> bool:
        reason = _forbidden_reason(text, self._allowed)
        self._forbidden = reason or ""
        return reason is None


@lru_cache(maxsize=4096)
def _forbidden_reason(text: str, allowed: tuple[Network, ...]) -> str | None:
    return why_forbidden(ip_address(text), allowed=allowed)
