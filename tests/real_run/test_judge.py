"""The judge of the real run catches each thing that may go wrong, and nothing else."""

import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from dialer.carriers.simulation.ledger import Place, Text
from tests.real_run.judge import Evidence, Plan, judge
from tests.real_run.people import ASKING, MOVED, PROMISED, WRITTEN_TO
from tests.real_run.receiver import Receipt

SECRET = "whsec_" + "a" * 32
NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class World:
    """A run in which all went well: one person of a campaign whose retry was moved, and one promise."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.texts: list[Text] = []
        self.receipts: list[Receipt] = []
        self._numbers = itertools.count()
        self.called(MOVED.phone, NOON, "call_1")
        self.told("callback.scheduled", data=self.callback(1, MOVED.phone, NOON + 601 * SECOND))
        self.told("callback.rescheduled", data=self.callback(1, MOVED.phone, NOON + 20 * SECOND))
        self.called(MOVED.phone, NOON + 20 * SECOND, "call_2")
        self.told("call.exhausted", data={"job_id": "call_2", "phone": MOVED.phone})
        self.told("callback.scheduled", data=self.callback(2, PROMISED.phone, NOON, kind="customer_requested"))
        self.called(PROMISED.phone, NOON + SECOND, "call_3", status="completed")
        self.told("call.exhausted", data={"job_id": "call_3", "phone": PROMISED.phone})

    def called(self, to: str, at: datetime, call: str, *, status: str = "busy") -> None:
        self.places.append(
            Place(
                at=at,
                call_id=call,
                public_id=call,
                to=to,
                accepted=True,
                reason="",
                nth=0,
                ring_timeout_seconds=30,
                max_duration_seconds=60,
            )
        )
        self.told("call.attempted", data={"job_id": call, "ended_at": (at + SECOND).isoformat()})
        self.told("call.ended", data={"job_id": call, "status": status})

    def told(self, event: str, *, data: dict[str, Any], secret: str = SECRET) -> None:
        number = next(self._numbers)
        content = {"event": event, "timestamp": f"{number:06}", "data": data}
        self.receipts.append(self.receipt(f"evt_{number}", content, secret=secret))

    def receipt(self, id_: str, content: dict[str, Any], *, secret: str = SECRET) -> Receipt:
        body, now = json.dumps(content), datetime.now(UTC)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(id_, now, body),
        }
        return Receipt(at=time.time(), headers=headers, body=body.encode())

    @staticmethod
    def callback(id_: int, phone: str, at: datetime, *, kind: str = "auto_retry") -> dict[str, Any]:
        return {"id": id_, "type": kind, "scheduled_at": at.isoformat(), "contact": {"phone": phone}}

    def is_fine(self) -> None:
        """Leave all as it is."""

    def without(self, event: str) -> None:
        self.receipts = [receipt for receipt in self.receipts if receipt.event != event]

    def broken(self, **plan: Any) -> set[str]:
        asked = Plan(secret=SECRET, people=[MOVED, PROMISED], **plan)
        evidence = Evidence(places=self.places, texts=self.texts, receipts=self.receipts)
        return {finding.rule for finding in judge(asked, evidence) if not finding.is_kept}


OFTEN = "each person is called as often as its script says"
TWICE = "the carrier is asked for no call twice"
EARLY = "nobody is called before the promised second"
SIGNED = "every webhook is signed with the endpoint's secret"
ENDED = "call.ended says of each call how it ended"
TOLD = "what happens to each person is told"
DELAY = "a retry is due its campaign's delay after its call ended"
BYTES = "a webhook that comes again has the same bytes"


def forget_a_call(world: World) -> None:
    world.places.pop(1)


def ask_twice(world: World) -> None:
    world.places.append(world.places[1])


def call_early(world: World) -> None:
    first, second, third = world.places
    world.places = [first, Place(**{**_fields(second), "at": second.at - SECOND / 10}), third]


def forge(world: World) -> None:
    world.told("webhook.test", data={}, secret="whsec_" + "b" * 32)


def retry_after_twice_the_delay(world: World) -> None:
    world.without("callback.scheduled")
    world.told("callback.scheduled", data=world.callback(1, MOVED.phone, NOON + 1201 * SECOND))
    world.told("callback.rescheduled", data=world.callback(1, MOVED.phone, NOON + 20 * SECOND))
    world.told("callback.scheduled", data=world.callback(2, PROMISED.phone, NOON, kind="customer_requested"))


def repeat_with_other_bytes(world: World) -> None:
    first = world.receipts[0]
    world.receipts.append(world.receipt(first.id, {**first.content, "more": 1}))


def _fields(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in place.__slots__}


@pytest.mark.parametrize(
    ("wrong", "rules"),
    [
        (World.is_fine, set()),
        (forget_a_call, {OFTEN, ENDED}),
        (ask_twice, {OFTEN, TWICE}),
        (call_early, {EARLY}),
        (forge, {SIGNED}),
        (lambda world: world.without("call.ended"), {ENDED}),
        (lambda world: world.without("callback.rescheduled"), {EARLY, TOLD}),
        (lambda world: world.without("call.exhausted"), {TOLD}),
        (retry_after_twice_the_delay, {DELAY}),
        (repeat_with_other_bytes, {BYTES}),
    ],
)
def test_each_fault_breaks_its_rule(wrong: Callable[[World], None], rules: set[str]) -> None:
    world = World()

    wrong(world)

    assert world.broken() == rules


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        ({"text_to": WRITTEN_TO}, "the text message is sent once and told once"),
        ({"replayed": frozenset({"evt_0"})}, "what is replayed comes again under its id"),
        ({"campaigns": 1}, "each campaign ends once, when everybody is at the end"),
        ({"asking": ASKING}, "who asks for a callback gets each one, and one only"),
    ],
)
def test_what_was_asked_for_and_did_not_come_breaks_its_rule(plan: dict[str, Any], rule: str) -> None:
    assert World().broken(**plan) == {rule}


def test_a_webhook_that_overtakes_another_changes_nothing() -> None:
    world = World()
    world.receipts.reverse()

    assert world.broken() == set()
