"""A call that was withdrawn by mistake is put back, and nothing else is."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.calls import calls
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(("state", "then"), [("cancelled", "callback_pending"), ("calling", "calling")])
def test_a_contact_waits_for_its_call_again_unless_it_is_being_called(state: str, then: str) -> None:
    member = make_campaign_contact(make_campaign(), state=state)
    call = make_call(campaign_contact=member, status="withdrawn", held_reason="cancelled", generation=4)

    calls.requeue(call.pk, due_at=LATER)

    call.refresh_from_db()
    member.refresh_from_db()
    assert (call.status, call.due_at, call.held_reason, call.generation) == ("queued", LATER, "", 5)
    assert member.state == then


@pytest.mark.parametrize(
    "fields", [{"status": "ended", "outcome": "cancelled"}, {"status": "dialing"}, {"status": "queued"}]
)
def test_only_what_was_withdrawn_is_put_back(fields: dict[str, Any]) -> None:
    call = make_call(**fields)

    with pytest.raises(TransitionConflict):
        calls.requeue(call.pk, due_at=LATER)

    call.refresh_from_db()
    assert (call.status, call.due_at) == (fields["status"], NOW)
