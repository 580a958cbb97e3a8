"""The judge of promises must be able to find everything that it looks for: each history here is broken in one way."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer.carriers.simulation.ledger import Place
from tests.chaos.faults import CARRIER, POSTGRES, Fault, Kind
from tests.chaos.history import CallRow, Hand, History, Person, Promise
from tests.chaos.inbox import Receipt
from tests.chaos.promise_judge import judge_promises

BEGAN = datetime(2025, 3, 12, 10, tzinfo=UTC)
ANSWERS, RINGS_OUT, LOST, PROMISED = "+4930000000000", "+4930000010002", "+4930000020015", "+4930000030000"
KILLED = Fault(id="F01", kind=Kind.KILL, at=BEGAN.timestamp(), until=BEGAN.timestamp(), concerns=("dial.1",))


def at(seconds: float) -> float:
    return BEGAN.timestamp() + seconds


def place(call: str, to: str, *, after: float = 0, reason: str = "") -> Place:
    return Place(
        at=BEGAN + timedelta(seconds=after),
        call_id=call,
        public_id=call,
        to=to,
        accepted=not reason,
        reason=reason,
        nth=0,
        ring_timeout_seconds=10,
        max_duration_seconds=20,
    )


def row(call: str, number: str, *, outcome: str = "answered") -> CallRow:
    return CallRow(id=call, number=number, status="ended", outcome=outcome)


def hand(call: str, *, after: float = 0, life: str = "dial.1") -> Hand:
    return Hand(at=at(after), life=life, call=call)


def heard(event: str, type_: str, *, call: str = "", phone: str = "", campaign: str = "") -> Receipt:
    return Receipt(
        at=at(5), event_id=event, delivery_id=f"dlv_{event}", attempt=1, digest="bytes", sender="webhooks.1",
        receiver="receiver.1", type=type_, call=call, phone=phone, campaign=campaign,
    )  # fmt: skip


def of_call(call: str) -> list[Receipt]:
    return [heard(f"{call}-{kind}", f"call.{kind}", call=call) for kind in ("attempted", "ended")]


def a_whole_history() -> History:
    """Four people: one answers, one never does, one's request is lost, and one was promised a callback."""
    calls = [
        row("answers", ANSWERS), row("rings-1", RINGS_OUT, outcome="no_answer"),
        row("rings-2", RINGS_OUT, outcome="no_answer"), row("lost", LOST, outcome="unknown"), row("back", PROMISED),
    ]  # fmt: skip
    receipts = [receipt for call in calls for receipt in of_call(call.id)]
    receipts += [heard(f"over-{n}", "call.exhausted", phone=n) for n in (ANSWERS, RINGS_OUT, LOST, PROMISED)]
    receipts.append(heard("ended", "campaign.ended", campaign="camp_1"))
    return History(
        people=[
            Person(number=ANSWERS, has_first_call=True),
            Person(number=RINGS_OUT, has_first_call=True),
            Person(number=LOST, has_first_call=True),
            Person(number=PROMISED, has_first_call=False, promises=(Promise(call="back", due_at=at(20)),)),
        ],
        places=[
            place("answers", ANSWERS, reason="capacity"),
            place("answers", ANSWERS, after=1),
            place("rings-1", RINGS_OUT),
            place("rings-2", RINGS_OUT, after=70),
            place("lost", LOST, reason="lost"),
            place("back", PROMISED, after=20),
        ],
        calls=calls,
        hands=[hand(call.id) for call in calls],
        receipts=receipts,
        recorded={receipt.event_id for receipt in receipts},
        answered={(receipt.delivery_id, 1) for receipt in receipts},
        campaigns=["camp_1"],
        retries=1,
        delay_seconds=60,
    )


def broken(history: History) -> set[str]:
    return {finding.rule for finding in judge_promises(history) if not finding.is_kept}


def with_calls(history: History, *calls: tuple[str, str, float], outcome: str = "answered") -> History:
    """Add calls that were taken, accepted, ended and told."""
    rows = [row(call, number, outcome=outcome) for call, number, _ in calls]
    told = [receipt for call, _, _ in calls for receipt in of_call(call)]
    return replace(
        history,
        calls=[*history.calls, *rows],
        hands=[*history.hands, *(hand(call, after=after) for call, _, after in calls)],
        places=[*history.places, *(place(call, number, after=after) for call, number, after in calls)],
        receipts=[*history.receipts, *told],
        recorded=history.recorded | {receipt.event_id for receipt in told},
        answered=history.answered | {(receipt.delivery_id, 1) for receipt in told},
    )


