"""How many calls per second the simulated carrier takes: the limit of whatever is measured over it.

The carrier runs as a process of its own and reports each call to a listener in this one, so the figure includes what
it does besides answering. Both share the machine. A call passes in a twentieth of its time.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from bench.figures import Figure, Size
from bench.rounds import Rounds
from dialer.carriers.simulation.http import Reply, Request, Server
from dialer.carriers.simulation.ledger import places

SECRET = "a secret of this bench"  # noqa: S105 — guards nothing
ROOT = Path(__file__).resolve().parents[1]


SPEED = 20.0
_CONNECTIONS = 16
_ARM = "simulated carrier"


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("carrier_places")
    calls = size.of(short=5_000, full=30_000)
    for _ in range(size.rounds):
        with rounds.arm(_ARM):
            rate, accepted, reports = asyncio.run(_places_per_second(calls))
            rounds.add(_ARM, "places", "1/s", rate)
            rounds.note(
                _ARM,
                f"{calls:,} calls over {_CONNECTIONS} connections; {accepted:,} accepted, the others have numbers that "
                f"its script refuses; {reports:,} reports came meanwhile",
            )
    yield from rounds.figures({})


async def _places_per_second(calls: int) -> tuple[float, int, int]:
    """Return the rate, how many calls were accepted, and how many reports came meanwhile."""
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
        carrier = await _start(ledger, receiver_url)
        try:
            assert carrier.stdout is not None
            port = int((await carrier.stdout.readline()).split()[3].rstrip(b",").rpartition(b":")[2])
            started = time.perf_counter()
            await asyncio.gather(*(_place(port, range(n, calls, _CONNECTIONS)) for n in range(_CONNECTIONS)))
            took = time.perf_counter() - started
        finally:
            carrier.terminate()
            await carrier.wait()
            await receiver.close()
        accepted = sum(place.accepted for place in places(ledger))
    return calls / took, accepted, reports


async def _start(ledger: Path, report_url: str) -> asyncio.subprocess.Process:
    flags = {"ledger": ledger, "secret": SECRET, "report-url": report_url, "speed": SPEED}
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
