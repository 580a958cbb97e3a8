"""Receivers in a process of their own that write down, before they answer, what they were posted."""

import asyncio
import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from tests.chaos.faults import append, life
from tests.webhooks.receivers import OK, Received, read_request

ANSWERS_AFTER = 0.02
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request as a receiver saw it."""

    at: float
    """Seconds since 1970."""
    event_id: str
    delivery_id: str
    attempt: int
    digest: str
    """Of the body."""
    sender: str = ""
    """The life of the process that sent it, and of the one that received it."""
    receiver: str = ""
    type: str = ""
    call: str = ""
    """Public ids, where the event names them."""
    campaign: str = ""
    phone: str = ""


class Inbox:
    """Listens at some ports and appends a line per request to one file each."""

    def __init__(self, folder: Path, number: int) -> None:
        self.files = [folder / f"receiver-{n}" for n in range(number)]
        self._ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_run, args=(theirs, self.files), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.ports: Sequence[int] = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


def read(file: Path) -> list[Receipt]:
    """Return what a receiver wrote down, in the order in which it came."""
    return [Receipt(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def signature_of(sender: str) -> str:
    """Return the User-Agent by which a receiver knows the life that sent a request."""
    return f"Ringback-chaos/{sender}"


def _receipt(request: Received) -> Receipt:
    said = request.headers
    data = _object(_object(request.body).get("data"))
    return Receipt(
        at=time.time(),
        event_id=said["x-kejue-event-id"],
        delivery_id=said["x-kejue-delivery-id"],
        attempt=int(said["x-kejue-attempt"]),
        digest=hashlib.sha256(request.body).hexdigest(),
        sender=said.get("user-agent", "").partition("/")[2],
        receiver=life(),
        type=said["x-kejue-event"],
        call=str(data.get("job_id", "")),
        campaign=str(data.get("campaign_id") or ""),
        phone=str(data.get("phone") or _object(data.get("contact")).get("phone") or ""),
    )


def _object(content: Any) -> dict[str, Any]:
    if isinstance(content, bytes):
        with suppress(ValueError):
            content = json.loads(content)
    return content if isinstance(content, dict) else {}


def _run(pipe: Connection, files: Sequence[Path]) -> None:
    asyncio.run(_serve(pipe, files))


async def _serve(pipe: Connection, files: Sequence[Path]) -> None:
    servers = [await _listen(file) for file in files]
    pipe.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


async def _listen(path: Path, port: int = 0) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                append(path, **asdict(_receipt(request)))
                await asyncio.sleep(ANSWERS_AFTER)
                writer.write(OK)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port, backlog=512)


async def _listen_for_ever(path: Path, port: int) -> None:
    async with await _listen(path, port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_listen_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
