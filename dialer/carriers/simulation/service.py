"""The carrier's routes and its process."""

import asyncio
import hmac
import io
import json
import logging
import math
import signal
import socket
import struct
import sys
import wave
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from dialer.carriers.simulation.agent import Agent
from dialer.carriers.simulation.callers import Callers, Ring
from dialer.carriers.simulation.http import Reply, Request, Server
from dialer.carriers.simulation.ledger import LedgerInUse, as_json
from dialer.carriers.simulation.network import RETRY_AFTER, Asked, Call, Network, Verdict, carrier_call_id, changed
from dialer.carriers.simulation.reporting import Reporter
from dialer.carriers.simulation.script import Placing
from dialer.carriers.simulation.texting import Asked as AskedText
from dialer.carriers.simulation.texting import Texts, Written, carrier_message_id, segments

log = logging.getLogger(__name__)

SILENCE: Final = 30.0
"""Seconds at speed 1 until a connection is closed on which the script suppresses the answer."""
LEDGER_PAGE: Final = 1_000
"""Most ledger entries in one answer."""
_THE_BEGINNING: Final = "1970-01-01T00:00:00+00:00"
_LONGEST_MENTIONED: Final = 100
_RATE: Final = 8000
_TONE: Final = 440.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a carrier; an empty address or key turns its feature off."""

    ledger: Path
    secret: str
    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    seed: str = "ringback"
    report_url: str = ""
    api_url: str = ""
    api_key: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Pick the options from parsed arguments, which may contain others."""
        return cls(**{name: given[name] for name in cls.__slots__})


def add_arguments(parser: ArgumentParser, defaults: Mapping[str, object]) -> None:
    """Add the flags; those without a default are required."""

    def add(flag: str, text: str, kind: type = str) -> None:
        name = flag.removeprefix("--").replace("-", "_")
        default = defaults.get(name)
        parser.add_argument(flag, type=kind, default=default, required=default is None, help=text)

    add("--host", "address to listen on")
    add("--port", "port to listen on; 0: any that is free", int)
    add("--ledger", "file that every request to place a call is appended to", Path)
    add("--speed", "how many seconds of a call pass in one second", float)
    add("--seed", "seed of chance: the same seed gives the same calls")
    add("--report-url", "where reports are sent; empty: nowhere")
    add("--api-url", "base of the API that the voice agent uses; empty: it is silent")
    add("--api-key", "the voice agent's key")
    add("--secret", "bearer secret of requests; also signs reports")


DEFAULTS: Final[Mapping[str, object]] = {
    "host": "127.0.0.1",
    "port": 0,
    "speed": 1.0,
    "seed": "ringback",
    "report_url": "",
    "api_url": "",
    "api_key": "",
}


