"""Where campaign contacts may go: every verb from every state, and nobody else writes the state."""

import re
from collections.abc import Callable

import pytest

from dialer.calls import campaign_contacts
from dialer.calls.campaign_contacts import AfterCall
from dialer.models import CampaignContact
from dialer.rules.statuses import CONTACT_MOVES, ContactState, Outcome
from tests.factories import NOW, make_campaign, make_campaign_contact
from tests.sources import modules

OWNER = "dialer/calls/campaign_contacts.py"
WRITES = re.compile(r"(?:UPDATE|INSERT INTO) dialer_campaigncontact\b[^;]*?(?=\"\"\")", re.DOTALL)

Verb = Callable[[CampaignContact], object]
VERBS: dict[str, Verb] = {
    "add": lambda row: campaign_contacts.add(row.workspace_id, row.campaign_id, [row.contact_id], now=NOW),
    "add_promised": lambda row: campaign_contacts.add_promised(row.workspace_id, row.campaign_id, row.contact_id),
    "claim": lambda row: campaign_contacts.claim([row.pk]),
    "call": lambda row: campaign_contacts.call([row.pk]),
    "expect_callback": lambda row: campaign_contacts.expect_callback([row.pk], from_=list(ContactState)),
    **{
        f"finish {state}": lambda row, state=state: campaign_contacts.finish(  # type: ignore[misc]
            [row.pk], state=state, end_reason="x", now=NOW
        )
        for state in (ContactState.REACHED, ContactState.EXHAUSTED, ContactState.SUPPRESSED, ContactState.CANCELLED)
    },
    "finish_waiting": lambda row: campaign_contacts.finish_waiting(row.campaign_id, end_reason="x", limit=9, now=NOW),
    **{
        f"move_after_calls {state}": lambda row, state=state: campaign_contacts.move_after_calls(  # type: ignore[misc]
            [AfterCall(id=row.pk, state=state, end_reason="", result=Outcome.BUSY)], now=NOW
        )
        for state in (ContactState.CALLBACK_PENDING, ContactState.REACHED, ContactState.INVALID)
    },
    "count_as_reached": lambda row: campaign_contacts.count_as_reached(row.pk, is_over=True, now=NOW),
    "count_as_talked_to": lambda row: campaign_contacts.count_as_talked_to([row.pk]),
}


@pytest.mark.django_db
@pytest.mark.parametrize("state", ContactState)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_moves_a_contact_as_the_moves_permit_or_leaves_it_where_it_is(verb: str, state: ContactState) -> None:
    row = make_campaign_contact(make_campaign(), state=state.value)

    VERBS[verb](row)

    row.refresh_from_db()
    assert row.state in CONTACT_MOVES[state] | {state}


@pytest.mark.django_db
def test_every_move_that_is_permitted_is_made_by_a_verb() -> None:
    made = set()
    for state in ContactState:
        for verb in VERBS.values():
            row = make_campaign_contact(make_campaign(), state=state.value)
            verb(row)
            row.refresh_from_db()
            made.add((state, ContactState(row.state)))

    permitted = {(from_, to) for from_, targets in CONTACT_MOVES.items() for to in targets}
    assert {(from_, to) for from_, to in made if from_ is not to} == permitted


def test_no_other_module_writes_the_state() -> None:
    writers = set()
    for name, text in modules():
        by_sql = any(re.search(r"\bstate\b", statement) for statement in WRITES.findall(text))
        by_orm = re.search(r"CampaignContact\.objects[^\n]*\.(?:create|get_or_create|bulk_create)\(", text)
        by_update = re.search(r"\.update\(\s*state=", text)
        if by_sql or by_orm or by_update:
            writers.add(name)

    assert writers == {OWNER}
