"""The only module that speaks HTTP to carriers: one request, one response, by libcurl.

A carrier may be slow, broken, or somebody else. One deadline covers everything from the name to the last byte, so bytes
that drip do not extend it. A response is read up to a number of bytes and never decompressed. Redirects are not
followed, proxies of the environment are not used, and a request is never sent twice.
"""

import os
import select
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import certifi
import pycurl

DEADLINE_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0
"""The part of the deadline in which a connection must be ready."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""A longer body ends the exchange; the longest transcript that is kept fits in."""

_IDLE_CONNECTION_SECONDS: Final = 15
_FIRST_FINAL_STATUS, _LAST_STATUS = 200, 599
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete response; ``body`` is as it was sent."""

    status: int
    body: bytes = field(repr=False)


class NoResponse(Exception):
    """No complete response came. The request never left us only if ``may_have_arrived`` is false."""

    def __init__(self, reason: str, *, may_have_arrived: bool) -> None:
        super().__init__(reason)
        self.may_have_arrived = may_have_arrived


def exchange(url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Response:
    """Send one request, a POST if there is a body; raises :class:`NoResponse`."""
    return _own.handle.exchange(url, headers=headers, body=body, seconds=seconds)


class _Handle:
    """An easy handle with its open connection; options that never change are set once."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._was_sent = False
        curl = self._curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.MAXCONNECTS, 1)  # so that no closed connection is kept beside the one in use
        curl.setopt(pycurl.MAXAGE_CONN, _IDLE_CONNECTION_SECONDS)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_sending)

    def exchange(self, url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Response:
        self._body = bytearray()
        self._was_sent = False
        curl = self._curl
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.FRESH_CONNECT, int(self._is_connection_closed()))
        # No "Expect: 100-continue".
        fields = {"Accept-Encoding": "identity", **headers}
        curl.setopt(pycurl.HTTPHEADER, [*(f"{name}: {value}" for name, value in fields.items()), "Expect:"])
        if body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.TIMEOUT_MS, int(seconds * 1000))
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(min(seconds, CONNECT_SECONDS) * 1000))
        try:
            curl.perform()
        except pycurl.error as error:
            raise NoResponse(self._reason(*error.args), may_have_arrived=self._was_sent) from error
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        if not _FIRST_FINAL_STATUS <= status <= _LAST_STATUS:
            message = f"HTTP {status}"
            raise NoResponse(message, may_have_arrived=True)
        return Response(status=status, body=bytes(self._body))

    def _is_connection_closed(self) -> bool:
        """Tell whether the carrier closed the kept connection; libcurl itself looks once a second only."""
        kept = self._curl.getinfo(pycurl.ACTIVESOCKET)
        if kept < 0:
            return False
        poll = select.poll()
        poll.register(kept, select.POLLIN)
        return bool(poll.poll(0))

    def _reason(self, code: int, text: str) -> str:
        if len(self._body) > MOST_BYTES:
            return f"more than {MOST_BYTES:,} bytes"
        return "no response in time" if code == pycurl.E_OPERATION_TIMEDOUT else text[:_LONGEST_REASON]

    def _write(self, data: bytes) -> int | None:
        self._body += data
        return 0 if len(self._body) > MOST_BYTES else None  # 0 ends the exchange

    def _before_sending(self, *_: object) -> int:
        """Let the first sending pass. libcurl sends again if a kept connection turns out to be closed."""
        may_send, self._was_sent = not self._was_sent, True
        return int(pycurl.PREREQFUNC_OK if may_send else pycurl.PREREQFUNC_ABORT)


class _Own(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.handle = _Handle()


_own = _Own()
_parents: Final[list[_Own]] = []


def _leave_connections_to_parent() -> None:
    global _own  # noqa: PLW0603 — a forked child must not use its parent's connections
    _parents.append(_own)  # kept, because to close them would end the parent's TLS sessions
    _own = _Own()


os.register_at_fork(after_in_child=_leave_connections_to_parent)
