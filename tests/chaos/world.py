"""The world around a storm: the people who are to be called, and those of them who ask for a callback meanwhile.

It asks through the API, as other programs do: again and again, under one key, until it is answered.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import requests

from dialer.campaigns import lifecycle, membership
from dialer.carriers.simulation.ledger import places
from dialer.carriers.simulation.script import SCRIPTS
from dialer.models import Campaign, Contact, Line
from dialer.setup import lines, personas, workspace_settings
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.chaos.history import Person, Promise
from webhooks.models import Endpoint

MILD = ("00", "01", "02", "00", "03", "05", "06", "12", "13", "00")
"""Last digits of most people: their carrier does nothing wrong."""
WILD = tuple(SCRIPTS)
"""Of the others it does everything that it can do."""
AGAIN = ("00", "05", "13", "16")
"""Of people who are called first and ask for a callback then: none of them is retried."""
TIMEOUT_SECONDS = 15
"""Receivers are given more time than a busy machine takes, so that nothing is sent again for want of it."""
RETRIES = 2
_SOON = 3.0
"""Seconds from a wish to its time, at least; a call that it follows is over by then."""
_TALK = 1.5
"""Seconds after which a first call is over, so that a wish does not meet it."""
_ALWAYS = {"calling_hours": {"start": "00:00", "end": "24:00"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody is to ask for a callback, some seconds after the storm began, for some seconds later."""

    number: str
    after: float
    ahead: float
    campaign: str | None = None


@dataclass(slots=True, kw_only=True)
class World:
    """One workspace with its people."""

    workspace: Workspace
    key: str
    campaigns: Sequence[Campaign]
    contacts: dict[str, str]
    """Public ids by number."""
    called_first: set[str]
    wishes: Sequence[Wish]
    promises: dict[str, list[Promise]] = field(default_factory=dict)

    def people(self) -> list[Person]:
        return [
            Person(
                number=number,
                has_first_call=number in self.called_first,
                promises=tuple(self.promises.get(number, ())),
            )
            for number in self.contacts
        ]


def make(*, mild: int, wild: int, promised: int, both: int, storm_seconds: float, receiver: str) -> World:
    """Make people in campaigns that call them in the course of a storm, and start these."""
    now = database_now()
    workspace = workspace_settings.open_workspace(
        name="Chaos", schedule={"callback_retry_schedule": [1] * RETRIES, **_ALWAYS}, contact_limits=[],
        actor=SYSTEM, now=now,
    )  # fmt: skip
    persona = personas.create_persona(workspace.id, name="Sara", actor=SYSTEM, now=now)
    over = [_line(workspace.id, name, is_default=name == "Mild") for name in ("Mild", "Wild")]
    Endpoint.objects.create(
        workspace=workspace, name="Receiver", url=receiver, events=["*"], secret="chaos",  # noqa: S106
        timeout_seconds=TIMEOUT_SECONDS, max_in_flight=32,
    )  # fmt: skip
    _, key = api_keys.issue(workspace_id=workspace.id, name="World", scope="write", actor=SYSTEM, now=now)
    groups = {
        "Mild": _numbers(1, mild, MILD), "Wild": _numbers(2, wild, WILD), "Both": _numbers(3, both, AGAIN)
    }  # fmt: skip
    later = _numbers(4, promised, MILD)
    contacts = _contacts(workspace, [*later, *(number for group in groups.values() for number in group)])
    made = []
    for name, numbers in groups.items():
        campaign = lifecycle.create(
            workspace.id,
            name=name,
            persona_id=persona.id,
            line_id=over[name == "Wild"].id,
            schedule=_ALWAYS,
            calls_per_second=max(1.0, len(numbers) / storm_seconds * 1.5),
            actor=SYSTEM,
            now=now,
        ).campaign
        ids = [contacts[number].id for number in numbers]
        membership.put_in(campaign.id, ids, workspace_id=workspace.id, now=now)
        lifecycle.start(campaign.id, workspace_id=workspace.id, actor=SYSTEM, now=now)
        made.append(campaign)
    spread = storm_seconds * 0.8 / max(promised, 1)
    wishes = [Wish(number=number, after=spread * n, ahead=_SOON + 7 * (n % 2)) for n, number in enumerate(later)]
    wishes += [Wish(number=n, after=0, ahead=_SOON, campaign=made[2].public_id) for n in groups["Both"]]
    return World(
        workspace=workspace,
        key=key,
        campaigns=made,
        contacts={number: contact.public_id for number, contact in contacts.items()},
        called_first={number for group in groups.values() for number in group},
        wishes=wishes,
    )


