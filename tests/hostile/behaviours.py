"""What receivers do to whoever posts to them, by the rows of the table that `make hostile` prints."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from tests.webhooks.receivers import OK, read_request
from webhooks.rules.classify import Verdict

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Certificate = Literal["good", "expired", "unknown", "other name", "no chain", "old TLS", "asks back", "none"]

FOREVER = 60.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOTH = ("http", "https")
BIG = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One kind of nuisance; ``expects`` is what an attempt must come to."""

    row: int
    name: str
    expects: Sequence[Verdict]
    script: Script
    schemes: Sequence[str] = BOTH
    certificate: Certificate = "good"
    host: str = "127.0.0.1"
    target: str = "/hook"
    body_bytes: int = 300
    is_black_hole: bool = False
    """Nobody accepts: the queue of connections is full."""


def sends(data: bytes, *, then: float = 0.0, reset: bool = False) -> Script:
    """Read the request, answer with some bytes, stay for a while, and end by FIN or RST."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(then or (0.05 if reset else 0))
        if reset:
            _abort(writer)

    return script


def drips(data: bytes, *, first: bytes = b"", every: float = 0.2, size: int = 1) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(first)
        for position in range(0, len(data), size):
            writer.write(data[position : position + size])
            await writer.drain()
            await asyncio.sleep(every)
        await asyncio.sleep(FOREVER)

    return script


def floods(data: bytes, *, first: bytes = b"", every: float = 0.05) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(first)
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(every)

    return script


def in_turn(*answers: bytes, after: float = 0.0) -> Script:
    """Answer each request with the next of ``answers``, over all connections, round and round."""
    number = count()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader) is not None:
            await asyncio.sleep(after)
            writer.write(answers[next(number) % len(answers)])
            await writer.drain()

    return script


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.sleep(FOREVER)


async def never_reads(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(FOREVER)


async def resets_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _abort(writer)


async def answers_early(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    await writer.drain()
    await asyncio.sleep(0.3)


async def closes_before_the_next(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise to keep the connection, and close it."""
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()