class Routes:
    """Answers requests; all routes but health and recordings require the secret."""

    def __init__(self, network: Network, callers: Callers, texts: Texts, options: Options) -> None:
        self._network = network
        self._callers = callers
        self._texts = texts
        self._posts: Mapping[str, Callable[[Request], Reply]] = {
            "control": self._control,
            "calls": self._place,
            "inbound": self._ring,
            "messages": self._text,
            "inbound-messages": self._write,
        }
        self._expected = f"Bearer {options.secret}".encode()
        self._silence = SILENCE / options.speed

    def __call__(self, request: Request) -> Reply:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["health"]:
                return self._state()
            case "GET", ["recordings", name]:
                return self._recording(name)
            case method, parts if not self._has_secret(request):
                if (method, parts) == ("POST", ["calls"]):
                    self._network.refuse(_mentioned(request.body), "unauthorized")
                return Reply.json(401, {"error": "the secret is wrong"})
            case method, parts:
                return self._route(method, parts, request)

    def _has_secret(self, request: Request) -> bool:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), self._expected)

    def _route(self, method: str, parts: Sequence[str], request: Request) -> Reply:
        match method, parts:
            case "POST", [name] if name in self._posts:
                return self._posts[name](request)
            case "GET", ["ledger"]:
                return self._entries(request)
            case _, ["calls", *_] if self._network.control.down:
                return Reply.json(503, {"error": "down"})
            case _:
                return self._route_to_call(method, parts)

    def _route_to_call(self, method: str, parts: Sequence[str]) -> Reply:
        match method, parts:
            case "GET", ["calls", call_id]:
                return self._look_up(call_id)
            case "POST", ["calls", call_id, "hang-up"]:
                return self._hang_up(call_id)
            case _:
                return Reply.json(404, {"error": "no such route"})

    def _state(self) -> Reply:
        network = self._network
        numbers = {"live": network.live, "remembered": network.remembered}
        return Reply.json(200, {"ok": True, **numbers, "control": asdict(network.control)})

    def _recording(self, name: str) -> Reply:
        if not (name.endswith(".wav") and self._network.has_recording(name.removesuffix(".wav"))):
            return Reply.json(404, {"error": "there is no such recording"})
        return Reply(body=_tone(), content_type="audio/wav")

    def _control(self, request: Request) -> Reply:
        try:
            self._network.control = changed(self._network.control, _object(request.body))
        except ValueError as error:
            return Reply.json(400, {"error": str(error)})
        return self._state()

    def _ring(self, request: Request) -> Reply:
        try:
            ring = Ring.of(_object(request.body))
        except ValueError as error:
            return Reply.json(400, {"error": str(error)})
        return Reply.json(202, {"carrier_call_id": self._callers.ring(ring)})

    def _text(self, request: Request) -> Reply:
        try:
            asked = AskedText.of(_object(request.body))
        except (KeyError, TypeError, ValueError) as error:
            return Reply.json(400, {"error": f"{type(error).__name__}: {error}"})
        placing, reason = self._texts.send(asked, down=self._network.control.down)
        delay = self._network.control.answer_delay
        match placing, reason:
            case ((Placing.SILENT | Placing.LOST), _):
                return Reply(delay=delay + self._silence, is_lost=True)
            case Placing.FAULT, _:
                return Reply.json(500, {"error": "fault"}, delay=delay)
            case _, "":
                taken = {"carrier_message_id": carrier_message_id(asked.message_id), "segments": segments(asked.body)}
                return Reply.json(201, taken, delay=delay)
            case _:
                return _not_taken(reason, delay=delay)

    def _write(self, request: Request) -> Reply:
        try:
            written = Written.of(_object(request.body))
        except ValueError as error:
            return Reply.json(400, {"error": str(error)})
        return Reply.json(202, {"carrier_message_id": self._texts.receive(written)})

    def _entries(self, request: Request) -> Reply:
        try:
            since = datetime.fromisoformat(request.query.get("since") or _THE_BEGINNING)
        except ValueError as error:
            return Reply.json(400, {"error": f"since: {error}"})
        if since.tzinfo is None:
            return Reply.json(400, {"error": "since: a time without a zone"})
        found = self._network.entries_since(since, limit=LEDGER_PAGE + 1)
        entries = [as_json(entry) for entry in found[:LEDGER_PAGE]]
        return Reply.json(200, {"entries": entries, "has_more": len(found) > LEDGER_PAGE})

    def _place(self, request: Request) -> Reply:
        try:
            asked = _asked(_object(request.body))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self._network.refuse(_mentioned(request.body), "malformed")
            return Reply.json(400, {"error": f"{type(error).__name__}: {error}"})
        return self._answer(asked, self._network.place(asked))

    def _answer(self, asked: Asked, verdict: Verdict) -> Reply:
        delay = self._network.control.answer_delay
        accepted = {"call_id": asked.call_id, "carrier_call_id": carrier_call_id(asked.call_id)}
        match verdict.placing, verdict.reason:
            case ((Placing.SILENT | Placing.LOST), _):
                return Reply(delay=delay + self._silence, is_lost=True)
            case Placing.FAULT, _:
                return Reply.json(500, {"error": "fault"}, delay=delay)
            case _, "":
                return Reply.json(201, accepted, delay=delay)
            case _, reason:
                return _not_taken(reason, delay=delay)

    def _look_up(self, call_id: str) -> Reply:
        call = self._network.find(call_id)
        if call is None:
            return Reply.json(404, {"not_found": True})
        if not call.course.script.can_be_looked_up:
            return Reply.json(503, {"error": "cannot say"})
        return Reply.json(200, self._fate(call))

    def _hang_up(self, call_id: str) -> Reply:
        call = self._network.find(call_id)
        if call is None:
            return Reply.json(404, {"not_found": True})
        self._network.hang_up(call)
        return Reply.json(200, self._fate(call))

    def _fate(self, call: Call) -> dict[str, object]:
        return {
            "call_id": call.place.call_id,
            "carrier_call_id": call.carrier_call_id,
            "is_live": self._network.is_live(call),
            "reports": self._network.reports_until_now(call),
        }


