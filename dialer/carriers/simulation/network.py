"""The network: which calls were requested, what happens to them, and when.

Everything runs on one event loop. A request to place a call is judged, written to the ledger and remembered without an
await, so nothing else can happen in between.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from dialer.carriers.simulation.agent import Agent
from dialer.carriers.simulation.ledger import Entry, HangUp, Ledger, Place
from dialer.carriers.simulation.reporting import Reporter
from dialer.carriers.simulation.script import LATE_BY, Course, Manner, Placing, Step, course

log = logging.getLogger(__name__)

CALLBACK_AFTER: Final = 120.0
"""Seconds at speed 1 after which a callee asks to be called back."""
RESUMED: Final = 60.0
"""Seconds: reports of calls that ended at most this long before a start are sent again; they may not have arrived."""
KEPT: Final = 60.0
"""Seconds at speed 1 that a call stays in memory after its end; later it is read from the ledger."""
RETRY_AFTER: Final = 1.0
LONGEST_DELAY: Final = 3600.0
_NOT_ACCEPTED: Final = {
    Placing.REFUSED: "invalid_number",
    Placing.BUSY_ONCE: "capacity_once",
    Placing.LOST: "lost",
}
E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to place a call."""

    call_id: str
    public_id: str
    to: str
    ring_timeout_seconds: float
    max_duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to a request; ``reason`` is empty if it is accepted."""

    placing: Placing
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The faults that the network simulates until told otherwise."""

    reports: Manner = Manner.NORMAL  # for calls placed from now on, unless the script of the number says otherwise
    capacity: int | None = None  # live calls beyond which requests are refused
    down: bool = False  # every request is refused
    answer_delay: float = 0.0  # seconds until a request to place a call is answered


@dataclass(slots=True, kw_only=True)
class Call:
    """An accepted call."""

    place: Place
    course: Course
    manner: Manner
    timers: list[asyncio.TimerHandle]
    next_step: int = 0  # after the last step the call is over

    @property
    def carrier_call_id(self) -> str:
        return carrier_call_id(self.place.call_id)


def carrier_call_id(call_id: str) -> str:
    return f"sim_{call_id.replace('-', '')}"