def without(history: History, call: str) -> History:
    """Take a request out of the ledger, and what was told of it."""
    gone = {receipt.event_id for receipt in history.receipts if receipt.call == call}
    return replace(
        history,
        places=[place for place in history.places if place.public_id != call],
        receipts=[receipt for receipt in history.receipts if receipt.event_id not in gone],
        recorded=history.recorded - gone,
    )


def with_unknown(history: History, call: str, *, handled: bool = False) -> History:
    rows = [replace(row, outcome="unknown", is_handled=handled) if row.id == call else row for row in history.calls]
    return replace(without(history, call), calls=rows)


def with_receipts(history: History, *more: Receipt, recorded: bool = True) -> History:
    ids = {receipt.event_id for receipt in more} if recorded else set()
    return replace(history, receipts=[*history.receipts, *more], recorded=history.recorded | ids)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert broken(a_whole_history()) == set()


ASKED_ONCE = "no call is asked for after a request that may have been taken"
OURS = "only people of ours are called, by calls that were taken"
TOO_OFTEN = "nobody is called more often than first call, promises and policy say"
TOO_SELDOM = "nobody is called less often, but after an unknown call"
TOO_EARLY = "no retry comes before its delay"
KEPT = "each promise is kept by its own call, not before its time"
EXPLAINED = "each unknown call has a script or a fault that explains it"
LISTED = "each unknown call is listed for a person"
TOLD = "the receiver heard once of each call's attempt and end"
EXHAUSTED = "the receiver heard once of each chain's end"
CAMPAIGN = "the receiver heard once of each campaign's end"
RECEIVED = "each event reached the receiver, with the same bytes each time"


def test_five_calls_for_one_person_are_found_though_each_call_was_asked_for_once() -> None:
    five = [(f"again-{n}", ANSWERS, 60.0 * n) for n in range(1, 5)]

    assert broken(with_calls(a_whole_history(), *five)) == {TOO_OFTEN}


def test_two_calls_for_one_promise_are_found() -> None:
    assert broken(with_calls(a_whole_history(), ("back-again", PROMISED, 30.0))) == {TOO_OFTEN}


def test_a_retry_beyond_the_policy_is_found() -> None:
    history = with_calls(a_whole_history(), ("rings-3", RINGS_OUT, 140.0), outcome="no_answer")

    assert broken(history) == {TOO_OFTEN}


def asked_again(history: History, *, first: str) -> History:
    return replace(history, places=[place("answers", ANSWERS, reason=first), *history.places])


def early(history: History) -> History:
    return replace(
        history,
        places=[replace(p, at=BEGAN + timedelta(seconds=30)) if p.call_id == "rings-2" else p for p in history.places],
    )


def before_its_time(history: History) -> History:
    return replace(
        history,
        places=[replace(p, at=BEGAN + timedelta(seconds=15)) if p.call_id == "back" else p for p in history.places],
    )


@pytest.mark.parametrize(
    ("breaking", "rules"),
    [
        pytest.param(lambda h: asked_again(h, first="lost"), {ASKED_ONCE}, id="asked again after a lost request"),
        pytest.param(lambda h: asked_again(h, first="repeated"), {ASKED_ONCE}, id="asked again after it was accepted"),
        pytest.param(lambda h: with_calls(h, ("who", "+4930999990000", 0)), {OURS}, id="somebody else is called"),
        pytest.param(
            lambda h: replace(h, hands=[x for x in h.hands if x.call != "answers"]), {OURS}, id="nobody took the call"
        ),
        pytest.param(lambda h: without(h, "answers"), {TOO_SELDOM, LISTED}, id="never called, and nobody says so"),
        pytest.param(lambda h: without(h, "rings-2"), {TOO_SELDOM, LISTED}, id="a retry that never came"),
        pytest.param(lambda h: without(h, "back"), {TOO_SELDOM, KEPT, LISTED}, id="a promise that was not kept"),
        pytest.param(early, {TOO_EARLY}, id="a retry before its delay"),
        pytest.param(before_its_time, {KEPT}, id="a promise before its time"),
        pytest.param(lambda h: with_unknown(h, "answers"), {EXPLAINED}, id="unknown for no reason"),
        pytest.param(
            lambda h: replace(with_unknown(h, "answers", handled=True), faults=[KILLED]),
            {LISTED},
            id="unknown and hidden",
        ),
        pytest.param(
            lambda h: replace(h, receipts=[r for r in h.receipts if r.event_id != "answers-ended"]),
            {TOLD, RECEIVED},
            id="an end that was recorded and never arrived",
        ),
        pytest.param(
            lambda h: with_receipts(h, heard("another", "call.ended", call="answers")), {TOLD}, id="two ends of a call"
        ),
        pytest.param(
            lambda h: with_receipts(h, heard("another", "call.exhausted", phone=ANSWERS)),
            {EXHAUSTED},
            id="two ends of a chain",
        ),
        pytest.param(
            lambda h: with_receipts(h, heard("another", "campaign.ended", campaign="camp_1")),
            {CAMPAIGN},
            id="two ends of a campaign",
        ),
        pytest.param(lambda h: replace(h, campaigns=["camp_1", "camp_2"]), {CAMPAIGN}, id="a campaign without an end"),
        pytest.param(
            lambda h: with_receipts(h, heard("strange", "call.started"), recorded=False),
            {RECEIVED},
            id="an event that was never recorded",
        ),
        pytest.param(
            lambda h: with_receipts(
                h, replace(heard("ended", "campaign.ended", campaign="camp_1"), digest="other", delivery_id="dlv_other")
            ),
            {RECEIVED},
            id="other bytes under one id",
        ),
    ],
)
def test_what_is_wrong_is_found(breaking: Callable[[History], History], rules: set[str]) -> None:
    assert broken(breaking(a_whole_history())) == rules


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([KILLED], id="its worker was killed"),
        pytest.param([replace(KILLED, kind=Kind.STOP, at=at(-1), until=at(12))], id="its worker was stopped"),
        pytest.param([replace(KILLED, concerns=(POSTGRES,), at=at(1), until=at(2))], id="PostgreSQL was killed"),
        pytest.param([replace(KILLED, concerns=(f"{CARRIER}.1",), at=at(1), until=at(2))], id="the carrier was killed"),
    ],
)
def test_an_unknown_call_is_explained_by_what_befell_those_who_had_it(faults: Sequence[Fault]) -> None:
    assert broken(replace(with_unknown(a_whole_history(), "answers"), faults=faults)) == set()


