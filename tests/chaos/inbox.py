"""Receivers in a process of their own that write down, before they answer, what they were posted."""

import asyncio
import hashlib
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from tests.webhooks.receivers import OK, read_request

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
    found = []
    for line in file.read_text().splitlines():
        at, event_id, delivery_id, attempt, digest = line.split("\t")
        found.append(Receipt(float(at), event_id, delivery_id, int(attempt), digest))
    return found


def _run(pipe: Connection, files: Sequence[Path]) -> None:
    asyncio.run(_serve(pipe, files))


async def _serve(pipe: Connection, files: Sequence[Path]) -> None:
    servers = [await _listen(file) for file in files]
    pipe.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


async def _listen(path: Path) -> asyncio.Server:
    file = path.open("a")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                said = request.headers
                words = [
                    f"{time.time():.3f}", said["x-kejue-event-id"], said["x-kejue-delivery-id"],
                    said["x-kejue-attempt"], hashlib.sha256(request.body).hexdigest(),
                ]  # fmt: skip
                file.write("\t".join(words) + "\n")
                file.flush()
                await asyncio.sleep(ANSWERS_AFTER)
                writer.write(OK)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
