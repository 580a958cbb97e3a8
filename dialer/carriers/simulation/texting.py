"""Text messages: those that we send, and those that simulated people send us on request.

Numbers follow the same scripts as for calls, as far as these apply to a text.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID, uuid4

from dialer.carriers.simulation.ledger import Ledger, Text
from dialer.carriers.simulation.reporting import Reporter
from dialer.carriers.simulation.script import Placing, script_of

DELIVERY: Final = 2.0
"""Seconds at speed 1 until a message is delivered, or is known not to be."""
LONGEST: Final = 1_600
_NOT_ACCEPTED: Final = {
    Placing.REFUSED: "invalid_number",
    Placing.BUSY_ONCE: "capacity_once",
    Placing.LOST: "lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to send a message."""

    message_id: str
    to: str
    from_number: str
    body: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Read a request; raises ``KeyError``, ``TypeError`` or ``ValueError`` if it is malformed."""
        texts = {name: content[name] for name in ("to", "from", "body", "message_id")}
        if not all(isinstance(value, str) and value for value in texts.values()):
            message = "to, from, body and message_id must be texts"
            raise TypeError(message)
        if len(texts["body"]) > LONGEST:
            message = "the body is too long"
            raise ValueError(message)
        message_id = str(UUID(texts["message_id"]))
        return cls(message_id=message_id, to=texts["to"], from_number=texts["from"], body=texts["body"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Somebody writes to one of our numbers."""

    from_number: str
    to_number: str
    body: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Read a request; raises ``ValueError`` if it is malformed."""
        texts = [content.get(name) for name in ("from", "to", "body")]
        if content.keys() - {"from", "to", "body"} or not all(isinstance(text, str) for text in texts):
            message = "from, to and body must be texts"
            raise ValueError(message)
        return cls(from_number=str(texts[0]), to_number=str(texts[1]), body=str(texts[2]))


class Texts:
    """Takes each message once and reports its fate; must be created inside a running event loop."""

    def __init__(self, *, ledger: Ledger, reporter: Reporter, speed: float) -> None:
        self._ledger = ledger
        self._reporter = reporter
        self._speed = speed
        self._loop = asyncio.get_running_loop()
        taken = [entry for _, entry in ledger.entries() if isinstance(entry, Text)]
        self._accepted = {text.message_id for text in taken if text.accepted}
        self._refused_once = {text.message_id for text in taken if text.reason == "capacity_once"}

    def send(self, asked: Asked, *, down: bool) -> tuple[Placing, str]:
        """Judge a request and record it, accepted or not; returns how to answer, and the reason for a refusal."""
        placing, reason = self._judge(asked, down=down)
        self._ledger.write(
            Text(
                at=datetime.now(UTC),
                message_id=asked.message_id,
                to=asked.to,
                accepted=not reason,
                reason=reason,
            )
        )
        if reason == "capacity_once":
            self._refused_once.add(asked.message_id)
        if not reason:
            self._accepted.add(asked.message_id)
            self._loop.call_later(DELIVERY / self._speed, self._deliver, asked)
        return placing, reason

    def receive(self, written: Written) -> str:
        """Report a received message; returns the carrier's id, the only id of the message."""
        carrier_message_id = f"sim_sms_{uuid4().hex}"
        self._report(
            carrier_message_id,
            kind="received",
            message_id=None,
            **{"from": written.from_number, "to": written.to_number, "body": written.body},
        )
        return carrier_message_id

    def _judge(self, asked: Asked, *, down: bool) -> tuple[Placing, str]:
        if asked.message_id in self._accepted:
            return Placing.REFUSED, "repeated"
        if down:
            return Placing.REFUSED, "down"
        script = script_of(asked.to)
        placing = script.placing if script else Placing.ACCEPTED
        if placing is Placing.BUSY_ONCE and asked.message_id in self._refused_once:
            placing = Placing.ACCEPTED
        return placing, _NOT_ACCEPTED.get(placing, "")

    def _deliver(self, asked: Asked) -> None:
        script = script_of(asked.to)
        is_lost = script is not None and script.outcome == "network_error"
        self._report(
            carrier_message_id(asked.message_id),
            kind="failed" if is_lost else "delivered",
            message_id=asked.message_id,
            reason="the network did not deliver it" if is_lost else "",
        )

    def _report(self, carrier_id: str, **facts: object) -> None:
        at = datetime.now(UTC).isoformat()
        self._reporter.send(carrier_id, {"carrier_message_id": carrier_id, "occurred_at": at, **facts})


def carrier_message_id(message_id: str) -> str:
    return f"sim_sms_{message_id.replace('-', '')}"


def segments(body: str) -> int:
    """Count the short messages for a text: 160 characters in one, 153 in each of several; non-ASCII 70 or 67."""
    whole, part = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= whole else math.ceil(len(body) / part)
