"""What really happened, as the carrier and the people outside know it; nothing here is Ringback's word.

The ledger is the carrier's, the journal is that of everybody who told Ringback something and was answered. Both share
one count, so that of two things at one instant it is known which came first.
"""

import threading
from dataclasses import dataclass, field
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
    """``accepted``, ``refused``, ``busy`` (not taken, to be asked again) or ``lost`` (no readable answer)."""
    ends_at: datetime | None
    """When the call ended on the phone; ``None`` where there never was one."""

    @property
    def is_attempt(self) -> bool:
        return self.answer != "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that Ringback was told, and took: what of which subject was set to which value."""

    seq: int
    at: datetime
    what: str
    subject: Subject
    value: Any


@dataclass(slots=True)
class Record:
    """Append-only, from any thread."""

    ledger: list[Request] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def requested(
        self, at: datetime, *, number: str, call_id: str, answer: str, ends_at: datetime | None = None
    ) -> None:
        with self._lock:
            self._count += 1
            self.ledger.append(
                Request(seq=self._count, at=at, number=number, call_id=call_id, answer=answer, ends_at=ends_at)
            )

    def told(self, at: datetime, what: str, subject: Subject, value: Any = None) -> None:
        with self._lock:
            self._count += 1
            self.journal.append(Entry(seq=self._count, at=at, what=what, subject=subject, value=value))

    def hung_up(self, at: datetime, call_id: str) -> None:
        """Let a call end earlier than it would have."""
        with self._lock:
            for index, request in enumerate(self.ledger):
                if request.call_id == call_id and request.ends_at is not None and request.ends_at > at:
                    self.ledger[index] = Request(
                        seq=request.seq,
                        at=request.at,
                        number=request.number,
                        call_id=call_id,
                        answer=request.answer,
                        ends_at=at,
                    )
