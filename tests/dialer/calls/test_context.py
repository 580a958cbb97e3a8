"""What is read for a decision: the ledger goes back as far as any limit counts, and holds what was handed over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dialer.calls import context
from dialer.models import Call, Contact
from dialer.rules.contact_limits import ContactLimit
from dialer.rules.openings import Terms
from dialer.workspaces.models import Workspace
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact, make_contact, make_workspace
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial

__all__ = ["carrier"]

HOUR = timedelta(hours=1)


def a_call(contact: Contact, *, hours_ago: float, **fields: Any) -> Call:
    return make_call(contact, status="ended", dialing_at=NOW - hours_ago * HOUR, **fields)


def terms_for(contact: Contact, *periods: int) -> Terms:
    """Return terms of a call to the contact, with limits of these hours in this order."""
    (call,) = context.contexts_of([make_call(contact).pk])
    limits = tuple(ContactLimit(max=1, period=hours * HOUR, scope="number") for hours in periods)
    return replace(context.terms_of(call), limits=limits)


def hours_in_ledger(workspace: Workspace, contact: Contact, terms: Terms) -> list[float]:
    ledger = context.ledger_of([(workspace.pk, contact.phone, terms)], now=NOW)
    return sorted((NOW - handed.at) / HOUR for handed in ledger.get((workspace.pk, contact.phone), ()))


@pytest.mark.django_db
@pytest.mark.parametrize("periods", [(1, 24), (24, 1), (24,)])
def test_the_ledger_goes_back_over_the_longest_period_of_all_limits(periods: tuple[int, ...]) -> None:
    workspace = make_workspace()
    contact = make_contact(workspace)
    for hours_ago in (0.5, 20, 25):
        a_call(contact, hours_ago=hours_ago)

    assert hours_in_ledger(workspace, contact, terms_for(contact, *periods)) == [0.5, 20]


@pytest.mark.django_db
def test_the_ledger_of_several_numbers_goes_back_over_the_longest_period_of_any_of_them() -> None:
    workspace = make_workspace()
    one, other = make_contact(workspace), make_contact(workspace)
    a_call(other, hours_ago=20)
    wanted = [(workspace.pk, one.phone, terms_for(one, 1)), (workspace.pk, other.phone, terms_for(other, 24))]

    for order in (wanted, wanted[::-1]):
        assert len(context.ledger_of(order, now=NOW)[workspace.pk, other.phone]) == 1


@pytest.mark.django_db
def test_the_ledger_holds_what_was_handed_over_to_the_number_in_the_workspace_and_nothing_else() -> None:
    workspace = make_workspace()
    contact = make_contact(workspace)
    a_call(contact, hours_ago=1, direction="inbound", outcome="answered")
    a_call(make_contact(workspace), hours_ago=2)
    a_call(make_contact(make_workspace(), phone=contact.phone), hours_ago=3)
    a_call(make_contact(workspace, phone=contact.phone), hours_ago=4)

    assert hours_in_ledger(workspace, contact, terms_for(contact, 24)) == [4]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("is_elsewhere", "placed"), [(True, 1), (False, 0)])
def test_a_limit_of_a_campaign_counts_its_own_calls_and_no_others(
    carrier: InProcessCarrier, *, is_elsewhere: bool, placed: int
) -> None:
    workspace = make_workspace(contact_limits=[])
    campaign = make_campaign(workspace, contact_limits=[{"max": 1, "period_hours": 24, "scope": "campaign"}])
    member = make_campaign_contact(campaign, state="calling")
    before = make_campaign_contact(make_campaign(workspace), member.contact) if is_elsewhere else member
    make_call(campaign_contact=before, status="ended", dialing_at=NOW - HOUR)
    make_call(campaign_contact=member)

    dial(NOW)

    assert len(carrier.placed) == placed
