"""Promises beside retries where there is no campaign: whose chain goes on, and which one is over."""

from datetime import timedelta
from uuid import UUID

import pytest

from callbacks import scheduling
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Scheduled
from dialer.dialing import single_calls
from dialer.models import Call, Contact
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, ROUND_THE_CLOCK, make_contact, make_line, make_persona, make_workspace
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

HOUR = timedelta(hours=1)
DELAYS = {"callback_retry_schedule": [600, 700]}


def a_contact() -> Contact:
    workspace = make_workspace(schedule=ROUND_THE_CLOCK)
    make_line(workspace, is_default=True)
    make_persona(workspace)
    return make_contact(workspace)


def call_once(contact: Contact, outcome: str) -> Call:
    """Make a call outside campaigns with delays of its own, and let it end."""
    made = single_calls.create(contact.workspace_id, contact_id=contact.pk, schedule=DELAYS, actor=SYSTEM, now=NOW)
    dial(NOW)
    end_all(NOW, outcome)
    return made.call


def promise(contact: Contact, *, after: Call | None = None) -> Scheduled:
    return scheduling.request(
        workspace_id=contact.workspace_id,
        contact_id=contact.pk,
        origin_call_id=after.pk if after else None,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + HOUR,
        actor=SYSTEM,
        now=NOW,
    )


def chains_told_to_be_over() -> list[UUID | None]:
    return list(Event.objects.filter(type="call.exhausted").order_by("id").values_list("chain_id", flat=True))


def test_a_promise_in_place_of_a_retry_goes_on_with_its_chain(carrier: InProcessCarrier) -> None:
    contact = a_contact()
    first = call_once(contact, "no_answer")

    promised = promise(contact)

    call = Call.objects.get(pk=promised.callback.call_id)
    assert (call.chain_id, call.attempt_number, call.schedule) == (first.pk, 2, DELAYS)
    assert chains_told_to_be_over() == []
    dial(NOW + HOUR)
    end_all(NOW + HOUR, "answered")
    assert chains_told_to_be_over() == [first.pk]


def test_a_promise_after_a_call_of_another_chain_ends_the_chain_whose_retry_it_supersedes(
    carrier: InProcessCarrier,
) -> None:
    contact = a_contact()
    first = call_once(contact, "no_answer")
    second = call_once(contact, "voicemail")
    assert chains_told_to_be_over() == [second.pk]  # its retry was not made: the first call's is pending

    promised = promise(contact, after=second)

    assert Call.objects.get(pk=promised.callback.call_id).chain_id == second.pk
    assert chains_told_to_be_over() == [second.pk, first.pk]