SLOW = replace(KILLED, kind=Kind.CARRIER, concerns=(CARRIER,), note="{'answer_delay': 6.0}", at=at(-1), until=at(5))


def test_an_unknown_call_is_explained_by_a_refusal_that_came_too_late() -> None:
    whole = a_whole_history()
    refused = [place("answers", ANSWERS, reason="capacity"), *(p for p in whole.places if p.public_id != "answers")]
    history = replace(with_unknown(whole, "answers"), places=refused)

    assert broken(replace(history, faults=[SLOW])) == set()
    assert broken(replace(history, faults=[replace(SLOW, note="{'reports': 'late'}")])) == {EXPLAINED}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([replace(KILLED, concerns=("dial.2",))], id="another worker was killed"),
        pytest.param([replace(KILLED, concerns=("web.1",))], id="another process was killed"),
        pytest.param([replace(KILLED, at=at(-9), until=at(-9))], id="before it had the call"),
        pytest.param(
            [replace(KILLED, kind=Kind.CARRIER, concerns=(CARRIER,), at=at(-1), until=at(5))], id="late reports"
        ),
        pytest.param(
            [replace(KILLED, concerns=(POSTGRES,), at=at(11), until=at(12))], id="long after it was asked for"
        ),
    ],
)
def test_no_other_fault_explains_it(faults: Sequence[Fault]) -> None:
    assert broken(replace(with_unknown(a_whole_history(), "answers"), faults=faults)) == {EXPLAINED}


AGAIN = replace(heard("ended", "campaign.ended", campaign="camp_1"), at=at(20), attempt=2, sender="webhooks.2")


@pytest.mark.parametrize(
    ("faults", "was_answered", "rules"),
    [
        pytest.param([], True, {"each repeat is explained by a fault"}, id="no fault"),
        pytest.param([replace(KILLED, at=at(6), concerns=("webhooks.1",))], False, set(), id="its sender was killed"),
        pytest.param([replace(KILLED, at=at(6), concerns=("receiver.1",))], False, set(), id="its receiver was killed"),
        pytest.param(
            [replace(KILLED, at=at(6), concerns=("webhooks.1",))],
            True,
            {"each repeat is explained by a fault"},
            id="the first attempt was over and settled",
        ),
        pytest.param(
            [replace(KILLED, at=at(6), concerns=("webhooks.2",))],
            False,
            {"each repeat is explained by a fault"},
            id="another sender was killed",
        ),
    ],
)
def test_a_repeat_is_explained_by_the_life_that_a_fault_ended(
    faults: Sequence[Fault], *, was_answered: bool, rules: set[str]
) -> None:
    whole = with_receipts(a_whole_history(), AGAIN)
    answered = whole.answered if was_answered else whole.answered - {("dlv_ended", 1)}

    assert broken(replace(whole, faults=faults, answered=answered)) == rules
