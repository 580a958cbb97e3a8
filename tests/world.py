"""A workspace at a clock that the test moves: its API, the engine, and telephones that do what their numbers say.

Everything is the shipped code but two things: the API's edge reads the test's clock, and the carrier is one inside the
process whose telephones follow the scripts of the simulated carrier, by their last digits. A voice agent acts through
the API while it talks. ``run_until`` jumps from one thing that happens to the next.
"""

import heapq
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Min

from dialer.campaigns import completion as campaign_completion
from dialer.carriers.base import Accepted, Answer, PlaceRequest, Refused, Report
from dialer.carriers.simulation.script import Course, Placing, Step, course
from dialer.dialing import carrier_reports, placing
from dialer.dialing import claim as dispatch
from dialer.dialing.placing import Claim
from dialer.models import Call, CampaignContact
from dialer.setup import workspace_settings
from dialer.workspaces.api import request as edge
from dialer.workspaces.audit import SYSTEM
from tests.api.client import Answer as HttpAnswer
from tests.api.client import Api
from tests.factories import BERLIN, NOW, make_line, make_persona
from tests.in_process_carrier import InProcessCarrier, in_process_carrier, report
from webhooks.models import Delivery

ANSWERS, MACHINE, RINGS_OUT, BUSY, INVALID, DECLINES, BROKEN = "0000", "0001", "0002", "0003", "0004", "0005", "0006"
ASKS_FOR_CALLBACK, ASKS_FOR_DNC = "0009", "0010"
"""Last digits of numbers, by what such a telephone does."""

ALWAYS_OPEN = {"calling_hours": {"start": "00:00", "end": "24:00"}}
BEAT = timedelta(seconds=1)
_BEFORE_THE_END = timedelta(seconds=1)

_subscribers = itertools.count(1)


def a_number(does: str) -> str:
    """Return a new number in Berlin whose telephone does what its last digits say."""
    return f"+4930{next(_subscribers):04d}{does}"


@dataclass(order=True)
class _Happening:
    at: datetime
    nth: int
    do: Callable[[], None] = field(compare=False)