class Network:
    """Resumes the calls in the ledger; must be created inside a running event loop. Raises ``LedgerInUse``."""

    def __init__(
        self, *, ledger: Path, seed: str, speed: float, reporter: Reporter, agent: Agent, recordings_url: str
    ) -> None:
        self.control = Control()
        self.live = 0
        self._seed = seed
        self._speed = speed
        self._reporter = reporter
        self._agent = agent
        self._recordings_url = recordings_url
        self._calls: dict[str, Call] = {}  # live, or ended recently
        self._placed: dict[str, int] = {}  # offset in the ledger of every accepted call
        self._hung_up: dict[str, int] = {}
        self._called: Counter[str] = Counter()
        self._refused_once: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self.ledger = Ledger(ledger)  # locked before it is read
        for line, entry in self.ledger.entries():
            self._remember(line, entry)
        for call in list(self._calls.values()):
            self._resume(call)

    def place(self, asked: Asked) -> Verdict:
        """Judge a request and record it, accepted or not; starts an accepted call."""
        verdict = self._judge(asked)
        line, place = self._write(asked, verdict.reason)
        if verdict.placing is Placing.BUSY_ONCE:
            self._refused_once.add(asked.call_id)
        if place.accepted:
            self._begin(line, place)
        return verdict

    def refuse(self, asked: Asked | None, reason: str) -> None:
        """Record a request that is refused without judging it, if it names a call."""
        if asked is not None:
            self._write(asked, reason)

    @property
    def remembered(self) -> int:
        """The number of calls in memory."""
        return len(self._calls)

    def find(self, call_id: str) -> Call | None:
        """Return an accepted call, from memory or from the ledger."""
        return self._calls.get(call_id) or self._recall(call_id)

    def has_recording(self, recording: str) -> bool:
        """Tell whether there is a recording of a finished call under this carrier's id of the call."""
        try:
            call = self.find(str(UUID(recording.removeprefix("sim_"))))
        except ValueError:
            return False
        return (
            call is not None
            and recording == call.carrier_call_id
            and call.course.end.talked_for is not None
            and not self.is_live(call)
        )

    def entries_since(self, at: datetime, *, limit: int) -> list[Entry]:
        return self.ledger.since(at, limit=limit)

    def hang_up(self, call: Call) -> None:
        """End a live call now and record it; does nothing for a call that is over."""
        if call.next_step == len(call.course.steps):
            return
        hang_up = HangUp(at=datetime.now(UTC), call_id=call.place.call_id)
        cut = self._cut(call, hang_up)
        if cut is not call.course:
            self._hung_up[hang_up.call_id] = self.ledger.write(hang_up)
            self._cancel(call)
            call.course = cut
            self._schedule(call, min(call.next_step, len(cut.steps) - 1))

    def is_live(self, call: Call) -> bool:
        return self._age(call) < call.course.end.at

    def reports_until_now(self, call: Call) -> list[dict[str, object]]:
        """Return the reports of a call so far, even if its script suppresses them."""
        age = self._age(call)
        return [self._report(call, step) for step in call.course.steps if step.at <= age]

    def close(self) -> None:
        for call in self._calls.values():
            self._cancel(call)
        self.ledger.close()

    def _write(self, asked: Asked, reason: str) -> tuple[int, Place]:
        place = Place(
            at=datetime.now(UTC), **asdict(asked), accepted=not reason, reason=reason, nth=self._called[asked.to]
        )
        return self.ledger.write(place), place

    def _judge(self, asked: Asked) -> Verdict:
        problems = {
            "repeated": asked.call_id in self._placed,  # first, because an accepted call must not be refused later
            "down": self.control.down,
            "invalid_number": not E164.fullmatch(asked.to),
            "capacity": self.control.capacity is not None and self.live >= self.control.capacity,
        }
        for reason, applies in problems.items():
            if applies:
                return Verdict(placing=Placing.REFUSED, reason=reason)
        placing = self._course(asked, self._called[asked.to]).script.placing
        if placing is Placing.BUSY_ONCE and asked.call_id in self._refused_once:
            placing = Placing.ACCEPTED
        return Verdict(placing=placing, reason=_NOT_ACCEPTED.get(placing, ""))

    def _begin(self, line: int, place: Place) -> None:
        call = self._add(line, place)
        if call.manner is Manner.NORMAL:
            call.manner = self.control.reports
        self.live += 1
        self._schedule(call, 0)

    def _remember(self, line: int, entry: Entry) -> None:
        match entry:
            case HangUp(call_id=call_id):
                self._hung_up[call_id] = line
                if call_id in self._calls:
                    self._calls[call_id].course = self._cut(self._calls[call_id], entry)
            case Place(accepted=True):
                call = self._add(line, entry)
                if self._ended_long_ago(call):
                    self._forget(call)
            case Place(reason="capacity_once"):
                self._refused_once.add(entry.call_id)

    def _resume(self, call: Call) -> None:
        """Continue a call from the ledger, unless it ended long ago."""
        if self._ended_long_ago(call):
            self._forget(call)
        else:
            self.live += 1
            self._schedule(call, 0)

    def _ended_long_ago(self, call: Call) -> bool:
        return self._age(call) >= call.course.end.at + RESUMED * self._speed

    def _add(self, line: int, place: Place) -> Call:
        self._placed[place.call_id] = line
        self._called[place.to] += 1
        self._refused_once.discard(place.call_id)
        call = self._calls[place.call_id] = self._call(place)
        return call

    def _forget(self, call: Call) -> None:
        self._calls.pop(call.place.call_id, None)

    def _recall(self, call_id: str) -> Call | None:
        """Rebuild a finished call from its ledger entries."""
        if call_id not in self._placed:
            return None
        place = self.ledger.read(self._placed[call_id])
        assert isinstance(place, Place)
        call = self._call(place)
        if call_id in self._hung_up:
            hang_up = self.ledger.read(self._hung_up[call_id])
            assert isinstance(hang_up, HangUp)
            call.course = self._cut(call, hang_up)
        call.next_step = len(call.course.steps)
        return call

    def _call(self, place: Place) -> Call:
        its_course = self._course(place, place.nth)
        return Call(place=place, course=its_course, manner=its_course.script.manner, timers=[])

    def _course(self, of: Asked | Place, nth: int) -> Course:
        return course(
            seed=self._seed,
            number=of.to,
            nth=nth,
            ring_timeout=of.ring_timeout_seconds,
            max_duration=of.max_duration_seconds,
        )

    def _age(self, call: Call) -> float:
        """Return the seconds since the call was accepted, multiplied by the speed."""
        return (time.time() - call.place.at.timestamp()) * self._speed

    def _cut(self, call: Call, hang_up: HangUp) -> Course:
        return call.course.cut((hang_up.at - call.place.at).total_seconds() * self._speed)

    def _schedule(self, call: Call, position: int) -> None:
        """Set a timer for one step of the course; the step sets the timer for the next, which keeps their order."""
        call.next_step = position
        seconds = call.course.steps[position].at - self._age(call)
        call.timers.append(self._after(seconds, self._happen, call, position))

    def _after(self, seconds: float, do: Callable[..., None], *arguments: object) -> asyncio.TimerHandle:
        return self._loop.call_later(max(0.0, seconds / self._speed), do, *arguments)

    def _cancel(self, call: Call) -> None:
        for timer in call.timers:
            timer.cancel()
        call.timers = []

    def _happen(self, call: Call, position: int) -> None:
        step = call.course.steps[position]
        is_end = step is call.course.end
        if is_end:
            self.live -= 1
            call.timers = []
            call.next_step = position + 1
            self._after(KEPT, self._forget, call)
        else:
            self._schedule(call, position + 1)
        conclude = self._conclude if is_end and step.outcome == "answered" else None
        then = None if conclude is None else lambda: conclude(call)
        match call.manner:
            case Manner.NORMAL:
                self._send(call, step, then)
            case Manner.TWICE:
                self._send(call, step)
                self._send(call, step, then)
            case Manner.LATE:
                self._after(LATE_BY, self._send, call, step, then)
            case Manner.OUT_OF_ORDER if is_end:
                first, *others = reversed(call.course.steps)
                self._send(call, first, then)
                for other in others:
                    self._send(call, other)
            case Manner.NEVER if then is not None:
                then()
            case _:
                pass
        if step.kind == "answered":
            self._converse(call, step)

    def _send(self, call: Call, step: Step, then: Callable[[], None] | None = None) -> None:
        self._reporter.send(call.place.call_id, self._report(call, step), then)

    def _converse(self, call: Call, answer: Step) -> None:
        """Let the callee make its request in the middle of the talk."""
        if call.course.script.asks and self._age(call) < call.course.end.at:
            middle = (answer.at + call.course.end.at) / 2
            call.timers.append(self._after(middle - self._age(call), self._ask, call, middle))

    def _ask(self, call: Call, at: float) -> None:
        if call.course.script.asks == "dnc":
            self._agent.ask_not_to_be_called(call.place.public_id)
        else:
            self._agent.ask_for_callback(call.place.public_id, at=self._moment(call, at + CALLBACK_AFTER))

    def _moment(self, call: Call, at: float) -> datetime:
        """Return the time ``at`` seconds after the call was accepted; the same after a restart."""
        return datetime.fromtimestamp(call.place.at.timestamp() + at / self._speed, UTC)

    def _conclude(self, call: Call) -> None:
        if self._is_recorded_later(call):
            self._agent.tell_recording(
                call.place.public_id, transcript=_transcript(call.course), recording_url=self._recording_url(call)
            )
        self._agent.tell_analysis(call.place.public_id, asked=call.course.script.asks)

    def _is_recorded_later(self, call: Call) -> bool:
        """Tell whether the agent sends transcript and recording; without an agent, the last report has them."""
        return call.course.records_later and self._agent.can_speak_for(call.place.public_id)

    def _recording_url(self, call: Call) -> str:
        return f"{self._recordings_url}/{call.carrier_call_id}.wav"

    def _report(self, call: Call, step: Step) -> dict[str, object]:
        is_told = step.kind == "ended" and step.talked_for is not None and not self._is_recorded_later(call)
        return {
            "kind": step.kind,
            "event_id": f"{call.carrier_call_id}-{step.kind}",
            "call_id": call.place.call_id,
            "carrier_call_id": call.carrier_call_id,
            "occurred_at": self._moment(call, step.at).isoformat(),
            "outcome": step.outcome,
            "ended_reason": step.ended_reason,
            "duration_seconds": round(step.talked_for) if step.talked_for is not None else None,
            "transcript": _transcript(call.course) if is_told else None,
            "recording_url": self._recording_url(call) if is_told else None,
        }


