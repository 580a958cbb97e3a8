"""What happens when a number is called: its last digits name a script, else seeded chance decides.

Pure: the course of a call depends only on the seed, the number, the count of earlier calls to it, and the request. So
a restarted carrier knows what happened to its calls.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal


class Placing(StrEnum):
    """How a request to place the call is answered."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # permanently
    BUSY_ONCE = "busy_once"  # refused for capacity at the first request, accepted at the next
    SILENT = "silent"  # accepted, and the answer never comes
    FAULT = "fault"  # accepted, and the answer is HTTP 500
    LOST = "lost"  # not accepted, and no answer comes


class Manner(StrEnum):
    """How the reports of a call are sent."""

    NORMAL = "normal"
    LATE = "late"  # each delayed by :data:`LATE_BY`
    TWICE = "twice"
    OUT_OF_ORDER = "out_of_order"  # all after the end of the call, the last one first
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The behaviour of numbers with the same ending."""

    meaning: str
    outcome: str
    placing: Placing = Placing.ACCEPTED
    manner: Manner = Manner.NORMAL
    can_be_looked_up: bool = True
    asks: Literal["callback", "dnc"] | None = None  # what the callee asks for; sent through the API during the talk
    talks_on: bool = False  # until somebody hangs up, or until the longest talk
    is_late_machine: bool = False  # a machine that first counts as a person
    records_later: bool = False  # transcript and recording come through the API, not in the last report


SCRIPTS: Final = {
    "00": Script(meaning="answers and talks", outcome="answered"),
    "01": Script(meaning="a machine answers", outcome="voicemail"),
    "02": Script(meaning="rings until the ring timeout", outcome="no_answer"),
    "03": Script(meaning="is busy", outcome="busy"),
    "04": Script(
        meaning="does not exist: refused when it is to be placed", outcome="invalid_number", placing=Placing.REFUSED
    ),
    "05": Script(meaning="rings, then declines", outcome="declined"),
    "06": Script(meaning="cannot be reached: a fault of the network", outcome="network_error"),
    "07": Script(meaning="is accepted, but the answer times out; answers", outcome="answered", placing=Placing.SILENT),
    "08": Script(meaning="answers, but nothing is ever reported", outcome="answered", manner=Manner.NEVER),
    "09": Script(meaning="answers and asks for a callback", outcome="answered", asks="callback"),
    "10": Script(meaning="answers and asks not to be called again", outcome="answered", asks="dnc"),
    "11": Script(
        meaning="is refused once for want of capacity, then answers", outcome="answered", placing=Placing.BUSY_ONCE
    ),
    "12": Script(meaning="answers; every report comes twice", outcome="answered", manner=Manner.TWICE),
    "13": Script(
        meaning="answers; the reports come after the end, the last one first",
        outcome="answered",
        manner=Manner.OUT_OF_ORDER,
    ),
    "14": Script(
        meaning="answers, nothing is ever reported, and a look-up cannot say",
        outcome="answered",
        manner=Manner.NEVER,
        can_be_looked_up=False,
    ),
    "15": Script(
        meaning="the request is lost: not accepted, no answer, unknown when looked up",
        outcome="answered",
        placing=Placing.LOST,
    ),
    "16": Script(meaning="is accepted, but the answer is HTTP 500; answers", outcome="answered", placing=Placing.FAULT),
    "17": Script(meaning="answers, and is a machine as is seen later", outcome="voicemail", is_late_machine=True),
    "18": Script(meaning="answers and talks until somebody hangs up", outcome="answered", talks_on=True),
    "19": Script(meaning="answers; the reports come late", outcome="answered", manner=Manner.LATE),
    "20": Script(
        meaning="answers; transcript and recording come through the API", outcome="answered", records_later=True
    ),
}
"""Scripts by the last two digits of a number, for numbers whose last four digits are ``00`` and these."""

CHANCES: Final = {
    "answered": 0.35,
    "no_answer": 0.30,
    "voicemail": 0.15,
    "busy": 0.10,
    "network_error": 0.05,
    "declined": 0.03,
    "invalid_number": 0.02,
}
"""The share of each outcome for numbers without a script."""

BY_CHANCE: Final = {
    outcome: Script(
        meaning=f"{outcome} by chance",
        outcome=outcome,
        placing=Placing.REFUSED if outcome == "invalid_number" else Placing.ACCEPTED,
    )
    for outcome in CHANCES
}

RECORDS_LATER: Final = 0.2
"""The share of calls answered by chance whose recording comes later."""
PROGRESS: Final = 0.5
"""Seconds until the phone rings, or a busy or broken line is detected. All seconds here are at speed 1."""
RING: Final = (2.0, 8.0)
TALK: Final = (5.0, 40.0)
MACHINE_TALK: Final = (5.0, 15.0)
MACHINE_VERDICT: Final = 3.0
"""Seconds after the answer until a machine that counted as a person is detected."""
LATE_BY: Final = 20.0

_TAIL: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event of a call; ``at`` is in seconds since the call was accepted."""

    kind: Literal["ringing", "answered", "machine", "ended"]
    at: float
    outcome: str | None = None
    ended_reason: str | None = None
    talked_for: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The steps of one call; the last one is its end."""

    script: Script
    steps: tuple[Step, ...]
    records_later: bool = False

    @property
    def end(self) -> Step:
        return self.steps[-1]

    def cut(self, at: float) -> "Course":
        """Return the course if somebody hangs up at ``at`` seconds; unchanged if the call is over by then."""
        if at >= self.end.at:
            return self
        past = tuple(step for step in self.steps if step.at <= at)
        answer = next((step for step in past if step.kind in ("answered", "machine")), None)
        is_machine = any(step.kind == "machine" for step in past)
        end = Step(
            kind="ended",
            at=at,
            outcome="cancelled" if answer is None else "voicemail" if is_machine else "answered",
            ended_reason="cancelled" if answer is None else "agent_hangup",
            talked_for=None if answer is None else at - answer.at,
        )
        return replace(self, steps=(*past, end))


def course(*, seed: str, number: str, nth: int, ring_timeout: float, max_duration: float) -> Course:
    """Return the course of the ``nth`` call (from 0) to a number."""
    dice = _dice(seed, number, nth)
    script = script_of(number) or BY_CHANCE[_chance(seed, number, dice)]
    ring = PROGRESS + dice.uniform(*RING)
    talk = dice.uniform(*(TALK if script.outcome == "answered" else MACHINE_TALK))
    ringing = Step(kind="ringing", at=PROGRESS)
    records_later = script.records_later or (script is BY_CHANCE["answered"] and dice.random() < RECORDS_LATER)
    match script.outcome:
        case "answered" | "voicemail" if ring < PROGRESS + ring_timeout:
            steps = (ringing, *_talk(script, ring, talk, max_duration))
            return Course(script=script, steps=steps, records_later=records_later)
        case "declined" if ring < PROGRESS + ring_timeout:
            return Course(script=script, steps=(ringing, _end("declined", ring)))
        case "answered" | "voicemail" | "declined" | "no_answer":
            return Course(script=script, steps=(ringing, _end("no_answer", PROGRESS + ring_timeout)))
        case outcome:
            return Course(script=script, steps=(_end(outcome, PROGRESS),))


def _dice(seed: str, number: str, nth: int) -> random.Random:
    return random.Random(f"{seed}:{number}:{nth}")  # noqa: S311 — must be reproducible, not secret


def _chance(seed: str, number: str, dice: random.Random) -> str:
    """Draw the outcome of a call; whether a number exists is drawn once for all its calls."""
    outcome = _draw(dice, CHANCES)
    if _draw(_dice(seed, number, 0), CHANCES) == "invalid_number":
        return "invalid_number"
    if outcome != "invalid_number":
        return outcome
    return _draw(dice, {name: share for name, share in CHANCES.items() if name != "invalid_number"})


def _draw(dice: random.Random, shares: Mapping[str, float]) -> str:
    return dice.choices(list(shares), list(shares.values()))[0]


def script_of(number: str) -> Script | None:
    """Return the script for the last digits of a number, if there is one."""
    tail = number[-_TAIL:]
    return SCRIPTS.get(tail[2:]) if tail.startswith("00") else None


def _talk(script: Script, ring: float, talk: float, max_duration: float) -> tuple[Step, ...]:
    lasts = max_duration if script.talks_on else min(talk, max_duration)
    is_machine = script.outcome == "voicemail"
    verdict = ring + min(MACHINE_VERDICT, lasts / 2)
    answers = {
        (True, True): (Step(kind="answered", at=ring), Step(kind="machine", at=verdict)),
        (True, False): (Step(kind="machine", at=ring),),
        (False, False): (Step(kind="answered", at=ring),),
    }[is_machine, script.is_late_machine]
    reason = "max_duration" if lasts == max_duration else "voicemail" if is_machine else "contact_hangup"
    end = Step(kind="ended", at=ring + lasts, outcome=script.outcome, ended_reason=reason, talked_for=lasts)
    return (*answers, end)


def _end(outcome: str, at: float) -> Step:
    return Step(kind="ended", at=at, outcome=outcome, ended_reason=outcome)
