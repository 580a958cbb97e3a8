"""A carrier inside the worker's process, so that the engine is measured and not a network.

It takes every call, notes when it was asked, and reports the call's end at once; reports are stored as the web process
would store them, in the batches in which they come.
"""

import atexit
import os
import queue
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection

from dialer.carriers.base import (
    Accepted,
    Answer,
    HandedOver,
    LookUp,
    NotFound,
    PlaceRequest,
    Report,
    ReportNotAuthentic,
    ReportRequest,
)
from dialer.dialing import carrier_reports

_REPORTS_AT_ONCE = 100
_PAUSE_SECONDS = 0.005
_reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
_started = threading.Lock()
_notes: dict[str, Any] = {}


class Carrier:
    """The adapter that ``CARRIER_SIMULATED_CLASS`` names in a bench."""

    credential_names: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, line: object) -> None:
        self.line = line

    def place(self, request: PlaceRequest) -> Answer:
        asked_at = time.time()
        _note(request.call_id, asked_at)
        carrier_call_id = f"bench-{request.call_id}"
        _reports.put(
            Report(
                kind="ended",
                event_id=carrier_call_id,
                call_id=request.call_id,
                carrier_call_id=carrier_call_id,
                occurred_at=datetime.fromtimestamp(asked_at, UTC),
                outcome="no_answer",
                ended_reason="no_answer",
            )
        )
        return Accepted(carrier_call_id=carrier_call_id)

    def look_up(self, call: HandedOver) -> LookUp:  # noqa: ARG002 — the protocol's parameter
        return NotFound()

    def hang_up(self, call: HandedOver) -> None:
        """Nobody is on the phone."""

    def parse_reports(self, request: ReportRequest) -> list[Report]:  # noqa: ARG002 — the protocol's
        """Refuse all: this carrier reports within the process, so whatever comes over HTTP is not its own."""
        raise ReportNotAuthentic


def _note(call_id: UUID, at: float) -> None:
    """Write when the call was asked for to this process's ledger, and start the reporter once."""
    with _started:
        if not _notes:
            folder = Path(os.environ["BENCH_LEDGERS"])
            _notes["file"] = (folder / f"{os.getpid()}.csv").open("a", buffering=1 << 14)
            atexit.register(_notes["file"].close)
            threading.Thread(target=_report, daemon=True).start()
        _notes["file"].write(f"{call_id},{at:.6f}\n")


def _report() -> None:
    while True:
        batch = [_reports.get()]
        time.sleep(_PAUSE_SECONDS)
        while len(batch) < _REPORTS_AT_ONCE and not _reports.empty():
            batch.append(_reports.get())
        carrier_reports.store("simulated", batch)
        with _started:
            _notes["file"].flush()
        if _reports.empty():
            connection.close()
