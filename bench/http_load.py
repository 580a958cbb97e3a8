"""Sends HTTP requests over kept connections, at a rate or as fast as they are answered, and times each answer."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence

_LENGTH = b"content-length:"
_CLASS_OF_SUCCESS = b"2"


class Refused(Exception):
    """An answer is not 2xx; the message is its beginning."""


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def in_json(content: object) -> bytes:
    return json.dumps(content).encode()


def send(port: int, requests: Sequence[bytes], *, connections: int, rate: float | None = None) -> list[float]:
    """Return the seconds that each answer took; raises :class:`Refused`.

    At a ``rate`` the requests are due one after the other, and each is timed from then on: what it waits for a free
    connection counts too.
    """
    return asyncio.run(_send(port, requests, connections=connections, rate=rate))


async def _send(port: int, requests: Sequence[bytes], *, connections: int, rate: float | None) -> list[float]:
    took = [0.0] * len(requests)
    numbers = iter(range(len(requests)))
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    began = time.perf_counter()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Iterator[int]) -> None:
        for number in left:
            due = time.perf_counter()
            if rate is not None:
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(requests[number])
            await _answer(reader)
            took[number] = time.perf_counter() - due
        writer.close()

    await asyncio.gather(*(converse(reader, writer, numbers) for reader, writer in opened))
    return took


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(_LENGTH))
    body = await reader.readexactly(int(length[len(_LENGTH) :]))
    if head.split(b" ", 2)[1][:1] != _CLASS_OF_SUCCESS:
        raise Refused((head + body)[:500].decode(errors="replace"))
