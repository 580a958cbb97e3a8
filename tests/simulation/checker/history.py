"""What held when: the journal, asked for the value of a subject as it was at a certain point."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.simulation.record import Entry, Subject


class History:
    """Values by what they are of; each is in force until the next is told."""

    def __init__(self, journal: Iterable[Entry]) -> None:
        self._told: dict[tuple[str, Subject], list[Entry]] = defaultdict(list)
        for entry in journal:
            self._told[entry.what, entry.subject].append(entry)

    def of(self, what: str, *subject: str, seq: int) -> Any:
        """Return the value that was in force when ``seq`` happened; ``None`` before the first."""
        entries = self._told.get((what, subject), [])
        position = bisect_right(entries, seq, key=lambda entry: entry.seq)
        return entries[position - 1].value if position else None

    def at(self, what: str, *subject: str, at: datetime) -> Any:
        """Return the value in force at a time; of two told then, the later."""
        entries = self._told.get((what, subject), [])
        position = bisect_right(entries, at, key=lambda entry: entry.at)
        return entries[position - 1].value if position else None

    def of_all(self, what: str) -> list[tuple[Subject, list[Entry]]]:
        """Return what was told of every subject."""
        return [(subject, entries) for (told, subject), entries in self._told.items() if told == what]

    def all(self, what: str, *subject: str | None) -> list[Entry]:
        """Return everything that was told of a subject; nothing of one that there is not."""
        return [] if None in subject else self._told.get((what, tuple(map(str, subject))), [])
