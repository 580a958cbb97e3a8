"""``python -m tests.real_run.receiver PORT FILE``: takes webhooks, and writes each down before it answers."""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhooks.receivers import OK, read_request


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One request as the receiver saw it; ``at`` is in seconds since 1970."""

    at: float
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @cached_property
    def content(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def event(self) -> str:
        return str(self.content["event"])

    def is_signed(self, secret: str) -> bool:
        """Ask the verifier that Standard Webhooks publishes; it takes what is younger than five minutes only."""
        try:
            Webhook(secret).verify(self.body, dict(self.headers))
        except WebhookVerificationError:
            return False
        return True


def receipts(file: Path) -> list[Receipt]:
    """Return what came so far, in its order; a last line without its end is being written."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [Receipt(at=line["at"], headers=line["headers"], body=base64.b64decode(line["body"])) for line in lines]


async def _serve(port: int, path: Path) -> None:
    with path.open("ab", buffering=0) as file:

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while (request := await read_request(reader)) is not None:
                    body = base64.b64encode(request.body).decode()
                    line = {"at": time.time(), "headers": request.headers, "body": body}
                    file.write(json.dumps(line).encode() + b"\n")
                    writer.write(OK)
                    await writer.drain()
            except ConnectionError:
                return
            finally:
                writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", port, backlog=512)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
