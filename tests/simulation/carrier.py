"""A carrier within the process, in virtual time: seeded dice say what becomes of each call, a ledger what was asked.

The dice know the number and how often it was asked for, not the order in which numbers come: the same seed lets the
same call end the same way, whatever threads do.
"""

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from uuid import UUID

from django.test import override_settings

from dialer import carriers
from dialer.carriers.base import (
    Accepted,
    Answer,
    Busy,
    CannotSay,
    Found,
    HandedOver,
    Health,
    LookUp,
    MessageReport,
    NotFound,
    PlaceRequest,
    Refused,
    Report,
    ReportNotAuthentic,
    ReportRequest,
    SendAnswer,
    SendRequest,
    Sent,
    Unknown,
)
from tests.simulation.record import Record

OUTCOMES: Mapping[str, int] = {
    "no_answer": 34,
    "answered": 24,
    "voicemail": 16,
    "busy": 12,
    "network_error": 6,
    "declined": 3,
    "invalid_number": 2,
    "dnc_request": 3,
}
"""How often calls end how, of a hundred that are accepted."""
TRUNK_BUSY, REFUSED, LOST, SILENT = 0.03, 0.01, 0.02, 0.01
RINGS = 0.2
"""Share of calls of which the carrier reports that they ring; it is the least of its news."""
LATE, TWICE, CONTRADICTED = 0.04, 0.05, 0.02
FIRST_SIGN = timedelta(seconds=10)
TALKS = (20, 20, 40, 40, 120, 300)
"""Seconds; a talk that lasts longer than a minute is looked up while it goes on."""

TALK_UNDER_WAY = timedelta(seconds=5)

Deliver = Callable[[datetime, Sequence[Report]], None]
Answered = Callable[[datetime, UUID, float], None]


@dataclass(slots=True, kw_only=True)
class _Fate:
    """A call that the carrier took: all that it will report, at the time it happens."""

    reports: list[Report]
    ends_at: datetime
    looks: int = 0
    is_hard_to_ask: bool = False


