"""The judge of `make chaos-webhooks` must be able to find everything that it looks for."""

from dataclasses import replace

import pytest

from tests.chaos.faults import POSTGRES, Fault, Kind
from tests.chaos.inbox import Receipt
from tests.chaos.plan import Fate, WebhookPoint, deaths, of
from tests.chaos.repeats import listed, repeats_of
from tests.chaos.webhook_judge import judge

FIRST = Receipt(10.0, "evt_1", "dlv_1", 1, "digest", sender="webhooks.1")
AGAIN = replace(FIRST, at=20.0, attempt=2, sender="webhooks.2")
OTHER = Receipt(11.0, "evt_2", "dlv_2", 1, "another", sender="webhooks.1")
KILLED = Fault(id="D01", kind=Kind.DEATH, at=12.0, until=12.0, concerns=("webhooks.1",), note="a point")
CRASHED = Fault(id="F01", kind=Kind.POSTGRES, at=12.0, until=13.0, concerns=(POSTGRES,))


def broken(inbox: list[Receipt], *, faults: list[Fault], noted: set[tuple[str, int]], pending: int = 0) -> set[str]:
    repeats = repeats_of(inbox, faults=faults, answered=noted)
    findings = judge({"evt_1", "evt_2"}, [inbox], repeats, pending=pending)
    return {finding.rule for finding in findings if not finding.is_kept}


def test_a_repeat_of_what_was_under_way_when_a_worker_died_is_in_order_and_listed() -> None:
    inbox = [FIRST, OTHER, AGAIN]
    noted = {("dlv_1", 2), ("dlv_2", 1)}

    assert broken(inbox, faults=[KILLED], noted=noted) == set()
    repeats = repeats_of(inbox, faults=[KILLED], answered=noted)
    assert listed(repeats) == ["D01 kill -9 at a named point: 1: evt_1"]


@pytest.mark.parametrize(
    ("inbox", "rule"),
    [
        ([FIRST], "each receiver's file holds every id"),
        ([FIRST, OTHER, Receipt(1, "evt_9", "dlv_9", 1, "x")], "each receiver's file holds every id"),
        ([FIRST, OTHER, replace(AGAIN, digest="changed")], "a repeat has the same id and bytes"),
        ([FIRST, OTHER, replace(AGAIN, delivery_id="dlv_3")], "a repeat has the same id and bytes"),
    ],
    ids=["missing", "strange", "other bytes", "other delivery"],
)
def test_what_the_receivers_got_wrong_is_found(inbox: list[Receipt], rule: str) -> None:
    assert broken(inbox, faults=[KILLED], noted=set()) == {rule}


@pytest.mark.parametrize(
    ("faults", "noted"),
    [
        pytest.param([], set(), id="no fault at all"),
        pytest.param([replace(KILLED, concerns=("webhooks.2",))], set(), id="another worker died"),
        pytest.param([replace(CRASHED, at=5, until=8)], set(), id="a crash before"),
        pytest.param([replace(CRASHED, at=21, until=22)], set(), id="a crash after"),
        pytest.param([replace(KILLED, at=21, until=21)], set(), id="a death after"),
        pytest.param([KILLED], {("dlv_1", 1)}, id="it was over and has its row"),
    ],
)
def test_a_repeat_that_no_fault_explains_is_found(faults: list[Fault], noted: set[tuple[str, int]]) -> None:
    assert broken([FIRST, OTHER, AGAIN], faults=faults, noted=noted) == {
        "a repeat was under way when a fault befell who sent it"
    }


def test_a_request_may_arrive_after_its_sender_died() -> None:
    just_before = replace(KILLED, at=9.5, until=9.5)

    assert broken([FIRST, OTHER, AGAIN], faults=[just_before], noted=set()) == set()


def test_what_a_crash_of_postgresql_kept_from_being_settled_may_come_again() -> None:
    assert broken([FIRST, OTHER, AGAIN], faults=[CRASHED], noted=set()) == set()


def test_what_is_still_to_be_sent_is_found() -> None:
    assert broken([FIRST, OTHER], faults=[], noted=set(), pending=1) == {"nothing is left to be sent"}


def test_a_webhook_worker_dies_at_points_of_its_own() -> None:
    planned = deaths(seed="a", each=10, points=WebhookPoint, most_passes=20)
    environment = {"CHAOS_LOG": "/nowhere", "CHAOS_SEED": "a", "CHAOS_EACH": "10", "CHAOS_OF": "webhooks"}

    assert {death.point for death in planned} == set(WebhookPoint)
    assert len(planned) == 30
    fate = of(environment)
    assert isinstance(fate, Fate)
    first = planned[0]
    passages = [fate.is_here(first.point) for _ in range(first.passes + 1)]
    assert passages == [False] * first.passes + [True]
