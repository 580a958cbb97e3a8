"""Simulated callers: on request, they ring us, and the carrier reports the inbound call.

The ledger does not record these calls, since nobody asked to place them, so a restart of the carrier loses them.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import uuid4

from dialer.carriers.simulation.reporting import Reporter

LONGEST: Final = 3600.0
RING: Final = 2.0
TALK: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The caller, the number called, and the seconds of talk at speed 1 (``None``: nobody answers)."""

    from_number: str
    to_number: str
    ring_seconds: float
    talk_seconds: float | None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Read a request; raises ``ValueError`` if it is malformed."""
        if unknown := content.keys() - {"from", "to", "ring_seconds", "talk_seconds"}:
            message = f"unknown: {', '.join(sorted(unknown))}"
            raise ValueError(message)
        numbers = content.get("from", ""), content.get("to")
        if not all(isinstance(number, str) for number in numbers) or not numbers[1]:
            message = "from and to must be numbers; an empty from is withheld"
            raise ValueError(message)
        talk = content.get("talk_seconds", TALK)
        return cls(
            from_number=str(numbers[0]),
            to_number=str(numbers[1]),
            ring_seconds=_seconds(content.get("ring_seconds", RING)),
            talk_seconds=None if talk is None else _seconds(talk),
        )


class Callers:
    """Rings us and reports the course of the call; must be created inside a running event loop."""

    def __init__(self, *, reporter: Reporter, speed: float) -> None:
        self._reporter = reporter
        self._speed = speed
        self._loop = asyncio.get_running_loop()

    def ring(self, ring: Ring) -> str:
        """Begin a call; returns the carrier's id, the only id of the call."""
        carrier_call_id = f"sim_in_{uuid4().hex}"
        answered_at = ring.ring_seconds
        self._later(0, carrier_call_id, ring, "ringing")
        if ring.talk_seconds is None:
            self._later(answered_at, carrier_call_id, ring, "ended", outcome="no_answer", ended_reason="no_answer")
        else:
            self._later(answered_at, carrier_call_id, ring, "answered")
            self._later(
                answered_at + ring.talk_seconds,
                carrier_call_id,
                ring,
                "ended",
                outcome="answered",
                ended_reason="contact_hangup",
                duration_seconds=round(ring.talk_seconds),
            )
        return carrier_call_id

    def _later(self, seconds: float, carrier_call_id: str, ring: Ring, kind: str, **facts: object) -> None:
        self._loop.call_later(seconds / self._speed, self._report, carrier_call_id, ring, kind, facts)

    def _report(self, carrier_call_id: str, ring: Ring, kind: str, facts: Mapping[str, object]) -> None:
        self._reporter.send(
            carrier_call_id,
            {
                "kind": kind,
                "event_id": f"{carrier_call_id}-{kind}",
                "call_id": None,
                "carrier_call_id": carrier_call_id,
                "direction": "inbound",
                "from": ring.from_number,
                "to": ring.to_number,
                "occurred_at": datetime.now(UTC).isoformat(),
                **facts,
            },
        )


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not (math.isfinite(value) and value >= 0):
        message = "seconds must be a number that is not negative"
        raise ValueError(message)
    return min(float(value), LONGEST)