@dataclass(slots=True, kw_only=True)
class Network:
    """The carrier's side; ``clock`` tells the time, ``deliver`` takes what it reports at a later one."""

    seed: str
    record: Record
    clock: Callable[[], datetime]
    deliver: Deliver
    found: Callable[[Sequence[Report]], None] = lambda _: None
    """Hears of what a look at a call brought to light."""
    answered: Answered = lambda *_: None
    """Hears of each talk a little after it began, with the call's own chance."""
    outcomes: Mapping[str, int] = field(default_factory=lambda: OUTCOMES)
    scripted: Sequence[str] = ()
    """How the first call to each number ends, how the second, and so on; the last repeats. Else dice say."""
    talk: timedelta | None = None
    """How long every talk lasts; else dice say."""
    is_smooth: bool = False
    """Nothing is lost, late or repeated."""
    is_away: bool = False
    """Nobody is reached at the carrier: no call is taken, and nothing is asked or hung up."""
    _asked: dict[str, int] = field(default_factory=dict)
    _fates: dict[UUID, _Fate] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def place(self, request: PlaceRequest) -> Answer:
        with self._lock:
            return self._place(request)

    def _place(self, request: PlaceRequest) -> Answer:
        if self.is_away:
            self._write(request, "away")
            return Busy(reason="unreachable", retry_after=timedelta(seconds=30), health=Health.OUT_OF_REACH)
        nth = self._asked[request.to] = self._asked.get(request.to, 0) + 1
        dice = random.Random(f"{self.seed}:{request.to}:{nth}")  # noqa: S311 — chance that can be repeated
        now, chance = self.clock(), 1.0 if self.is_smooth else dice.random()
        if chance < TRUNK_BUSY:
            self._write(request, "busy")
            return Busy(reason="at_capacity", retry_after=timedelta(seconds=dice.choice((5, 30, 120))))
        if chance < TRUNK_BUSY + REFUSED:
            outcome = dice.choice(("invalid_number", "network_error"))
            self._write(request, "refused", outcome=outcome)
            return Refused(outcome=outcome, reason="refused")
        if chance < TRUNK_BUSY + REFUSED + LOST and dice.random() < 0.5:
            self._write(request, "lost")
            return self._no_answer(dice)
        fate = self._fates[request.call_id] = self._roll(request.call_id, dice, nth=nth, now=now)
        was_lost = chance < TRUNK_BUSY + REFUSED + LOST
        self._write(request, "lost" if was_lost else "accepted", ends_at=fate.ends_at)
        if not TRUNK_BUSY + REFUSED + LOST <= chance < TRUNK_BUSY + REFUSED + LOST + SILENT:
            self._send(fate.reports, dice)
        return self._no_answer(dice) if was_lost else Accepted(carrier_call_id=f"c-{request.call_id}")

    def _write(self, request: PlaceRequest, answer: str, *, ends_at: datetime | None = None, outcome: str = "") -> None:
        self.record.requested(
            self.clock(),
            number=request.to,
            call_id=str(request.call_id),
            caller_id=request.caller_id,
            answer=answer,
            ends_at=ends_at,
            outcome=outcome,
        )

    def _no_answer(self, dice: random.Random) -> Answer:
        if dice.random() < 0.5:
            message = "the connection broke"
            raise TimeoutError(message)
        return Unknown(reason="read_timeout")

    def _roll(self, call_id: UUID, dice: random.Random, *, nth: int, now: datetime) -> _Fate:
        outcome = dice.choices(list(self.outcomes), list(self.outcomes.values()))[0]
        if self.scripted:
            outcome = self.scripted[min(nth, len(self.scripted)) - 1]
        at = now + FIRST_SIGN
        steps: list[tuple[Literal["ringing", "answered", "machine", "ended"], datetime]] = []
        if dice.random() < RINGS and not self.is_smooth:
            steps.append(("ringing", at))
            at += timedelta(seconds=20)
        if outcome in ("answered", "voicemail", "dnc_request"):
            steps.append(("machine" if outcome == "voicemail" else "answered", at))
            talk = timedelta(seconds=dice.choice(TALKS) if outcome == "answered" else 20)
            at += talk if self.talk is None else self.talk
        steps.append(("ended", at))
        reports = [
            Report(
                kind=kind,
                event_id=f"{call_id}:{n}",
                call_id=call_id,
                carrier_call_id=f"c-{call_id}",
                occurred_at=when,
                outcome=outcome if kind == "ended" else None,
                ended_reason=outcome if kind == "ended" else None,
            )
            for n, (kind, when) in enumerate(steps)
        ]
        return _Fate(reports=reports, ends_at=at, is_hard_to_ask=dice.random() < 0.3)

    def _send(self, reports: Sequence[Report], dice: random.Random) -> None:
        for report in reports:
            if report.kind == "answered" and report.call_id is not None:
                self.answered(report.occurred_at + TALK_UNDER_WAY, report.call_id, dice.random())
            late = timedelta(seconds=dice.choice((10, 60, 600))) if self._happens(dice, LATE) else timedelta()
            self.deliver(report.occurred_at + late, [report])
            if self._happens(dice, TWICE):
                self.deliver(report.occurred_at + timedelta(seconds=90), [report])
            if report.kind == "ended" and self._happens(dice, CONTRADICTED):
                other = replace(report, event_id=f"{report.event_id}:again", outcome="answered")
                self.deliver(report.occurred_at + late + timedelta(seconds=30), [other])

    def _happens(self, dice: random.Random, share: float) -> bool:
        return dice.random() < share and not self.is_smooth

    def send(self, request: SendRequest) -> SendAnswer:
        if self.is_away:
            return Busy(reason="unreachable", retry_after=timedelta(seconds=30), health=Health.OUT_OF_REACH)
        self.record.texted(self.clock(), number=request.to, message_id=str(request.message_id))
        return Sent(carrier_message_id=f"m-{request.message_id}")

    def look_up(self, call_id: UUID) -> LookUp:
        with self._lock:
            fate, now = self._fates.get(call_id), self.clock()
            if self.is_away:
                return CannotSay(reason="unreachable")
            if fate is None:
                return NotFound()
            fate.looks += 1
            if fate.is_hard_to_ask and fate.looks == 1:
                return CannotSay(reason="overloaded")
            known = [report for report in fate.reports if report.occurred_at <= now]
            self.found(known)
            return Found(reports=known, is_live=now < fate.ends_at)

    def hang_up(self, call_id: UUID) -> None:
        with self._lock:
            fate, now = self._fates.get(call_id), self.clock()
            if self.is_away or fate is None or fate.ends_at <= now:
                return
            was_answered = any(r.kind == "answered" and r.occurred_at <= now for r in fate.reports)
            end = replace(
                fate.reports[-1],
                event_id=f"{call_id}:hung-up",
                occurred_at=now,
                outcome="answered" if was_answered else "no_answer",
                ended_reason="hung_up",
            )
            fate.reports = [*(r for r in fate.reports if r.occurred_at <= now), end]
            fate.ends_at = now
            self.record.hung_up(now, str(call_id))
            self.deliver(now, [end])


_current: list[Network] = []


class Adapter:
    """The protocol's side of it; the engine makes one from a line and knows nothing else."""

    credential_names: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, line: object) -> None:  # noqa: ARG002 — the protocol's
        self.network = _current[-1]

    def place(self, request: PlaceRequest) -> Answer:
        return self.network.place(request)

    def look_up(self, call: HandedOver) -> LookUp:
        return self.network.look_up(call.call_id)

    def hang_up(self, call: HandedOver) -> None:
        self.network.hang_up(call.call_id)

    def send(self, request: SendRequest) -> SendAnswer:
        return self.network.send(request)

    def parse_messages(self, request: ReportRequest) -> list[MessageReport]:  # noqa: ARG002 — the protocol's
        raise ReportNotAuthentic

    def parse_reports(self, request: ReportRequest) -> list[Report]:  # noqa: ARG002 — the protocol's
        raise ReportNotAuthentic


@contextmanager
def answering(network: Network) -> Iterator[None]:
    """Let ``network`` be the carrier ``simulated`` of this process."""
    _current.append(network)
    carriers._adapter.cache_clear()  # noqa: SLF001
    try:
        with override_settings(CARRIERS={"simulated": "tests.simulation.carrier.Adapter"}):
            yield
    finally:
        carriers._adapter.cache_clear()  # noqa: SLF001
        _current.pop()
