"""The contacts of a campaign over HTTP: how far each has come, and why a due call is not being dialled."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dialer.campaigns import progress
from dialer.dialing import placing
from dialer.models import Call, Campaign, CampaignContact, Line
from dialer.rules.statuses import Rank
from dialer.workspaces.models import Workspace
from tests.api.client import Api, error_of
from tests.api.queue_rows import live_call, make_callback, open_campaign, soon
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_suppression,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def listed(api: Api, campaign: Campaign, **query: Any) -> list[Any]:
    answer = api.get(f"campaigns/{campaign.public_id}/contacts/", **query)
    assert answer.status_code == 200, answer.content
    rows: list[Any] = answer.json()["results"]
    return rows


def only(api: Api, campaign: Campaign, **query: Any) -> Any:
    (row,) = listed(api, campaign, **query)
    return row


def test_a_contact_is_shown_with_its_attempts_its_last_outcome_and_its_next_call() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    contact = make_contact(api.workspace, name="Jane Roe", external_id="crm-1")
    at = soon(hours=2)
    callback = make_callback(campaign, at=at, contact=contact, outcome="busy")
    Call.objects.filter(follow_ups=callback).update(outcome="busy")

    row = only(api, campaign)

    member = CampaignContact.objects.get()
    assert (row["id"], row["contact_id"]) == (member.public_id, contact.public_id)
    assert (row["name"], row["phone"], row["external_id"]) == ("Jane Roe", contact.phone, "crm-1")
    assert (row["state"], row["attempts"], row["last_outcome"]) == ("callback_pending", 1, "busy")
    assert row["next_call"] == {
        "call_id": callback.call.public_id,
        "kind": "retry",
        "due_at": at.isoformat().replace("+00:00", "Z"),
    }
    assert row["waiting"] is None, "it is not due yet"


def test_a_contact_that_is_over_has_no_next_call_and_says_how_it_ended() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    member = make_campaign_contact(
        campaign, state="exhausted", end_reason="exhausted", result="busy", ended_at=soon(hours=-1)
    )
    make_call(campaign_contact=member, status="ended", outcome="no_answer", attempt_number=1)
    make_call(campaign_contact=member, status="ended", outcome="busy", attempt_number=2, dialing_at=NOW + HOUR)

    row = only(api, campaign)

    assert (row["attempts"], row["last_outcome"], row["result"]) == (2, "busy", "busy")
    assert (row["end_reason"], row["next_call"], row["waiting"]) == ("exhausted", None, None)
    assert row["ended_at"]


def test_a_live_call_is_an_attempt_without_an_outcome() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    live_call(campaign)

    row = only(api, campaign)

    assert (row["state"], row["attempts"], row["last_outcome"], row["next_call"]) == ("calling", 1, "", None)


def paused(_: CampaignContact) -> None:
    Campaign.objects.update(status="paused")


def busy(member: CampaignContact) -> None:
    make_call(make_contact(member.workspace, phone=member.contact.phone), status="ringing")


def down(_: CampaignContact) -> None:
    Line.objects.update(down_until=NOW + HOUR)


def outside(_: CampaignContact) -> None:
    Campaign.objects.update(schedule={"calling_hours": {"start": "12:00", "end": "13:00"}})


def limited(member: CampaignContact) -> None:
    Workspace.objects.update(contact_limits=[{"max": 1, "period_hours": 24, "scope": "number"}])
    make_call(make_contact(member.workspace, phone=member.contact.phone), status="ended")


@pytest.mark.parametrize("held_by", [paused, busy, down, outside, limited])
def test_a_first_call_waits_for_the_reason_that_the_check_before_dialling_gives(
    carrier: InProcessCarrier, held_by: Any
) -> None:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    held_by(member)
    before = progress.progress_of(_campaign(), [member], now=NOW)[0].waiting
    # Nothing is claimed for a paused campaign, or over a line that is down: they are so after the claim.
    Campaign.objects.update(status="running")
    Line.objects.update(down_until=None)
    claims = claim(NOW)
    if held_by in (paused, down):
        held_by(member)

    placing.place(claims, now=NOW)

    assert before is not None
    call = Call.objects.get(campaign_contact=member)
    assert before.code == call.held_reason
    assert before.next_possible_at in (None, call.due_at)
    member.refresh_from_db()
    after = progress.progress_of(_campaign(), [member], now=NOW + SECOND)[0]
    assert after.waiting is not None
    assert (after.waiting.code, after.next_call and after.next_call.call_id) == (before.code, call.pk)
    assert carrier.placed == []


def _campaign() -> Campaign:
    campaign: Campaign = Campaign.objects.get()
    return campaign


def test_a_first_call_that_is_not_due_waits_for_nothing_and_neither_does_a_draft() -> None:
    api = Api()
    campaign = make_campaign(api.workspace, schedule={"calling_hours": {"start": "12:00", "end": "12:01"}})
    member = make_campaign_contact(campaign, due_at=soon(hours=1))
    assert only(api, campaign)["waiting"] is None

    CampaignContact.objects.filter(pk=member.pk).update(due_at=None)
    Campaign.objects.update(status="draft")

    row = only(api, campaign)
    assert (row["waiting"], row["next_call"]) == (None, {"call_id": None, "kind": "first_call", "due_at": None})


def test_a_suppressed_number_is_not_said_to_wait() -> None:
    api = Api()
    campaign = open_campaign(api.workspace, status="paused")
    member = make_campaign_contact(campaign)
    make_suppression(api.workspace, member.contact.phone)

    assert only(api, campaign)["waiting"] is None


def test_contacts_are_filtered_by_state_and_paged_by_their_ids() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    reached = {make_campaign_contact(campaign, state="reached").contact.public_id for _ in range(3)}
    make_campaign_contact(campaign, state="exhausted")
    make_campaign_contact(open_campaign(api.workspace), state="reached")

    found, url = [], f"campaigns/{campaign.public_id}/contacts/?state=reached&limit=2&ordering=-contact_id"
    while url:
        page = api.get(url).json()
        found += [row["contact_id"] for row in page["results"]]
        url = page["next"]

    assert found == sorted(reached, reverse=True)
    refused = api.get(f"campaigns/{campaign.public_id}/contacts/", state="asleep")
    assert set(error_of(refused)["fields"]) == {"state"}


def test_a_page_costs_as_many_statements_with_one_contact_as_with_many() -> None:
    api = Api()
    campaign = open_campaign(api.workspace, status="paused")
    listed(api, campaign)  # the first request of a key writes when it was used
    counts = []
    for more in (1, 6):
        for _ in range(more):
            make_campaign_contact(campaign)
            make_callback(campaign, at=soon(hours=-1))
            make_campaign_contact(campaign, state="exhausted")
        with CaptureQueriesContext(connection) as queries:
            rows = listed(api, campaign)
        assert {row["waiting"]["code"] for row in rows if row["waiting"]} == {"campaign_paused"}
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 10


def test_kinds_of_next_calls_follow_the_rank_of_the_call() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    callback = make_callback(campaign, at=soon(hours=1), kind="customer_requested")
    assert only(api, campaign)["next_call"]["kind"] == "promise"

    Call.objects.filter(pk=callback.call_id).update(rank=Rank.CALL_NOW.value)

    assert only(api, campaign)["next_call"]["kind"] == "call_now"


def test_contacts_of_another_workspaces_campaign_are_not_found() -> None:
    theirs = open_campaign(make_workspace())
    make_campaign_contact(theirs)

    answer = Api().get(f"campaigns/{theirs.public_id}/contacts/")

    assert answer.status_code == 404
