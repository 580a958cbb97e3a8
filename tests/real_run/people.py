"""Who is called in the real run: what each number does, what is done for it, and how often it is to be called."""

from dataclasses import dataclass
from datetime import timedelta

from dialer.carriers.simulation.script import SCRIPTS, Placing, script_of
from dialer.rules.statuses import ENVELOPE_STATUS, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One contact; ``calls`` is how often the carrier is to be asked for it, ``told`` what is told beside its calls."""

    name: str
    phone: str
    calls: int
    delay: timedelta = timedelta(minutes=10)
    """After its first call, as its campaign says."""
    told: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """Return how each of its calls ends, as the simulated carrier's documentation says."""
        script = script_of(self.phone)
        assert script is not None
        return ENVELOPE_STATUS[Outcome(script.outcome)]

    @property
    def exists(self) -> bool:
        script = script_of(self.phone)
        return script is not None and script.placing is not Placing.REFUSED


def _phone(number: int, does: str) -> str:
    assert does in SCRIPTS
    return f"+4930{number:04d}00{does}"


ANSWERS, MACHINE, RINGS_OUT, BUSY, NO_NUMBER, DECLINES, FAULT, ASKS, REFUSES = (
    "00", "01", "02", "03", "04", "05", "06", "09", "10"
)  # fmt: skip
_RETRY = ("callback.scheduled",)

SIMPLE = (
    Person(name="answers", phone=_phone(1, ANSWERS), calls=1, told=("call.started", "call.analyzed")),
    Person(name="declines", phone=_phone(2, DECLINES), calls=1),
    Person(name="does not exist", phone=_phone(3, NO_NUMBER), calls=1),
    Person(name="wants no calls", phone=_phone(4, REFUSES), calls=1, told=("contact.suppressed",)),
)
CALLED_NOW = Person(name="called now", phone=_phone(10, BUSY), calls=2, told=(*_RETRY, "callback.rescheduled"))
MOVED = Person(name="moved", phone=_phone(11, BUSY), calls=2, told=(*_RETRY, "callback.rescheduled"))
SKIPPED = Person(name="skipped", phone=_phone(12, BUSY), calls=1, told=(*_RETRY, "callback.skipped"))
CANCELLED = Person(name="cancelled", phone=_phone(13, BUSY), calls=1, told=(*_RETRY, "callback.cancelled"))
HANDLED = Person(name="handled", phone=_phone(14, BUSY), calls=1, told=(*_RETRY, "callback.completed"))
SUPPRESSED = Person(
    name="suppressed", phone=_phone(15, FAULT), calls=1, told=(*_RETRY, "callback.cancelled", "contact.suppressed")
)
RINGS_US = Person(
    name="rings us", phone=_phone(16, MACHINE), calls=1, told=(*_RETRY, "callback.completed", "call.received")
)
IN_BULK = tuple(
    Person(name=f"in bulk {n}", phone=_phone(20 + n, RINGS_OUT), calls=2, told=(*_RETRY, "callback.rescheduled"))
    for n in range(3)
)
LEFT_ALONE = Person(name="left alone", phone=_phone(30, MACHINE), calls=2, delay=timedelta(minutes=1), told=_RETRY)
"""In a campaign of its own; nobody touches its retry."""
CAMPAIGN = (*SIMPLE, CALLED_NOW, MOVED, SKIPPED, CANCELLED, HANDLED, SUPPRESSED, RINGS_US, *IN_BULK)
"""Who is in the first campaign, by a CSV."""

PROMISED = Person(name="promised", phone=_phone(40, ANSWERS), calls=1, told=("callback.scheduled",))
"""In no campaign; somebody promised a call."""
ASKING = Person(name="asks again", phone=_phone(41, ASKS), calls=1)
"""Answers, and asks during each call for another one; ``calls`` is the first."""
WRITTEN_TO = _phone(42, ANSWERS)

IMPORTED = tuple(Person(name=f"imported {n}", phone=_phone(1000 + n, DECLINES), calls=1) for n in range(120))
"""Of the large file, in which each stands twenty times."""
REPEATED = 20


def csv_of(people: tuple[Person, ...], *, times: int = 1) -> bytes:
    rows = [f"{person.phone},{person.name},UTC\n" for person in people] * times
    return ("phone,name,time zone\n" + "".join(rows)).encode()
