"""The carrier's own record: one JSON line per request to place a call or send a text, accepted or not, and per hang-up
of a call.

Ringback never writes it, so tests can judge Ringback by it: a call that was requested twice is in it twice.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A request to place a call, and its result; ``at`` is when it reached the carrier."""

    at: datetime
    call_id: str
    public_id: str
    to: str
    accepted: bool
    reason: str  # why it was not accepted, "" where it was
    nth: int  # calls this number had accepted before
    ring_timeout_seconds: float
    max_duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """A hang-up of a live call on request."""

    at: datetime
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A request to send a text message, and its result."""

    at: datetime
    message_id: str
    to: str
    accepted: bool
    reason: str


Entry = Place | HangUp | Text


def places(path: Path | str) -> list[Place]:
    """Return the requests to place a call, in order; empty if there is no file."""
    return [entry for entry in entries(path) if isinstance(entry, Place)]


def entries(path: Path | str) -> list[Entry]:
    """Return the entries of a ledger, in order.

    Leaves out an unfinished last line: it is still being written, or the carrier died and never answered it.
    """
    try:
        with Path(path).open("rb") as file:
            return [_entry(line) for line in file if line.endswith(b"\n")]
    except FileNotFoundError:
        return []


def _entry(line: bytes) -> Entry:
    fields = json.loads(line)
    at = datetime.fromisoformat(fields["at"])
    if "hung_up" in fields:
        return HangUp(at=at, call_id=fields["hung_up"])
    return (Text if "message_id" in fields else Place)(**fields | {"at": at})


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry in its JSON form."""
    at = {"at": entry.at.isoformat()}
    return at | {"hung_up": entry.call_id} if isinstance(entry, HangUp) else asdict(entry) | at


def _line(entry: Entry) -> bytes:
    return json.dumps(as_json(entry), separators=(",", ":")).encode() + b"\n"


_LITTLE: Final = 64 * 1024
"""Once a search is down to so many bytes, the ledger is read line by line."""


class LedgerInUse(Exception):
    """Another process writes this ledger; two carriers on it would accept the same call twice."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another simulated carrier runs on the ledger {path}: stop it, or choose another --ledger")


class Ledger:
    """The file, locked and open for appending; raises :class:`LedgerInUse` if another process has it.

    Entries survive a crash of the process, but not of the machine.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise LedgerInUse(path) from None
        _cut_unfinished_line(path)
        self._length = path.stat().st_size
        self._reader = path.open("rb")

    def write(self, entry: Entry) -> int:
        """Append a line in one write, before the request is answered; returns its offset for :meth:`read`.

        Raises ``OSError``, and leaves nothing behind, if the disk has no room for the whole line.
        """
        begins_at, line = self._length, _line(entry)
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, begins_at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._length += len(line)
        return begins_at

    def read(self, begins_at: int) -> Entry:
        self._reader.seek(begins_at)
        return _entry(self._reader.readline())

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Yield all entries with their offsets; nothing else may be read meanwhile."""
        begins_at = self._reader.seek(0)
        for line in self._reader:
            yield begins_at, _entry(line)
            begins_at += len(line)

    def since(self, at: datetime, *, limit: int) -> list[Entry]:
        """Return the first ``limit`` entries from a time on; in a long file, finds the place by bisection.

        If the clock was set back while the file was written, entries of the repeated period may be left out.
        """
        low, high = 0, self._length
        while high - low > _LITTLE:
            middle = (low + high) // 2
            self._reader.seek(middle)
            begins_at = middle + len(self._reader.readline())
            line = self._reader.readline()
            if line and _entry(line).at < at:
                low = begins_at
            else:
                high = middle
        self._reader.seek(low)
        later = (entry for entry in map(_entry, self._reader) if entry.at >= at)
        return list(islice(later, limit))

    def close(self) -> None:
        self._reader.close()
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cut_unfinished_line(path: Path) -> None:
    with path.open("r+b") as file:
        content = file.read()
        if content and not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
