"""The judge of `make chaos` must be able to find everything that it looks for."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dialer.carriers.simulation.ledger import Ledger, Place
from dialer.models import Call
from tests.chaos.judge import judge
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def ask(ledger: Path, call: Call) -> None:
    """Write what the carrier writes when it takes a call."""
    with Ledger(ledger) as file:
        file.write(
            Place(
                at=NOW,
                call_id=str(call.id),
                public_id=call.public_id,
                to=call.number,
                accepted=True,
                reason="",
                nth=0,
                ring_timeout_seconds=30,
                max_duration_seconds=60,
            )
        )


def broken(ledger: Path) -> set[str]:
    return {finding.rule for finding in judge(ledger, now=NOW) if not finding.is_kept}


def test_nothing_is_found_where_nothing_is_wrong(ledger: Path) -> None:
    ask(ledger, make_call(status="ended"))
    make_call(status="queued", due_at=NOW + timedelta(minutes=1))
    ask(ledger, make_call(status="dialing"))
    make_call(status="ended", outcome="unknown")

    assert broken(ledger) == set()


def test_a_call_asked_for_twice_is_found(ledger: Path) -> None:
    call = make_call(status="ended")
    ask(ledger, call)
    ask(ledger, call)

    assert broken(ledger) == {"the ledger shows at most one request per call"}


def test_a_request_that_no_row_knows_of_is_found(ledger: Path) -> None:
    ask(ledger, make_call(status="queued", due_at=NOW + timedelta(minutes=1)))

    assert broken(ledger) == {"the ledger shows no call that its row does not say was handed over"}


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (
            lambda: make_call(due_at=NOW + timedelta(minutes=1), lease_until=NOW - timedelta(seconds=10)),
            "no claimed row is past its lease",
        ),
        (
            lambda: make_call(due_at=NOW - timedelta(seconds=10)),
            "every call has ended, is on the phone, or is queued for later",
        ),
        (
            lambda: make_call(status="dialing", dialing_at=NOW - timedelta(minutes=2)),
            "every call has ended, is on the phone, or is queued for later",
        ),
        (
            lambda: make_call(status="ended", outcome="unknown", handled_at=NOW),
            "each unknown call is listed for a person",
        ),
        (
            lambda: make_call(status="ended", outcome="no_answer"),
            "each unknown call is listed for a person",
        ),
        (
            lambda: make_campaign_contact(make_campaign(), due_at=NOW - timedelta(seconds=10)),
            "no contact is left without a call",
        ),
    ],
    ids=["past its lease", "queued and due", "dialing for ever", "handled by nobody", "never placed", "never called"],
)
def test_what_was_left_behind_is_found(ledger: Path, call: Callable[[], Any], rule: str) -> None:
    ask(ledger, make_call(status="ended"))
    call()

    assert broken(ledger) == {rule}
