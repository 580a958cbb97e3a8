"""The carrier's own record of what it was asked: one JSON line per request to place a call, accepted or not.

Ringback never writes it, so it can judge Ringback: a call that was asked for twice stands here twice.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A request to place a call and what became of it; ``at`` is when it reached the carrier."""

    at: datetime
    call_id: str
    public_id: str
    to: str
    accepted: bool
    reason: str  # why it was not accepted, "" where it was
    nth: int  # calls this number had accepted before
    ring_timeout_seconds: float
    max_duration_seconds: float


def places(path: Path | str) -> list[Place]:
    """Return the requests in their order; none where there is no file.

    A last line without its end is being written, or was when the carrier died, and was never answered: left out.
    """
    try:
        with Path(path).open("rb") as file:
            return list(_read(file))
    except FileNotFoundError:
        return []


def _read(lines: Iterator[bytes]) -> Iterator[Place]:
    for line in lines:
        if line.endswith(b"\n"):
            fields = json.loads(line)
            yield Place(**fields | {"at": datetime.fromisoformat(fields["at"])})


class Ledger:
    """The file, open to append. What is written survives the death of the process, not that of the machine."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_unfinished_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, place: Place) -> None:
        """Append a line in one write, before anybody is answered."""
        fields = asdict(place) | {"at": place.at.isoformat()}
        os.write(self._file, json.dumps(fields, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cut_unfinished_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        if content and not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