def changed(control: Control, wishes: dict[str, object]) -> Control:
    """Return the control with the requested changes; raises ``ValueError`` for invalid ones."""
    match wishes:
        case {"reports": str(manner), **others}:
            return changed(replace(control, reports=Manner(manner)), others)
        case {"capacity": int() | None as capacity, **others} if not isinstance(capacity, bool):
            return changed(replace(control, capacity=capacity), others)
        case {"down": bool(down), **others}:
            return changed(replace(control, down=down), others)
        case {"answer_delay": int() | float() as delay, **others} if (
            not isinstance(delay, bool) and 0 <= delay <= LONGEST_DELAY
        ):
            return changed(replace(control, answer_delay=float(delay)), others)
        case _ if wishes:
            message = f"cannot be controlled: {', '.join(wishes)}"
            raise ValueError(message)
        case _:
            return control


def _transcript(of: Course) -> str:
    if of.end.outcome == "voicemail":
        return (
            "Callee: You have reached our voicemail. Please leave a message after the tone.\nAgent: We will try again."
        )
    wish = {
        "callback": "Callee: I have no time now. Please call me back later.\nAgent: Gladly, until then.",
        "dnc": "Callee: Please do not call me again.\nAgent: Of course. Goodbye.",
    }.get(of.script.asks or "", "Callee: Yes, that sounds good.\nAgent: Wonderful. Thank you for your time.")
    return f"Agent: Hello, this is Ringback's demo assistant. Do you have a moment?\n{wish}"
