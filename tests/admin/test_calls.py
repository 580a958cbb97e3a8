"""What an operator knows better of a call: it was no machine, the contact was reached, the contact is to be called."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from callbacks.models import Callback
from dialer.contacts import contacts
from dialer.models import Call, CampaignContact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.admin.people import CONFIRMED, browser_of, said
from tests.factories import ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


def ended(workspace: Workspace, outcome: str) -> Call:
    campaign = make_campaign(workspace, schedule=ROUND_THE_CLOCK)
    member = make_campaign_contact(campaign, state="exhausted", end_reason=outcome)
    return make_call(campaign_contact=member, status="ended", outcome=outcome)


def buttons(browser: Client, call: Call) -> set[str]:
    page = browser.get(reverse("admin:dialer_call_change", args=[call.pk])).content.decode()
    names = ("call_back", "mark_reached", "mark_handled", "was_a_person", "cancel")
    return {name for name in names if reverse(f"admin:dialer_call_{name}", args=[call.pk]) in page}


def press(browser: Client, verb: str, call: Call, **filled_in: str) -> Any:
    return browser.post(reverse(f"admin:dialer_call_{verb}", args=[call.pk]), {**CONFIRMED, **filled_in})


def test_a_call_offers_the_verbs_that_its_state_takes(workspace: Workspace) -> None:
    browser = browser_of(workspace)

    assert buttons(browser, ended(workspace, "unknown")) == {"call_back", "mark_reached", "mark_handled"}
    assert buttons(browser, ended(workspace, "voicemail")) == {"was_a_person"}
    assert buttons(browser, ended(workspace, "busy")) == set()


def test_a_call_of_unknown_fate_is_called_back_at_once(workspace: Workspace) -> None:
    operator = browser_of(workspace, role="operator")
    call = ended(workspace, "unknown")
    asked = operator.get(reverse("admin:dialer_call_call_back", args=[call.pk])).content.decode()
    assert "Their clock" in asked

    answer = press(operator, "call_back", call, notes="Say sorry")

    callback = Callback.objects.get()
    assert "is promised a call on" in said(answer)
    assert (callback.type, callback.notes, callback.origin_call) == ("manual", "Say sorry", call)
    assert buttons(operator, call) == set()


def test_where_something_is_promised_already_the_dialog_says_so(workspace: Workspace) -> None:
    browser = browser_of(workspace)
    call = ended(workspace, "unknown")
    press(browser, "call_back", call)
    Call.objects.filter(pk=call.pk).update(handled_at=None)

    assert "has a pending callback already" in press(browser, "call_back", call).content.decode()


def test_a_contact_that_was_deleted_is_not_called_back_and_the_dialog_says_so(workspace: Workspace) -> None:
    call = ended(workspace, "unknown")
    contacts.delete(call.contact_id, workspace_id=workspace.pk, actor=SYSTEM, now=database_now())

    assert "The contact was deleted." in press(browser_of(workspace), "call_back", call).content.decode()
    assert Callback.objects.count() == 0


def test_a_contact_is_marked_as_reached_one_or_many(workspace: Workspace) -> None:
    browser = browser_of(workspace)
    one, other = ended(workspace, "unknown"), ended(workspace, "unknown")

    assert "counts as reached" in said(press(browser, "mark_reached", one))
    answer = browser.post(
        reverse("admin:dialer_call_changelist"),
        {"action": "reached_selected", "_selected_action": [str(one.pk), str(other.pk)], **CONFIRMED},
    )

    assert said(answer).endswith("1 marked as reached, 1 already handled.")
    assert set(CampaignContact.objects.values_list("state", flat=True)) == {"reached"}


def test_a_wrong_verdict_of_the_machine_is_corrected(workspace: Workspace) -> None:
    browser = browser_of(workspace)
    call = ended(workspace, "voicemail")

    assert said(press(browser, "was_a_person", call, reason="I talked to her")) == "The call counts as answered."

    call.refresh_from_db()
    assert call.outcome == "answered"


def test_viewers_and_strangers_settle_nothing(workspace: Workspace) -> None:
    call = ended(workspace, "unknown")

    for verb in ("call_back", "mark_reached", "was_a_person"):
        assert press(browser_of(workspace, role="viewer"), verb, call).status_code == 403
        stranger = browser_of(make_workspace())
        assert "no such row" in said(press(stranger, verb, call))
        assert call.number not in stranger.get(reverse(f"admin:dialer_call_{verb}", args=[call.pk])).content.decode()
    assert browser_of(workspace).get("/admin/dialer/call/nonsense/call_back/").status_code == 200
    assert not Callback.objects.exists()
