"""Where calls may go: every verb from every status, and nobody else writes it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from dialer.calls import call_states
from dialer.calls.call_states import Moved, Postponed, Progress
from dialer.calls.listener import CallEnd
from dialer.models import Call
from dialer.rules.statuses import CALL_MOVES, CallStatus, Outcome
from dialer.rules.withdrawals import Withdrawal
from tests.factories import NOW, make_call
from tests.sources import modules

OWNERS = {"dialer/calls/call_states.py", "dialer/dialing/inbound.py"}
"""The second makes the rows of calls that come in."""
SQL_WRITES = re.compile(r"(?:UPDATE|INSERT INTO) dialer_call\b[^_].*?(?=\"\"\"|\",)", re.DOTALL)

Verb = Callable[[Call], object]
VERBS: dict[str, Verb] = {
    "lease": lambda call: call_states.lease({call.pk: NOW}, length=timedelta(seconds=30)),
    "release_expired": lambda _: call_states.release_expired(limit=9, now=NOW),
    "hold": lambda call: call_states.hold([Postponed(call_id=call.pk, due_at=NOW, reason="x")]),
    "move": lambda call: call_states.move(
        [Moved(call_id=call.pk, due_at=NOW, not_after=None, rank=call.rank, force=None)]
    ),
    "take_to_dialing": lambda call: call_states.take_to_dialing(
        [(call.pk, call.generation, call.number)], check_at=NOW, now=NOW
    ),
    "put_back": lambda call: call_states.put_back([Postponed(call_id=call.pk, due_at=NOW, reason="x")]),
    **{
        f"move_forward {status}": lambda call, status=status: call_states.move_forward(  # type: ignore[misc]
            [
                Progress(
                    call_id=call.pk,
                    status=max(status, CallStatus(call.status), key=list(CallStatus).index),
                    carrier_call_id="",
                    ringing_at=NOW,
                    answered_at=NOW,
                )
            ],
            check_at=NOW,
            now=NOW,
        )
        for status in (CallStatus.DIALING, CallStatus.RINGING, CallStatus.IN_PROGRESS)
    },
    "end": lambda call: call_states.end([CallEnd(call_id=call.pk, outcome=Outcome.BUSY, ended_reason="busy", at=NOW)]),
    "cancel": lambda call: call_states.cancel(call.pk, now=NOW),
    "end_cancelled": lambda call: call_states.end_cancelled([call.pk], now=NOW),
    "withdraw": lambda call: call_states.withdraw([call.pk], why=Withdrawal.CANCELLED, only_stale=False, now=NOW),
    "requeue": lambda call: call_states.requeue(call.pk, due_at=NOW),
    "correct_to_answered": lambda call: call_states.correct_to_answered(call.pk, ended_reason="unknown", now=NOW),
}


@pytest.mark.django_db
@pytest.mark.parametrize("status", CallStatus)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_moves_a_call_as_the_moves_permit_or_leaves_it_where_it_is(verb: str, status: CallStatus) -> None:
    call = make_call(status=status.value)

    VERBS[verb](call)

    call.refresh_from_db()
    assert call.status in CALL_MOVES[status] | {status}


def test_no_other_module_writes_status_outcome_generation_or_lease() -> None:
    writers = set()
    for name, text in modules():
        by_sql = any(
            re.search(r"\b(?:status|outcome|generation|lease_until)\b\s*=", statement.split("WHERE")[0])
            for statement in SQL_WRITES.findall(text)
        )
        by_orm = re.search(r"Call\.objects\.(?:create|bulk_create)\(", text) or re.search(
            r"Call\.objects\.[^\n]*\.update\(\s*(?:status|outcome|generation|lease_until)=", text
        )
        if by_sql or by_orm:
            writers.add(name)

    assert writers == OWNERS
