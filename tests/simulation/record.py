"""What really happened, as the carrier and the people outside know it; nothing here is Ringback's word.

The ledger is the carrier's, as is what it reported; the journal is that of everybody who told Ringback something and
was answered. All share one count, so that of two things at one instant it is known which came first.
"""

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

Subject = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the carrier, and what became of it there."""

    seq: int
    at: datetime
    number: str
    call_id: str
    answer: str
    """``accepted``, ``refused``, ``lost`` (no readable answer), or not taken and to be asked again: ``busy``, and
    ``away`` where the carrier is out of reach."""
    ends_at: datetime | None
    """When the call ended on the phone; ``None`` where there never was one."""
    caller_id: str = ""
    """The number that the callee was to see; each campaign has its own."""
    outcome: str = ""
    """Of a refused call, how the carrier says that it ended."""

    @property
    def is_attempt(self) -> bool:
        return self.answer not in ("busy", "away")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that Ringback was told, and took: what of which subject was set to which value."""

    seq: int
    at: datetime
    what: str
    subject: Subject
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A report of the carrier, at the moment at which a worker took it up."""

    seq: int
    at: datetime
    call_id: str
    kind: str
    outcome: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text message that the carrier was given."""

    seq: int
    at: datetime
    number: str
    message_id: str


@dataclass(slots=True)
class Record:
    """Append-only, from any thread."""

    ledger: list[Request] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def requested(self, at: datetime, **said: Any) -> None:
        """Note a request to the carrier; ``said`` are the other fields of :class:`Request`."""
        with self._lock:
            self.count += 1
            self.ledger.append(Request(seq=self.count, at=at, **{"ends_at": None, **said}))

    def took_up(self, at: datetime, **said: Any) -> None:
        """Note that a worker took up a report; ``said`` are the other fields of :class:`Heard`."""
        with self._lock:
            self.count += 1
            self.heard.append(Heard(seq=self.count, at=at, **said))

    def texted(self, at: datetime, *, number: str, message_id: str) -> None:
        with self._lock:
            self.count += 1
            self.texts.append(Text(seq=self.count, at=at, number=number, message_id=message_id))

    def told(self, at: datetime, what: str, subject: Subject, value: Any = None) -> None:
        with self._lock:
            self.count += 1
            self.journal.append(Entry(seq=self.count, at=at, what=what, subject=subject, value=value))

    def number_of(self, call_id: str) -> str:
        """Return the number that the carrier was asked to dial for a call."""
        return next(request.number for request in self.ledger if request.call_id == call_id)

    def hung_up(self, at: datetime, call_id: str) -> None:
        """Let a call end earlier than it would have."""
        with self._lock:
            for index, request in enumerate(self.ledger):
                if request.call_id == call_id and request.ends_at is not None and request.ends_at > at:
                    self.ledger[index] = replace(request, ends_at=at)