class World:
    """One workspace; ``now`` is what every clock shows."""

    def __init__(self, carrier: InProcessCarrier, *, now: datetime = NOW) -> None:
        self.now = now
        self.carrier = carrier
        self.carrier.answer = self._answer
        self.workspace = workspace_settings.open_workspace(name="Acme", time_zone=BERLIN, actor=SYSTEM, now=now)
        self.persona = make_persona(self.workspace)
        self.line = make_line(self.workspace, is_default=True, caller_ids=["+493012345678"])
        self.api = Api(self.workspace, scope="admin")
        self.asked_for: dict[str, Any] = {}
        """What the voice agent sends where the contact asks to be called back."""
        self.does: dict[str, str] = {}
        """Last digits that a number follows from now on, in place of its own."""
        self._coming: list[_Happening] = []
        self._beat_at = now
        self._count = itertools.count()
        self._calls_to: Counter[str] = Counter()
        self.say("webhooks/", {"name": "CRM", "url": "https://9.9.9.9/hook", "events": ["*"]})

    def say(self, path: str, body: object = None) -> Any:
        """Post to the API; the answer must be a success."""
        answer = self.api.post(path, body)
        assert 200 <= answer.status_code < 300, answer.content
        return answer.json()

    def ask(self, path: str, **query: Any) -> Any:
        answer = self.api.get(path, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def refused(self, path: str, body: object = None) -> tuple[int, str]:
        """Post what the API is to refuse; return the status and the code."""
        answer: HttpAnswer = self.api.post(path, body)
        return answer.status_code, answer.json()["error"]["code"]

    def call(self, does: str = RINGS_OUT, **settings: Any) -> Any:
        """Ask for a call to a new number, with settings of its own."""
        return self.say("calls/", {"contact": {"name": "Jane Roe", "phone": a_number(does)}, "call": settings})

    def campaign(self, *numbers: str, **fields: Any) -> Any:
        """Make and start a campaign with these numbers, open around the clock unless told otherwise."""
        schedule = {**ALWAYS_OPEN, **fields.pop("schedule", {})}
        body = {"name": f"Outreach {next(self._count)}", "persona_id": self.persona.public_id, "schedule": schedule}
        campaign = self.say("campaigns/", {**body, **fields})
        if numbers:
            contacts = [{"name": "Jane Roe", "phone": number} for number in numbers]
            added = self.say(f"campaigns/{campaign['id']}/contacts/", {"contacts": contacts})
            assert added["refused"] == []
            campaign = self.say(f"campaigns/{campaign['id']}/start/")
        return campaign

    def calls(self) -> list[Any]:
        """Return all calls, oldest first, as the API shows them."""
        rows: list[Any] = self.ask("calls/", ordering="id", limit=500)["results"]
        return rows

    def callbacks(self, **query: Any) -> list[Any]:
        """Return callbacks, oldest first unless a queue is asked for."""
        query = query if "queue" in query else {"ordering": "id", **query}
        rows: list[Any] = self.ask("callbacks/", limit=500, **query)["results"]
        return rows

    def pending(self) -> list[Any]:
        return self.callbacks(status="pending")

    def webhooks(self, *types: str) -> list[Any]:
        """Return the bodies that wait to be delivered, in the order of their facts; of these types where named."""
        waiting = Delivery.objects.filter(workspace_id=self.workspace.pk, endpoint__profile="envelope")
        bodies = [json.loads(row.sent_body) for row in waiting.select_related("event").order_by("event_id")]
        return [body for body in bodies if not types or body["event"] in types]

    def told(self) -> list[str]:
        return [body["event"] for body in self.webhooks()]

    def run_until(self, at: datetime) -> None:
        """Let everything happen that is due until then."""
        self._work()
        while (following := self._next()) is not None and following <= at:
            self.now = max(following, self.now)
            self._work()
        self.now = at

    def run_for(self, **span: float) -> None:
        self.run_until(self.now + timedelta(**span))

    def sweep(self) -> None:
        """Do what beat does now and then: end what is over, pause what has reached its end."""
        campaign_completion.sweep(now=self.now)

    def _work(self) -> None:
        """Do one beat; another one follows a second after anything that happened, for whoever waited for it."""
        for claimed in dispatch.claim_due(limit=500, now=self.now):
            claim = Claim(call_id=claimed.call_id, generation=claimed.generation)
            self._later(claimed.start_at, lambda claim=claim: self._place(claim))  # type: ignore[misc]
        while self._coming and self._coming[0].at <= self.now:
            heapq.heappop(self._coming).do()
            self._beat_at = self.now + BEAT
        carrier_reports.apply_stored(limit=1_000, now=self.now)

    def _place(self, claim: Claim) -> None:
        placing.place([claim], now=self.now)

    def _next(self) -> datetime | None:
        """Return when something happens next, after now."""
        queued = Call.objects.filter(status="queued", due_at__gt=self.now).aggregate(at=Min("due_at"))["at"]
        first = CampaignContact.objects.filter(state="waiting", due_at__gt=self.now).aggregate(at=Min("due_at"))["at"]
        coming = self._coming[0].at if self._coming else None
        beat = self._beat_at if self._beat_at > self.now else None
        return min((at for at in (queued, first, coming, beat) if at is not None), default=None)

    def _answer(self, request: PlaceRequest) -> Answer:
        nth = self._calls_to[request.to]
        self._calls_to[request.to] += 1
        goes = course(
            seed="tests",
            number=request.to[:-4] + self.does.get(request.to, request.to[-4:]),
            nth=nth,
            ring_timeout=request.ring_timeout.total_seconds(),
            max_duration=request.max_duration.total_seconds(),
        )
        if goes.script.placing is Placing.REFUSED:
            return Refused(outcome="invalid_number", reason="there is no such number")
        self._telephone(request, goes)
        return Accepted(carrier_call_id=f"c-{request.call_id}")

    def _telephone(self, request: PlaceRequest, goes: Course) -> None:
        for step in goes.steps:
            at = self.now + timedelta(seconds=math.ceil(step.at))  # whole seconds, as the webhooks show them
            self._later(at, lambda step=step, at=at: self._report(request, step, at))  # type: ignore[misc]
        if goes.script.asks:
            end = self.now + timedelta(seconds=math.ceil(goes.end.at))
            self._later(end - _BEFORE_THE_END, lambda: self._wish(request, str(goes.script.asks)))

    def _report(self, request: PlaceRequest, step: Step, at: datetime) -> None:
        carrier_reports.store("simulated", [self._as_told(request, step, at)])

    def _as_told(self, request: PlaceRequest, step: Step, at: datetime) -> Report:
        if step.kind != "ended":
            return report(step.kind, request.call_id, at)
        return report(
            "ended",
            request.call_id,
            at,
            outcome=step.outcome,
            ended_reason=step.ended_reason,
            duration_seconds=None if step.talked_for is None else round(step.talked_for),
            transcript="Agent: Hello." if step.outcome == "answered" else None,
        )

    def _wish(self, request: PlaceRequest, wish: str) -> None:
        path = f"calls/{request.public_id}/request-{wish}/"
        self.say(path, self.asked_for if wish == "callback" else None)

    def _later(self, at: datetime, do: Callable[[], None]) -> None:
        heapq.heappush(self._coming, _Happening(at=at, nth=next(self._count), do=do))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a workspace whose clocks all show ``world.now``, at first 11:00 in Berlin on a Wednesday."""
    with opened(monkeypatch) as made:
        yield made


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with in_process_carrier() as carrier:
        made = World(carrier)
        monkeypatch.setattr(edge, "database_now", lambda: made.now)
        yield made


def instant(text: str) -> datetime:
    """Read an instant as the API and the webhooks write it."""
    return datetime.fromisoformat(text).astimezone(UTC)
