"""How each call ended, by what the carrier said and what people did meanwhile; rows are not asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.simulation.checker.history import History
from tests.simulation.record import Heard, Record, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of one call: how, when on the carrier's clock, and when a worker took it up."""

    outcome: str
    at: datetime
    taken_up_at: datetime
    seq: int


def ends_of(record: Record, attempts: Mapping[str, Request], history: History) -> dict[str, End]:
    """Return the end of every call of which the carrier told one; the first that was taken up counts."""
    found = {
        request.call_id: End(outcome=request.outcome, at=request.at, taken_up_at=request.at, seq=request.seq)
        for request in attempts.values()
        if request.answer == "refused"
    }
    connected: dict[str, datetime] = {}
    for report in record.heard:
        if report.kind in ("answered", "machine"):
            connected.setdefault(report.call_id, report.at)
        if report.kind == "ended" and report.call_id not in found and report.call_id in attempts:
            found[report.call_id] = _end(report, attempts[report.call_id], history, connected.get(report.call_id))
    return found


def _end(report: Heard, attempt: Request, history: History, connected_at: datetime | None) -> End:
    """Apply what was wished for while the call went on: no further calls, or that it be stopped before it connects."""
    outcome = report.outcome
    had_connected = connected_at is not None and connected_at < report.at
    if outcome == "answered" and _was_told(history, "asked not to be called", report):
        outcome = "dnc_request"
    elif outcome != "answered" and not had_connected and _was_told(history, "call cancelled", report):
        outcome = "cancelled"
    at = min(max(report.occurred_at, attempt.at), report.at)
    return End(outcome=outcome, at=at, taken_up_at=report.at, seq=report.seq)


def _was_told(history: History, what: str, report: Heard) -> bool:
    return any(entry.seq < report.seq for entry in history.all(what, report.call_id))