def _not_taken(reason: str, *, delay: float) -> Reply:
    match reason:
        case "repeated":
            return Reply.json(409, {"error": "this was accepted before"}, delay=delay)
        case "invalid_number":
            return Reply.json(422, {"outcome": "invalid_number", "reason": "there is no such number"}, delay=delay)
        case _:
            status = 503 if reason == "down" else 429
            content = {"not_accepted": True, "retry_after": RETRY_AFTER, "reason": reason}
            return Reply.json(status, content, delay=delay)


async def serve(options: Options) -> None:
    """Run a carrier until SIGTERM or SIGINT; prints its address and its ledger to standard output in one line.

    Binds its address first and listens only once the ledger is read: earlier connections are refused.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.bind((options.host, options.port))
    url = f"http://{options.host}:{own.getsockname()[1]}"
    reporter = Reporter(options.report_url, options.secret)
    agent = Agent(options.api_url, options.api_key)
    network = Network(
        ledger=options.ledger,
        seed=options.seed,
        speed=options.speed,
        reporter=reporter,
        agent=agent,
        recordings_url=f"{url}/recordings",
    )
    callers = Callers(reporter=reporter, speed=options.speed)
    about_texts = Reporter(options.report_url and f"{options.report_url.rstrip('/')}/messages/", options.secret)
    texts = Texts(ledger=network.ledger, reporter=about_texts, speed=options.speed)
    server = Server(Routes(network, callers, texts, options))
    await server.listen(own)
    sending = asyncio.gather(reporter.run(), about_texts.run())
    sys.stdout.write(f"simulated carrier at {url}, ledger {options.ledger}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.close()
    network.close()
    sending.cancel()
    await agent.close()


def run(options: Options) -> None:
    """Run a carrier in this process until SIGTERM or SIGINT."""
    if options.speed <= 0:
        message = "--speed must be above 0"
        raise SystemExit(message)
    try:
        asyncio.run(serve(options))
    except LedgerInUse as error:
        raise SystemExit(str(error)) from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error
    if not isinstance(content, dict):
        message = "not a JSON object"
        raise ValueError(message)  # noqa: TRY004 — the input is wrong, not the type of an argument
    return content


def _asked(content: Mapping[str, Any]) -> Asked:
    ring, longest = float(content["ring_timeout_seconds"]), float(content["max_duration_seconds"])
    if not (0 < ring < math.inf and 0 < longest < math.inf):
        message = "the ring timeout and the longest talk must be above 0"
        raise ValueError(message)
    return Asked(
        call_id=_call_id(content),
        public_id=str(content.get("public_id", "")),
        to=str(content["to"]),
        ring_timeout_seconds=ring,
        max_duration_seconds=longest,
    )


def _mentioned(body: bytes) -> Asked | None:
    """Return what can be read of a request that is refused anyway; ``None`` if it names no call."""
    try:
        content = _object(body)
        call_id = _call_id(content)
    except (KeyError, TypeError, ValueError):
        return None
    public_id, to = (str(content.get(name, ""))[:_LONGEST_MENTIONED] for name in ("public_id", "to"))
    return Asked(call_id=call_id, public_id=public_id, to=to, ring_timeout_seconds=0.0, max_duration_seconds=0.0)


def _call_id(content: Mapping[str, Any]) -> str:
    given = content["call_id"]
    if not isinstance(given, str):
        message = "the call_id must be a text"
        raise TypeError(message)
    return str(UUID(given))


def _tone() -> bytes:
    """Return a recording: one second of a tone, as every call sounds here."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(_RATE)
        samples = (int(8000 * math.sin(2 * math.pi * _TONE * n / _RATE)) for n in range(_RATE))
        recording.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()