class Asking(threading.Thread):
    """Asks for what people wish, in time, until the storm is over and nothing is left."""

    def __init__(self, world: World, *, url: str, ledger: Path) -> None:
        super().__init__(daemon=True)
        self._world = world
        self._url = f"{url}/api/v1/callbacks/"
        self._ledger = ledger
        self._over = threading.Event()
        self._times: dict[str, float] = {}
        self._asked: set[str] = set()
        self.left: list[Wish] = list(world.wishes)
        self.refusals: list[str] = []

    @property
    def unanswered(self) -> int:
        """How many have asked and know nothing; who never came to ask wishes for nothing."""
        return sum(wish.number in self._asked for wish in self.left)

    def finish(self, *, within_seconds: float) -> None:
        self._over.set()
        self.join(within_seconds)

    def run(self) -> None:
        began = time.monotonic()
        while self.left:
            passed = time.monotonic() - began
            before = time.time() - _TALK
            called = {p.to for p in places(self._ledger) if p.accepted and p.at.timestamp() < before}
            ready = [wish for wish in self.left if self._is_ready(wish, passed=passed, called=called)]
            for wish in ready:
                if self._ask(wish):
                    self.left.remove(wish)
            if self._over.is_set() and not self.unanswered:
                break
            time.sleep(0.2)

    def _is_ready(self, wish: Wish, *, passed: float, called: AbstractSet[str]) -> bool:
        if wish.number in self._asked:
            return True
        is_time = passed >= wish.after and (wish.campaign is None or wish.number in called)
        return is_time and not self._over.is_set()

    def _ask(self, wish: Wish) -> bool:
        """Ask once; the key says that it is the same wish when it is asked again."""
        self._asked.add(wish.number)
        due_at = self._times.setdefault(wish.number, time.time() + wish.ahead)
        body = {
            "contact_id": self._world.contacts[wish.number],
            "type": "customer_requested",
            "scheduled_at": datetime.fromtimestamp(due_at, UTC).isoformat(),
        } | ({"campaign_id": wish.campaign} if wish.campaign else {})
        headers = {"Authorization": f"Bearer {self._world.key}", "Idempotency-Key": f"chaos:{wish.number}"}
        try:
            answer = requests.post(self._url, json=body, headers=headers, timeout=5)
        except requests.RequestException:
            return False
        if answer.status_code != requests.codes.created:
            self.refusals.append(f"{answer.status_code} {answer.text[:200]}")
            if answer.status_code == requests.codes.bad_request:
                del self._times[wish.number]  # nobody answered until its time was over: it wishes for another one
            return False
        said = answer.json()
        promise = Promise(call=said["call_id"], due_at=due_at)
        self._world.promises.setdefault(wish.number, []).append(promise)
        return True


def _line(workspace_id: UUID, name: str, *, is_default: bool) -> Line:
    return lines.create_line(
        workspace_id, name=name, calls_per_second=None, ring_timeout_seconds=10, max_duration_seconds=20,
        is_default=is_default, actor=SYSTEM, now=database_now(),
    )  # fmt: skip


def _numbers(group: int, count: int, scripts: Sequence[str]) -> list[str]:
    return [f"+4930{group}{n:05d}00{scripts[n % len(scripts)]}" for n in range(count)]


def _contacts(workspace: Workspace, numbers: Sequence[str]) -> Mapping[str, Contact]:
    made = Contact.objects.bulk_create(
        Contact(
            workspace=workspace, name=f"Contact {number}", phone=number, time_zone="UTC", zones=["UTC"],
            timezone_source="contact",
        )
        for number in numbers
    )  # fmt: skip
    return {contact.phone: contact for contact in made}
