"""The part of HTTP/1.1 that the carrier needs, on asyncio's streams: a keep-alive server, and a POST."""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

LONGEST_HEAD: Final = 32 * 1024
LONGEST_BODY: Final = 1024 * 1024
POST_TIMEOUT: Final = 10.0
BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    delay: float = 0.0  # seconds until it is sent
    is_lost: bool = False  # the connection is closed instead, after the delay
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, content: Mapping[str, object], *, delay: float = 0.0, is_lost: bool = False) -> Self:
        return cls(status=status, body=json.dumps(content).encode(), delay=delay, is_lost=is_lost)


Handler = Callable[[Request], Reply]


class BadRequest(Exception):
    """The request is not HTTP, or uses a part of it that is not supported here."""


class Server:
    """Serves a synchronous handler, so that no two requests are handled at once."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, own: socket.socket) -> None:
        """Listen on a bound socket, which the server then owns, and serve its connections."""
        self._server = await asyncio.start_server(self._connected, sock=own, limit=LONGEST_HEAD, backlog=BACKLOG)

    async def close(self) -> None:
        """Accept no more connections, and close the open ones."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer_one(reader, writer):
                    pass
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection stays open."""
        try:
            request = await _read_request(reader)
        except BadRequest as error:
            await _send(writer, Reply.json(400, {"error": str(error)}), keep=False)
            return False
        reply = self._handle(request)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.is_lost:
            return False
        keep = request.headers.get("connection", "").lower() != "close"
        await _send(writer, reply, keep=keep)
        return keep

    def _handle(self, request: Request) -> Reply:
        try:
            return self._handler(request)
        except Exception:
            log.exception("carrier.request_failed method=%s path=%s", request.method, request.path)
            return Reply.json(500, {"error": "the carrier is broken"})


async def _read_request(reader: asyncio.StreamReader) -> Request:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        message = "the head is too long"
        raise BadRequest(message) from error
    first, *lines = head[:-4].split("\r\n")
    try:
        method, target, _ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", "0"))
    except ValueError as error:
        message = "not HTTP/1.1"
        raise BadRequest(message) from error
    if "transfer-encoding" in headers or not 0 <= length <= LONGEST_BODY:
        message = "the body's length must be given, and not be too long"
        raise BadRequest(message)
    path, _, query = target.partition("?")
    body = await reader.readexactly(length)
    return Request(method=method, path=path, query=_query(query), headers=headers, body=body)


def _query(text: str) -> dict[str, str]:
    """Read a query; unlike in forms, "+" is not a space, so that people can paste times with an offset."""
    pairs = (pair.partition("=") for pair in text.split("&") if pair)
    return {unquote(name): unquote(value) for name, _, value in pairs}


async def _send(writer: asyncio.StreamWriter, reply: Reply, *, keep: bool) -> None:
    headers = {
        "Content-Type": reply.content_type,
        "Content-Length": str(len(reply.body)),
        "Connection": "keep-alive" if keep else "close",
        **reply.headers,
    }
    writer.write(_head(f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", headers) + reply.body)
    await writer.drain()


def _head(first: str, headers: Mapping[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Send a POST on a new connection and return the status of the answer; ignores its body.

    Raises ``OSError``, also for a time-out, if no answer came.
    """
    try:
        async with asyncio.timeout(POST_TIMEOUT):
            return await _post(url, headers, body)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        message = "the answer is not HTTP"
        raise ConnectionError(message) from error


async def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if context else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {
            "Host": parts.netloc.rpartition("@")[2],
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        writer.write(_head(f"POST {target} HTTP/1.1", own | dict(headers)) + body)
        await writer.drain()
        status = int((await reader.readuntil(b"\r\n")).split(b" ")[1])
        await reader.read()  # to its end, or the receiver sees a broken pipe
    except IndexError as error:
        message = "the answer has no status"
        raise ConnectionError(message) from error
    finally:
        writer.close()
    return status
