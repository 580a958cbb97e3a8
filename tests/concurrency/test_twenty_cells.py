"""The operator's five actions at the four moments of a due callback: 20 cells, judged by the carrier's ledger.

In each cell the action changes the row, and then nobody is called by the old promise; or it is refused, and the call
is made once. Between there is nothing. `pytest -s` prints the table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from callbacks import actions
from callbacks.models import Callback
from dialer.dialing import placing
from dialer.dialing.placing import Claim
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.concurrency.interleaving import Rewrites, Stop, threads
from tests.concurrency.members import a_member
from tests.concurrency.test_races import COMPARE_AND_SET
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

LATER = timedelta(hours=2)
"""How far a reschedule moves the promise."""
VERBS: dict[str, Callable[..., Callback]] = {
    "call now": actions.call_now,
    "reschedule": actions.reschedule,
    "skip": actions.skip,
    "cancel": actions.cancel,
    "complete": actions.complete,
}
HAS_NEW_PROMISE = ("call now", "reschedule")
MOMENTS = ("before claim", "in countdown", "at compare-and-set", "dialling")

CHANGED, REFUSED = "changed", "409"
TABLE = """
            | before claim | in countdown | at compare-and-set | dialling
call now    | changed      | changed      | changed | 409      | 409
reschedule  | changed      | changed      | changed | 409      | 409
skip        | changed      | changed      | changed | 409      | 409
cancel      | changed      | changed      | changed | 409      | 409
complete    | changed      | changed      | changed | 409      | 409
"""
"""At the compare-and-set whoever holds the row's lock is first: left the operator, right the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one action came to, and how often the carrier was asked for the callback's call."""

    answer: str
    by_old_promise: int
    by_new_promise: int


class Row:
    """One callback that is due at ``due``, and the ledger of its call."""

    def __init__(self, carrier: InProcessCarrier) -> None:
        member = a_member(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
        dial(NOW)
        end_all(NOW, "no_answer")
        self.callback = Callback.objects.get(contact=member.contact)
        self.due: datetime = self.callback.scheduled_at
        self._call_id: UUID = self.callback.call_id
        self._carrier = carrier

    def asked(self, work: Callable[[], object]) -> int:
        """Do something; return how often the carrier was asked for the call meanwhile."""
        before = self._asked()
        work()
        return self._asked() - before

    def act(self, verb: str, *, now: datetime) -> str:
        fields: dict[str, Any] = {"scheduled_at": self.due + LATER} if verb == "reschedule" else {}
        try:
            VERBS[verb](
                self.callback.pk, workspace_id=self.callback.workspace_id, actor=SYSTEM, now=now, reason="", **fields
            )
        except TransitionConflict:
            return REFUSED
        return CHANGED

    def _asked(self) -> int:
        return sum(request.call_id == self._call_id for request in self._carrier.placed)


def before_claim(row: Row, verb: str) -> Played:
    at = row.due - timedelta(minutes=5)
    return aftermath(row, verb, row.act(verb, now=at), at=at, claims=[])


def in_countdown(row: Row, verb: str) -> Played:
    claims = claim(row.due - timedelta(seconds=10))
    assert len(claims) == 1
    at = row.due - timedelta(seconds=5)
    return aftermath(row, verb, row.act(verb, now=at), at=at, claims=claims)


def at_compare_and_set(row: Row, verb: str, *, first: str, rewrites: Rewrites) -> Played:
    claims = claim(row.due)
    stop = Stop(before="numbers_of_calls" if first == "operator" else "take_to_dialing")
    answers: list[str] = []

    def race() -> None:
        with threads(rewrites) as run:
            placed = run.start(lambda: placing.place(claims, now=row.due), stop, name="worker")
            stop.wait()
            acted = run.start(lambda: row.act(verb, now=row.due), name="operator")
            if first == "operator":
                run.gets_through(acted)
            else:
                run.held_back(acted, by=placed)
            stop.go_on.set()
            placed.result()
            answers.append(acted.result())

    by_worker = row.asked(race)
    return aftermath(row, verb, answers[0], at=row.due, claims=claims, by_old_promise=by_worker)


def dialling(row: Row, verb: str) -> Played:
    claims = claim(row.due)
    by_worker = row.asked(lambda: placing.place(claims, now=row.due))
    at = row.due + timedelta(seconds=1)
    return aftermath(row, verb, row.act(verb, now=at), at=at, claims=claims, by_old_promise=by_worker)


def aftermath(
    row: Row, verb: str, answer: str, *, at: datetime, claims: list[Claim], by_old_promise: int = 0
) -> Played:
    """Let the engine run on: the new promise where there is one, the old message again, and the old time."""
    by_new = row.asked(lambda: dial(at)) if (answer, verb) == (CHANGED, "call now") else 0
    by_old = by_old_promise
    by_old += row.asked(lambda: placing.place(claims, now=max(at, row.due)))
    by_old += row.asked(lambda: dial(max(at, row.due)))
    by_old += row.asked(lambda: dial(row.due + timedelta(minutes=1)))
    by_new += row.asked(lambda: dial(row.due + LATER))
    return Played(answer=answer, by_old_promise=by_old, by_new_promise=by_new)


Cell = Callable[[Row, str], Played]
CELLS: dict[str, tuple[Cell, ...]] = {
    "before claim": (before_claim,),
    "in countdown": (in_countdown,),
    "at compare-and-set": (
        partial(at_compare_and_set, first="operator", rewrites={}),
        partial(at_compare_and_set, first="worker", rewrites={}),
    ),
    "dialling": (dialling,),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("verb", VERBS)
def test_an_action_changes_the_row_and_the_old_promise_is_dead_or_it_is_refused_and_the_call_is_made_once(
    carrier: InProcessCarrier, verb: str, moment: str
) -> None:
    for play in CELLS[moment]:
        row = Row(carrier)

        played = play(row, verb)

        left_trace = AuditEntry.objects.filter(object_type="callback", object_id=str(row.callback.pk)).count()
        if played.answer == CHANGED:
            assert (played.by_old_promise, left_trace) == (0, 1), played
            assert played.by_new_promise == (1 if verb in HAS_NEW_PROMISE else 0), played
        else:
            assert (played.by_old_promise, played.by_new_promise, left_trace) == (1, 0, 0), played


def test_the_table_of_twenty_cells(carrier: InProcessCarrier) -> None:
    lines = ["            | " + " | ".join(MOMENTS)]
    for verb in VERBS:
        answers = [[play(Row(carrier), verb).answer for play in CELLS[moment]] for moment in MOMENTS]
        shown = (" | ".join(f"{answer:7}" for answer in found) for found in answers)
        cells = (f"{text:{len(moment)}}" for text, moment in zip(shown, MOMENTS, strict=True))
        lines.append(f"{verb:11} | {' | '.join(cells)}".rstrip())
    table = "\n".join(["", *lines, ""])
    print(table)  # noqa: T201 — the table is the point

    assert table == TABLE


@pytest.mark.parametrize("verb", VERBS)
def test_without_the_locks_the_action_says_changed_and_the_phone_rings_all_the_same(
    carrier: InProcessCarrier, verb: str
) -> None:
    row = Row(carrier)

    played = at_compare_and_set(row, verb, first="worker", rewrites=COMPARE_AND_SET)

    assert played.answer == CHANGED
    assert played.by_old_promise == 1
