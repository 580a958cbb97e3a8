"""A carrier inside the test's process: it keeps a ledger and answers as it is told.

Not the simulated carrier, which is a process of its own; this one is for tests that judge the engine alone.
"""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection
from django.test import override_settings

from dialer import carriers
from dialer.carriers import reading
from dialer.carriers.base import (
    Accepted,
    Answer,
    CannotSay,
    HandedOver,
    LookUp,
    MessageReport,
    NotFound,
    PlaceRequest,
    Report,
    ReportNotAuthentic,
    ReportRequest,
    SendAnswer,
    SendRequest,
    Sent,
)
from dialer.models import Line

_event_ids = itertools.count(1)


class InProcessCarrier:
    """What the adapter below speaks to; one per test."""

    def __init__(self) -> None:
        self.placed: list[PlaceRequest] = []
        self.hung_up: list[UUID] = []
        self.texts: list[SendRequest] = []
        self.answer: Callable[[PlaceRequest], Answer] = lambda request: Accepted(carrier_call_id=f"c-{request.call_id}")
        self.fate: Callable[[UUID], LookUp] = lambda _: NotFound()
        self.send_answer: Callable[[SendRequest], SendAnswer] = lambda request: Sent(
            carrier_message_id=f"c-{request.message_id}"
        )
        self.on_hang_up: Callable[[UUID], None] = lambda _: None
        self._lock = threading.Lock()

    def numbers(self) -> list[str]:
        return [request.to for request in self.placed]

    def take(self, request: PlaceRequest) -> Answer:
        with self._lock:
            self.placed.append(request)
        try:
            return self.answer(request)
        finally:
            if threading.current_thread().name.startswith("carrier"):
                # An answer may ask the database; nobody else closes the connection of a thread of the pool.
                connection.close()

    def take_text(self, request: SendRequest) -> SendAnswer:
        with self._lock:
            self.texts.append(request)
        return self.send_answer(request)


current = InProcessCarrier()


class VoiceOnly:
    """The protocol's side of it, of a carrier that takes no text messages."""

    credential_names: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, line: Line) -> None:
        self.line = line

    def place(self, request: PlaceRequest) -> Answer:
        return current.take(request)

    def look_up(self, call: HandedOver) -> LookUp:
        return current.fate(call.call_id)

    def hang_up(self, call: HandedOver) -> None:
        current.hung_up.append(call.call_id)
        current.on_hang_up(call.call_id)

    def parse_reports(self, request: ReportRequest) -> list[Report]:  # noqa: ARG002 — the protocol's
        """Refuse all: this carrier reports within the process, so whatever comes over HTTP is not its own."""
        raise ReportNotAuthentic


class Adapter(VoiceOnly):
    """The protocols' side of it."""

    def send(self, request: SendRequest) -> SendAnswer:
        return current.take_text(request)

    def parse_messages(self, request: ReportRequest) -> list[MessageReport]:  # noqa: ARG002 — the protocol's
        raise ReportNotAuthentic


class VendorAdapter(Adapter):
    """A carrier whose lines have accounts: what a line's account reports over HTTP bears the line's token."""

    credential_names: ClassVar[frozenset[str]] = frozenset({"token"})

    def parse_reports(self, request: ReportRequest) -> list[Report]:
        return reading.reports(self._authentic(request), now=datetime.now(UTC))

    def parse_messages(self, request: ReportRequest) -> list[MessageReport]:
        return reading.message_reports(self._authentic(request), now=datetime.now(UTC))

    def _authentic(self, request: ReportRequest) -> dict[str, Any]:
        token = json.loads(self.line.credentials or "{}").get("token")
        if not token or request.headers.get("X-Token") != token:
            raise ReportNotAuthentic
        content: dict[str, Any] = json.loads(request.body)
        return content


@contextmanager
def in_process_carrier() -> Iterator[InProcessCarrier]:
    """Answer for the carrier ``simulated`` in this process."""
    global current  # noqa: PLW0603 — the adapter is made from a line and knows nothing else
    current = InProcessCarrier()
    carriers._adapter.cache_clear()  # noqa: SLF001
    with override_settings(CARRIERS={"simulated": "tests.in_process_carrier.Adapter"}):
        yield current
    carriers._adapter.cache_clear()  # noqa: SLF001


def report(kind: Any, call_id: UUID, at: datetime, **fields: Any) -> Report:
    """Make a report with an id of its own."""
    return Report(
        kind=kind,
        event_id=f"e-{next(_event_ids)}",
        call_id=call_id,
        carrier_call_id=f"c-{call_id}",
        occurred_at=at,
        **fields,
    )


def ended(call_id: UUID, at: datetime, outcome: str, **fields: Any) -> Report:
    fields.setdefault("ended_reason", "contact_hangup" if outcome == "answered" else outcome)
    return report("ended", call_id, at, outcome=outcome, **fields)


__all__ = [
    "Accepted",
    "CannotSay",
    "InProcessCarrier",
    "NotFound",
    "ended",
    "in_process_carrier",
    "report",
    "timedelta",
]
