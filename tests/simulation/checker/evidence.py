"""All that a verdict is founded on, put side by side: the carrier's ledger, the journal, and the rows."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from tests.simulation.checker.history import History
from tests.simulation.checker.rows import Rows
from tests.simulation.checker.window import Window
from tests.simulation.record import Record, Request

OVER = ("completed", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was broken, and where it is seen."""

    rule: str
    seen: str


class Evidence:
    """The three sources, indexed."""

    def __init__(self, record: Record, rows: Rows) -> None:
        self.ledger: Sequence[Request] = record.ledger
        self.history = History(record.journal)
        self.rows = rows
        self.call: Mapping[str, Any] = {row.id: row for row in rows.calls}
        self.callback_of: Mapping[str, Any] = {row.call: row for row in rows.callbacks}

    @cached_property
    def attempts(self) -> dict[str, Request]:
        """The first request for each call that was not refused before it was taken."""
        found: dict[str, Request] = {}
        for request in self.ledger:
            if request.is_attempt:
                found.setdefault(request.call_id, request)
        return found

    @cached_property
    def attempts_to(self) -> dict[tuple[str, str], list[Request]]:
        """Attempts by workspace and number, in order."""
        found: dict[tuple[str, str], list[Request]] = defaultdict(list)
        for request in self.ledger:
            if request.is_attempt and request.call_id in self.call:
                found[self.call[request.call_id].workspace, request.number].append(request)
        return found

    @cached_property
    def attempts_to_contact(self) -> dict[str, list[Request]]:
        found: dict[str, list[Request]] = defaultdict(list)
        for request in self.attempts.values():
            if request.call_id in self.call:
                found[self.call[request.call_id].contact].append(request)
        return found

    @cached_property
    def refused_by_trunk(self) -> frozenset[str]:
        """Calls that the carrier was too busy to take at least once."""
        return frozenset(request.call_id for request in self.ledger if not request.is_attempt)

    @cached_property
    def callbacks_of_contact(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for callback in self.rows.callbacks:
            found[callback.contact].append(callback)
        return found

    def forced(self, call_id: str, *, seq: int) -> frozenset[str]:
        """Return the checks that an operator let one call pass."""
        return frozenset(self.history.of("forced", call_id, seq=seq) or ())

    def window_allows(self, call: Any, number: str, *, at: datetime, seq: int) -> bool:
        """Judge a start by the settings in force when ``seq`` happened."""
        workspace = self.history.of("workspace", call.workspace, seq=seq)
        campaign = self.history.of("campaign", call.campaign, seq=seq) if call.campaign else {}
        contact = self.history.of("contact", call.contact, seq=seq)
        window = Window(
            [call.schedule, campaign.get("schedule", {}), workspace["schedule"]],
            phone=number,
            fallback_zone=campaign.get("time_zone") or workspace["time_zone"],
        )
        return window.allows(at, own_zone=contact["time_zone"], ring=timedelta(seconds=30))

    def exceeded_limit(self, call: Any, number: str, *, at: datetime, seq: int) -> str:
        """Name a limit that one more call at ``at`` exceeds, counting what the ledger shows before ``seq``."""
        limits = list(self.history.of("workspace", call.workspace, seq=seq)["limits"])
        if call.campaign:
            limits += self.history.of("campaign", call.campaign, seq=seq)["limits"]
        earlier = [r for r in self.attempts_to.get((call.workspace, number), ()) if r.seq < seq]
        for limit in limits:
            since = at - timedelta(hours=limit["period_hours"])
            counted = sum(
                1
                for request in earlier
                if request.at > since
                and (limit["scope"] == "number" or self.call[request.call_id].campaign == call.campaign)
            )
            if counted >= limit["max"]:
                return f"{counted} calls within {limit['period_hours']} h before, at most {limit['max']}"
        return ""

    def is_suppressed(self, workspace: str, number: str, *, seq: int) -> bool:
        return self.history.of("suppressed", workspace, number, seq=seq) is True

    def status_of(self, campaign: str | None, *, at: datetime) -> str:
        return self.history.at("campaign_status", campaign, at=at) if campaign else "running"

    def has_stood_still(self, since: datetime, until: datetime) -> bool:
        """Tell whether the workers were down at any time between two instants."""
        entries = self.history.all("workers")
        times = [entry.at for entry in entries]
        first, last = bisect_left(times, since), bisect_right(times, until)
        was_down = first > 0 and entries[first - 1].value == "down"
        return was_down or any(entry.value == "down" for entry in entries[first:last])
