"""Calls that are cancelled while they are live: a worker asks the carrier to hang up, a few times at most."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from dialer.calls import call_states, calls
from dialer.dialing import hanging_up
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from tests.factories import NOW, make_call
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]


def cancelled(**fields: Any) -> Call:
    call = make_call(**{"status": "ringing", **fields})
    return calls.cancel(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, reason="wrong number", now=NOW)


def ask(*, after: float = 0) -> int:
    return hanging_up.ask_due(limit=10, now=NOW + timedelta(seconds=after))


def test_a_cancel_is_audited_and_asks_nobody_before_it_commits(carrier: InProcessCarrier) -> None:
    with transaction.atomic():
        call = cancelled()
        assert carrier.hung_up == []

    assert call.is_hanging_up
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.reason, entry.to_state) == ("cancel", "wrong number", {"status": "ringing"})


@pytest.mark.parametrize("status", ["dialing", "ringing", "in_progress"])
def test_a_worker_asks_the_carrier_of_a_cancelled_call_once_however_many_messages_come(
    carrier: InProcessCarrier, status: str
) -> None:
    call = cancelled(status=status)

    assert (ask(), ask(after=1)) == (1, 0)

    assert carrier.hung_up == [call.pk]


def test_a_carrier_that_does_not_hang_up_is_asked_a_few_times(carrier: InProcessCarrier) -> None:
    call = cancelled()

    for second in range(60):
        ask(after=second)

    assert carrier.hung_up == [call.pk] * 3
    assert Call.objects.get().hang_up_at is None


def test_a_call_that_was_cancelled_while_no_worker_ran_is_hung_up_later(carrier: InProcessCarrier) -> None:
    call = cancelled()

    assert (ask(after=600), ask(after=700)) == (1, 0)

    assert carrier.hung_up == [call.pk]


def test_a_call_that_has_ended_is_not_hung_up(carrier: InProcessCarrier) -> None:
    call = cancelled()
    Call.objects.filter(pk=call.pk).update(status="ended", outcome="cancelled", ended_at=NOW)

    assert ask() == 0

    assert carrier.hung_up == []
    assert Call.objects.get().hang_up_at is None


def test_a_queued_call_that_is_cancelled_ends_and_no_carrier_is_asked(carrier: InProcessCarrier) -> None:
    call = make_call()

    with transaction.atomic():
        call_states.cancel(call.pk, now=NOW)

    assert (ask(), carrier.hung_up, Call.objects.get().hang_up_at) == (0, [], None)


def test_an_adapter_that_breaks_keeps_no_other_call_from_being_hung_up(carrier: InProcessCarrier) -> None:
    first, second = cancelled(), cancelled()

    def breaks(call_id: UUID) -> None:
        if call_id == first.pk:
            raise RuntimeError

    carrier.on_hang_up = breaks

    assert ask() == 2
    assert set(carrier.hung_up) == {first.pk, second.pk}
