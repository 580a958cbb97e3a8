"""Where callbacks may go: every verb from every status, and nobody else writes the status."""

import re
from collections.abc import Callable

import pytest

from callbacks import callback_states
from callbacks.models import Callback
from callbacks.rules.explanation import Code, step
from callbacks.rules.statuses import CALLBACK_MOVES, CallbackStatus
from tests.admin.people import make_callback
from tests.factories import NOW, make_workspace
from tests.sources import modules

OWNERS = {"callbacks/callback_states.py", "callbacks/scheduled.py"}
"""The second inserts the rows."""
SQL_WRITES = re.compile(r"(?:UPDATE|INSERT INTO) callbacks_callback\b.*?(?=\"\"\"|\",)", re.DOTALL)

Verb = Callable[[Callback], object]
VERBS: dict[str, Verb] = {
    "dial": lambda row: callback_states.dial([row.call_id], now=NOW),
    "put_back": lambda row: callback_states.put_back([row.call_id], now=NOW),
    "finish": lambda row: callback_states.finish([row.call_id], now=NOW),
    **{
        f"withdraw {to}": lambda row, to=to: callback_states.withdraw([row.call_id], to=to, now=NOW)  # type: ignore[misc]
        for to in CallbackStatus
        if to not in (CallbackStatus.PENDING, CallbackStatus.DIALING, CallbackStatus.DONE)
    },
    "reopen": lambda row: callback_states.reopen(row, explained=step(Code.UNDONE, "Undone.", at=NOW), now=NOW),
}


@pytest.mark.django_db
def test_the_verbs_make_every_move_that_is_permitted_and_no_other() -> None:
    callback = make_callback(make_workspace())
    made = set()
    for status in CallbackStatus:
        for verb in VERBS.values():
            Callback.objects.filter(pk=callback.pk).update(status=status.value)
            verb(callback)
            callback.refresh_from_db()
            made.add((status, CallbackStatus(callback.status)))

    permitted = {(from_, to) for from_, targets in CALLBACK_MOVES.items() for to in targets}
    assert {(from_, to) for from_, to in made if from_ is not to} == permitted


def test_no_other_module_writes_the_status() -> None:
    writers = {
        name
        for name, text in modules()
        if any("status" in statement.split("WHERE")[0] for statement in SQL_WRITES.findall(text))
        or re.search(r"Callback\.objects\.(?:create|bulk_create)\(", text)
        or re.search(r"Callback\.objects\.[^\n]*\.update\(\s*status=", text)
    }

    assert writers == OWNERS