async def drips_handshake(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for octet in b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(200):
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(0.2)


def _abort(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, (1).to_bytes(4, "little") + bytes(4))
    writer.transport.abort()


def _answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _bomb(size: int) -> bytes:
    return gzip.compress(bytes(size), compresslevel=9)


_D, _R, _F = [Verdict.DELIVERED], [Verdict.RETRY], [Verdict.FAILED]
_HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n"
_NESTED = _answer("200 OK", "Content-Encoding: gzip, gzip", body=gzip.compress(_bomb(2_000_000)))
_BOTH_LENGTHS = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n2\r\nok\r\n0\r\n\r\n")
_UTF16 = _answer("200 OK", "Content-Type: text/plain; charset=utf-16", body=b"\xff\xff")

_Given = tuple[int, str, list[Verdict], Script]

_BOTH_SCHEMES: Sequence[_Given] = (
    (1, "accepts and says nothing", _R, silent),
    (2, "drips the status line", _R, drips(HEAD, every=0.4)),
    (2, "drips headers after the status line", _D, drips(b"X-A: 1\r\n" * 20, first=b"HTTP/1.1 200 OK\r\n")),
    (3, "continues for ever", _R, floods(b"HTTP/1.1 100 Continue\r\n\r\n")),
    (3, "hints for ever", _R, floods(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
    (4, "drips the body", _D, drips(b"x" * 1000, first=HEAD)),
    (4, "drips chunks without end", _D, drips(b"1\r\nx\r\n" * 1000, first=CHUNKED, size=6)),
    (4, "drips the trailer", _D, drips(b"X-Trailer: 1\r\n" * 20, first=CHUNKED + b"2\r\nok\r\n0\r\n")),
    (5, "drips the body of a 500", _R, drips(b"x" * 1000, first=HEAD.replace(b"200 OK", b"500 No"))),
    (6, "resets before the status", _R, sends(b"", reset=True)),
    (6, "resets after the status", _D, sends(HEAD, reset=True)),
    (6, "resets within the body", _D, sends(HEAD + b"half", reset=True)),
    (6, "ends within the body", _D, sends(HEAD + b"half")),
    (6, "resets right after accepting", _R, resets_at_once),
    (7, "sends two gigabytes", _D, floods(bytes(65536), first=_HUGE)),
    (7, "sends a gzip bomb", _D, sends(_answer("200 OK", "Content-Encoding: gzip", body=_bomb(20_000_000)))),
    (7, "sends a bomb in a bomb", _D, sends(_NESTED)),
    (7, "claims brotli", _D, sends(_answer("200 OK", "Content-Encoding: br", body=b"no brotli"))),
    (7, "claims zstd", _D, sends(_answer("200 OK", "Content-Encoding: zstd", body=b"no zstd"))),
    (7, "promises more than it sends", _D, sends(HEAD + b"short")),
    (7, "says length and chunks", _D, sends(_BOTH_LENGTHS)),
    (8, "answers with garbage", _D, sends(_answer("200 OK", body=bytes(range(256))))),
    (8, "answers with NUL", _D, sends(_answer("200 OK", "Content-Type: text/plain", body=b"\0" * 99))),
    (8, "claims another charset", _D, sends(_UTF16)),
    (8, "answers with nothing", _D, sends(_answer("200 OK"))),
    (8, "answers with a page", _D, sends(_answer("200 OK", "Content-Type: text/html", body=b"<html>hello"))),
    (8, "sends a body with 204", _D, sends(b"HTTP/1.1 204 No Content\r\n\r\nbody")),
    (9, "is an SSH server", _R, sends(b"SSH-2.0-OpenSSH_9.9\r\n")),
    (9, "speaks HTTP/0.9", _R, sends(b"<html>hello</html>")),
    (9, "speaks HTTP/2", _R, sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))),
    (9, "has 150 headers", _D, sends(b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 150 + b"Content-Length: 0\r\n\r\n")),
    (9, "has a header of 70 KB", _D + _R, sends(_answer("200 OK", "X-Long: " + "x" * 70_000))),
    (9, "spells 200 with letters", _R, sends(b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n")),
    (9, "answers 999", _R, sends(_answer("999 Odd"))),
    (9, "answers 099", _R, sends(_answer("099 Odd"))),
    (10, "redirects to a metadata service", _F, sends(_answer("301 Go", "Location: http://169.254.169.254/latest/"))),
    (10, "redirects to a file", _F, sends(_answer("302 Go", "Location: file:///etc/passwd"))),
    (10, "redirects to itself", _F, sends(_answer("307 Go", "Location: /hook"))),
    (10, "redirects elsewhere", _F, sends(_answer("303 Go", "Location: //localhost/other"))),
    (10, "redirects for good", _F, sends(_answer("308 Go", "Location: ../up"))),
    (14, "closes what it promised to keep", _D, closes_before_the_next),
    (14, "answers before it has read", _D + _R, answers_early),
    (15, "asks to come back at once", _R, sends(_answer("503 Busy", "Retry-After: 0"))),
    (15, "asks to come back before", _R, sends(_answer("503 Busy", "Retry-After: -5"))),
    (15, "asks for more than there is", _R, sends(_answer("503 Busy", "Retry-After: 1e99"))),
    (15, "asks for a day long past", _R, sends(_answer("503 Busy", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"))),
    (15, "asks for a year", _R, sends(_answer("503 Busy", "Retry-After: 31536000"))),
    (15, "asks in riddles", _R, sends(_answer("503 Busy", "Retry-After: soon\x80"))),
    (16, "storms with 429", _F, in_turn(_answer("429 Slow"))),
    (16, "is down", _R, in_turn(_answer("503 Busy"))),
    (16, "fails half the time", _D + _R, in_turn(_answer("503 Busy"), OK)),
    (16, "answers just in time", _D, in_turn(OK, after=4.4)),
    (16, "answers just too late", _R, in_turn(OK, after=5.4)),
)  # fmt: skip


def _over_tls(name: str, expects: Sequence[Verdict], script: Script, certificate: Certificate) -> Behaviour:
    return Behaviour(
        row=13, name=name, expects=expects, script=script, schemes=["https"], certificate=certificate
    )  # fmt: skip


def _never_reading(scheme: str) -> Behaviour:
    return Behaviour(
        row=14, name="never reads", expects=_R, script=never_reads, schemes=[scheme], body_bytes=BIG
    )  # fmt: skip


_SPECIAL: Sequence[Behaviour] = (
    Behaviour(row=1, name="accepts nobody", expects=_R, script=silent, is_black_hole=True),
    Behaviour(row=11, name="has no name", expects=_R, script=silent, host="nxdomain.example"),
    Behaviour(row=11, name="has a broken name server", expects=_R, script=silent, host="servfail.example"),
    Behaviour(row=11, name="has a silent name server", expects=_R, script=silent, host="silence.example"),
    Behaviour(row=11, name="has 64 addresses", expects=_D, script=in_turn(OK), host="many.example"),
    Behaviour(row=11, name="is an alias of a private name", expects=_F, script=in_turn(OK), host="alias.example"),
    Behaviour(row=11, name="has a private address too", expects=_F, script=in_turn(OK), host="mixed.example"),
    Behaviour(row=11, name="is rebound, with a TTL of 0", expects=_D + _F, script=in_turn(OK), host="rebound.example"),
    Behaviour(row=11, name="has IPv6 alone", expects=_D + _R, script=in_turn(OK), host="six.example", schemes=["http"]),
    Behaviour(row=11, name="names an interface", expects=_F, script=in_turn(OK), host="[fe80::1%25lo]"),
    _over_tls("shows an expired certificate", _F, in_turn(OK), "expired"),
    _over_tls("shows one that nobody knows", _F, in_turn(OK), "unknown"),
    _over_tls("shows another's certificate", _F, in_turn(OK), "other name"),
    _over_tls("leaves out the chain", _F, in_turn(OK), "no chain"),
    _over_tls("speaks TLS 1.0 alone", _R, in_turn(OK), "old TLS"),
    _over_tls("asks for our certificate", _R, in_turn(OK), "asks back"),
    _over_tls("stalls in the handshake", _R, silent, "none"),
    _over_tls("drips the handshake", _R, drips_handshake, "none"),
    *(_never_reading(scheme) for scheme in BOTH),
)  # fmt: skip

BEHAVIOURS: Sequence[Behaviour] = (
    *(Behaviour(row=row, name=name, expects=expects, script=script) for row, name, expects, script in _BOTH_SCHEMES),
    *_SPECIAL,
)

LITERALS = (
    "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "[::7f00:1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fd00:ec2::254]", "169.254.169.254", "100.100.100.200", "168.63.129.16", "127.0.0.1.",
    "localhost.", "127。0。0。1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0",  # noqa: S104
)  # fmt: skip
"""Row 12: addresses that nobody may dial, in many spellings."""
