"""How many calls per second the simulated carrier takes: ``python -m bench.carrier_places``.

The carrier runs as a process of its own and reports each call to a listener in this one, so the figure includes what
it does besides answering. Both share the machine.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from uuid import uuid4

from dialer.carriers.simulation.http import Reply, Request, Server
from dialer.carriers.simulation.ledger import places

SECRET = "a secret of this bench"  # noqa: S105 — guards nothing
ROOT = Path(__file__).resolve().parents[1]


async def measure(*, calls: int, connections: int, speed: float) -> None:
    reports = 0

    def take(request: Request) -> Reply:
        nonlocal reports
        reports += len(json.loads(request.body)["reports"])
        return Reply()

    receiver = Server(take)
    listening = socket.create_server(("127.0.0.1", 0))
    await receiver.listen(listening)
    receiver_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger.jsonl"
        carrier = await _start(ledger, receiver_url, speed)
        try:
            assert carrier.stdout is not None
            port = int((await carrier.stdout.readline()).split()[3].rstrip(b",").rpartition(b":")[2])
            started = time.perf_counter()
            await asyncio.gather(*(_place(port, range(n, calls, connections)) for n in range(connections)))
            took = time.perf_counter() - started
        finally:
            carrier.terminate()
            await carrier.wait()
            await receiver.close()
        accepted = sum(place.accepted for place in places(ledger))
    sys.stdout.write(
        f"{calls} requests in {took:.2f} s: {calls / took:.0f} places/s "
        f"({accepted} accepted, {reports} reports taken meanwhile)\n"
    )


async def _start(ledger: Path, report_url: str, speed: float) -> asyncio.subprocess.Process:
    flags = {"ledger": ledger, "secret": SECRET, "report-url": report_url, "speed": speed}
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer.carriers.simulation", *arguments, stdout=subprocess.PIPE, cwd=ROOT
    )


async def _place(port: int, numbers: range) -> None:
    """Ask for a call to each number, one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        asked = {
            "call_id": str(uuid4()),
            "to": f"+4930{number:08d}9",
            "ring_timeout_seconds": 30,
            "max_duration_seconds": 600,
        }
        body = json.dumps(asked).encode()
        head = f"POST /calls HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.split(b"\r\n") if line.startswith(b"Content-Length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--speed", type=float, default=20.0)
    given = parser.parse_args()
    asyncio.run(measure(calls=given.calls, connections=given.connections, speed=given.speed))
