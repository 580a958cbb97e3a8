"""The life of a campaign: made, filled, started, paused, resumed, cancelled, failed, ended."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import lifecycle, membership
from dialer.campaigns.lifecycle import CampaignNotStartable
from dialer.campaigns.settings import InvalidCampaign
from dialer.campaigns.stats import stats
from dialer.contacts.contacts import InvalidContact
from dialer.dialing.claim import claim_due
from dialer.models import Call, Campaign, CampaignContact, Contact, Import
from dialer.workspaces.audit import SYSTEM, Actor
from dialer.workspaces.models import AuditEntry, Workspace
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import (
    NOW,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_workspace,
)
from webhooks.models import Event

pytestmark = pytest.mark.django_db
ANN = Actor(kind="user", id="1", label="Ann")
LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def workspace() -> Workspace:
    workspace = make_workspace()
    make_line(workspace)
    return workspace


def by_ann(workspace: Workspace) -> dict[str, Any]:
    return {"workspace_id": workspace.id, "actor": ANN, "now": NOW}


def told(kind: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(event.body)) for event in Event.objects.filter(type=kind)]


def states(campaign: Campaign) -> list[str]:
    return sorted(CampaignContact.objects.filter(campaign=campaign).values_list("state", flat=True))


def test_a_campaign_is_made_with_contacts_and_started_in_one_go(workspace: Workspace) -> None:
    contact = make_contact(workspace)

    made = lifecycle.create(
        workspace.id,
        name="Spring",
        persona_id=make_persona(workspace).id,
        contacts=[contact.public_id, {"name": "Bob", "phone": "+49 30 901820"}, {"phone": "x"}, contact.id],
        auto_start=True,
        actor=ANN,
        now=NOW,
    )

    assert (made.contacts.submitted, made.contacts.added, made.contacts.duplicates) == (4, 2, 1)
    assert [(bad.index, bad.field) for bad in made.contacts.refused] == [(2, "phone")]
    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.started_at, campaign.completes_at_once) == ("running", NOW, True)
    assert set(CampaignContact.objects.values_list("state", "due_at")) == {("waiting", NOW)}
    assert Event.objects.filter(type="campaign.started").count() == 1
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == ["create", "add_contacts", "start"]


def test_a_campaign_at_fault_leaves_nothing_behind(workspace: Workspace) -> None:
    with pytest.raises(InvalidCampaign):
        lifecycle.create(workspace.id, name="", contacts=[{"phone": "+4930901820"}], actor=ANN, now=NOW)
    with pytest.raises(CampaignNotStartable):
        lifecycle.create(
            workspace.id, name="Empty", persona_id=make_persona(workspace).id, auto_start=True, actor=ANN, now=NOW
        )

    assert not Campaign.objects.exists()
    assert not Contact.objects.exists()


def test_adding_names_each_bad_entry_by_its_index_and_reason(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft")
    stranger = make_contact(make_workspace())
    entries: list[object] = [
        stranger.public_id,
        stranger.id,
        "ct_nonsense",
        7,
        {"phone": "+4930901820", "nick": "x"},
        {"phone": "+4930901820", "metadata": []},
        {"phone": "+4930901820", "time_zone": "Mars"},
    ]

    added = membership.add(campaign.id, entries, workspace_id=workspace.id, actor=ANN, now=NOW)

    assert added.added == 0
    assert [(bad.index, bad.field) for bad in added.refused] == [
        (0, "contact_id"),
        (1, "contact_id"),
        (2, "contact_id"),
        (3, "contact"),
        (4, "nick"),
        (5, "metadata"),
        (6, "time_zone"),
    ]
    assert all(bad.reason for bad in added.refused)


def test_more_than_ten_thousand_at_once_are_refused(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft")

    with pytest.raises(InvalidContact, match="10,000"):
        membership.add(campaign.id, ["x"] * 10_001, workspace_id=workspace.id, actor=ANN, now=NOW)


def test_a_contact_whose_chain_ended_is_a_duplicate_when_added_again(workspace: Workspace) -> None:
    member = make_campaign_contact(make_campaign(workspace), state="exhausted")

    added = membership.add(member.campaign_id, [member.contact.id], workspace_id=workspace.id, actor=ANN, now=NOW)

    assert (added.added, added.duplicates) == (0, 1)
    assert states(member.campaign) == ["exhausted"]


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed"])
def test_adding_to_an_ended_campaign_is_a_conflict_and_makes_no_contact(workspace: Workspace, status: str) -> None:
    campaign = make_campaign(workspace, status=status)

    with pytest.raises(TransitionConflict):
        membership.add(campaign.id, [{"phone": "+4930901820"}], workspace_id=workspace.id, actor=ANN, now=NOW)

    assert not Contact.objects.exists()


def test_contacts_of_a_draft_get_their_first_time_when_it_starts_each_on_its_own_clock(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft")
    berlin = make_campaign_contact(campaign, make_contact(workspace), due_at=None)
    tokyo = make_campaign_contact(campaign, make_contact(workspace, time_zone="America/New_York"), due_at=None)
    somewhere = make_campaign_contact(
        campaign, make_contact(workspace, time_zone="", phone="+999123456789"), due_at=None
    )

    lifecycle.start(campaign.id, **by_ann(workspace))

    for member in (berlin, tokyo, somewhere):
        member.refresh_from_db()
    assert berlin.due_at == NOW
    assert tokyo.due_at == NOW + timedelta(hours=3)  # 09:00 in New York
    assert somewhere.due_at == NOW  # 11:00 in the workspace's zone, the narrow window


def test_a_campaign_that_starts_later_is_scheduled_and_told_when_it_starts(workspace: Workspace) -> None:
    start_at = NOW + timedelta(hours=2)
    campaign = make_campaign(workspace, status="draft", start_at=start_at)
    make_campaign_contact(campaign, make_contact(workspace), due_at=None)

    started = lifecycle.start(campaign.id, **by_ann(workspace))

    assert (started.status, started.started_at, told("campaign.started")) == ("scheduled", None, [])
    assert campaign_completion.begin_scheduled(now=start_at - timedelta(seconds=1)) == []
    assert campaign_completion.begin_scheduled(now=start_at) == [campaign.id]
    assert campaign_completion.begin_scheduled(now=start_at) == []
    campaign.refresh_from_db()
    assert (campaign.status, campaign.started_at) == ("running", start_at)
    (event,) = told("campaign.started")
    assert event["data"]["started_at"] == "2025-03-12T12:00:00Z"
    entries = AuditEntry.objects.filter(object_type="campaign").order_by("id")
    assert [(entry.verb, entry.to_state["status"]) for entry in entries] == [
        ("start", "scheduled"),
        ("begin", "running"),
    ]


def test_nobody_is_called_before_a_scheduled_campaign_starts(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="scheduled", start_at=NOW + timedelta(hours=2))
    make_campaign_contact(campaign, make_contact(workspace))

    assert claim_due(limit=10, now=NOW) == []


def test_a_scheduled_campaign_follows_its_start_when_that_is_moved(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="scheduled", start_at=NOW + timedelta(hours=2))

    lifecycle.edit(campaign.id, schedule={"start_at": (NOW - timedelta(hours=1)).isoformat()}, **by_ann(workspace))

    assert campaign_completion.begin_scheduled(now=NOW) == [campaign.id]


@pytest.mark.parametrize("verb", [lifecycle.pause, lifecycle.resume, lifecycle.start])
def test_a_scheduled_campaign_can_only_be_edited_filled_and_cancelled(
    workspace: Workspace, verb: Callable[..., object]
) -> None:
    campaign = make_campaign(workspace, status="scheduled", start_at=NOW + timedelta(hours=2))
    member = make_campaign_contact(campaign, make_contact(workspace))

    with pytest.raises(TransitionConflict):
        verb(campaign.id, **by_ann(workspace))
    lifecycle.cancel(campaign.id, **by_ann(workspace))

    campaign.refresh_from_db()
    member.refresh_from_db()
    assert (campaign.status, member.state) == ("cancelled", "cancelled")
    assert [event["event"] for event in (*told("campaign.started"), *told("campaign.ended"))] == ["campaign.ended"]


def test_contacts_added_to_a_scheduled_campaign_get_their_first_time(workspace: Workspace) -> None:
    start_at = NOW + timedelta(hours=2)
    campaign = make_campaign(workspace, status="scheduled", start_at=start_at)

    membership.add(campaign.id, [{"phone": "+4930901820"}], workspace_id=workspace.id, actor=ANN, now=NOW)

    assert CampaignContact.objects.get().due_at == start_at


def test_a_start_on_local_clocks_comes_with_the_first_clock_that_shows_it(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft", start_at_local="2025-03-13T10:00:00")
    make_campaign_contact(campaign, make_contact(workspace), due_at=None)
    in_kiribati = datetime(2025, 3, 12, 20, tzinfo=UTC)

    assert lifecycle.start(campaign.id, **by_ann(workspace)).status == "scheduled"

    assert campaign_completion.begin_scheduled(now=in_kiribati - timedelta(seconds=1)) == []
    assert campaign_completion.begin_scheduled(now=in_kiribati) == [campaign.id]


@pytest.mark.parametrize("verb", [lifecycle.cancel, lifecycle.fail])
def test_why_a_campaign_was_stopped_is_a_note_beside_the_reason_of_its_end(
    workspace: Workspace, verb: Callable[..., object]
) -> None:
    campaign = make_campaign(workspace)

    verb(campaign.id, reason="no budget", **by_ann(workspace))

    campaign.refresh_from_db()
    assert (campaign.end_reason, campaign.end_note) == (campaign.status, "no budget")
    assert told("campaign.ended")[0]["data"]["end_reason"] == campaign.status


def test_a_start_on_each_contacts_own_clock_comes_zone_by_zone(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft", start_at_local="2025-03-13T10:00:00")
    berlin = make_campaign_contact(campaign, make_contact(workspace), due_at=None)
    new_york = make_campaign_contact(campaign, make_contact(workspace, time_zone="America/New_York"), due_at=None)

    lifecycle.start(campaign.id, **by_ann(workspace))

    berlin.refresh_from_db()
    new_york.refresh_from_db()
    assert berlin.due_at == NOW + timedelta(hours=23)  # 10:00 in Berlin is 09:00 in UTC
    assert new_york.due_at == NOW + timedelta(hours=28)  # and 14:00 for New York, in summer time by then


def test_contacts_whose_window_never_opens_come_to_their_end(workspace: Workspace) -> None:
    window = {"calling_hours": {"mon": [{"start": "09:00", "end": "12:00"}]}, "days": "weekend_off"}
    closed = {**window, "calling_hours": {"tue": [{"start": "00:00", "end": "00:01"}]}}
    campaign = make_campaign(
        workspace, status="draft", schedule=closed, line=make_line(workspace, ring_timeout_seconds=90)
    )
    member = make_campaign_contact(campaign, due_at=None)

    lifecycle.start(campaign.id, **by_ann(workspace))

    member.refresh_from_db()
    assert (member.state, member.end_reason) == ("exhausted", "no_opening")


def test_start_without_contacts_is_refused_unless_an_import_will_bring_some(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft")

    with pytest.raises(CampaignNotStartable, match="no contacts"):
        lifecycle.start(campaign.id, **by_ann(workspace))
    assert Campaign.objects.get().status == "draft"

    Import.objects.create(workspace=workspace, campaign=campaign, status="running")
    assert lifecycle.start(campaign.id, **by_ann(workspace)).status == "running"


def test_start_is_refused_where_line_or_persona_is_archived_or_the_end_has_passed(workspace: Workspace) -> None:
    for fields in (
        {"line": make_line(workspace, archived_at=NOW)},
        {"persona": make_persona(workspace, archived_at=NOW)},
        {"end_at": NOW},
    ):
        campaign = make_campaign(workspace, status="draft", **fields)
        make_campaign_contact(campaign)
        with pytest.raises(CampaignNotStartable):
            lifecycle.start(campaign.id, **by_ann(workspace))


@pytest.mark.parametrize(
    ("verb", "allowed"),
    [
        ("start", {"draft"}),
        ("pause", {"running"}),
        ("resume", {"paused"}),
        ("cancel", {"draft", "running", "paused"}),
    ],
)
def test_each_verb_leaves_only_the_states_it_may(workspace: Workspace, verb: str, allowed: set[str]) -> None:
    for status in ("draft", "running", "paused", "completed", "cancelled", "failed"):
        campaign = make_campaign(workspace, status=status)
        make_campaign_contact(campaign)
        act = getattr(lifecycle, verb)
        if status in allowed:
            act(campaign.id, **by_ann(workspace))
        else:
            with pytest.raises(TransitionConflict) as conflict:
                act(campaign.id, **by_ann(workspace))
            assert conflict.value.from_ == status
            campaign.refresh_from_db()
            assert campaign.status == status


def test_another_workspaces_campaign_is_not_found(workspace: Workspace) -> None:
    stranger = make_campaign(make_workspace())

    with pytest.raises(Campaign.DoesNotExist):
        lifecycle.pause(stranger.id, **by_ann(workspace))
    with pytest.raises(Campaign.DoesNotExist):
        membership.add(stranger.id, [], workspace_id=workspace.id, actor=ANN, now=NOW)


def test_pause_takes_claims_back_and_says_what_it_holds(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    make_campaign_contact(campaign)
    claimed = make_call(make_contact(workspace), campaign=campaign, lease_until=LATER, generation=3)
    make_call(make_contact(workspace), campaign=campaign, rank=2)
    make_call(make_contact(workspace), campaign=campaign, status="in_progress")

    touched = lifecycle.pause(campaign.id, reason="lunch", **by_ann(workspace))

    claimed.refresh_from_db()
    campaign.refresh_from_db()
    assert (claimed.status, claimed.lease_until, claimed.generation) == ("queued", None, 4)
    assert campaign.status == "paused"
    assert (touched.callbacks, touched.waiting, touched.live) == (1, 2, 1)
    (event,) = told("campaign.paused")
    assert event["data"]["reason"] == "lunch"
    assert AuditEntry.objects.get().reason == "lunch"


def overdue_retry(campaign: Campaign, **fields: Any) -> Call:
    late = NOW - timedelta(hours=30)
    values: dict[str, Any] = {"rank": 2, "due_at": late, "not_after": late + timedelta(hours=72)} | fields
    return make_call(make_contact(campaign.workspace), campaign=campaign, **values)


def test_resume_calls_overdue_retries_unless_told_otherwise(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="paused")
    late = overdue_retry(campaign)

    touched = lifecycle.resume(campaign.id, **by_ann(workspace))

    late.refresh_from_db()
    assert touched.overdue == 1
    assert (late.status, late.due_at) == ("queued", NOW - timedelta(hours=30))
    assert told("campaign.resumed")


def test_resume_leaves_stale_retries_to_an_operator_and_counts_them(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="paused")
    overdue_retry(campaign, not_after=NOW - timedelta(hours=1))

    touched = lifecycle.resume(campaign.id, **by_ann(workspace))

    assert (touched.overdue, touched.stale, touched.callbacks) == (0, 1, 1)


def test_resume_may_cancel_overdue_retries_stale_ones_too_but_no_promise(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="paused")
    late = overdue_retry(campaign)
    promised = overdue_retry(campaign, rank=1, not_after=None)
    stale = overdue_retry(campaign, not_after=NOW - timedelta(hours=1))
    early = overdue_retry(campaign, due_at=LATER)

    touched = lifecycle.resume(campaign.id, overdue="cancel", **by_ann(workspace))

    for call in (late, promised, stale, early):
        call.refresh_from_db()
    assert (touched.overdue, touched.stale, touched.callbacks, touched.promises) == (2, 0, 4, 1)
    assert [call.status for call in (late, promised, stale, early)] == ["withdrawn", "queued", "withdrawn", "queued"]


def test_cancel_stops_what_waits_lets_live_calls_finish_and_then_tells_the_end_once(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    make_campaign_contact(campaign)
    queued = make_call(make_contact(workspace), campaign=campaign, rank=2)
    live = make_call(make_contact(workspace), campaign=campaign, status="in_progress")

    touched = lifecycle.cancel(campaign.id, reason="no budget", **by_ann(workspace))

    queued.refresh_from_db()
    assert (touched.callbacks, touched.waiting, touched.live) == (1, 1, 1)
    assert queued.status == "withdrawn"
    assert states(campaign) == ["calling", "cancelled", "cancelled"]
    assert not told("campaign.ended")

    CampaignContact.objects.filter(calls=live).update(state="reached", result="answered")
    campaign_completion.sweep(now=LATER)
    campaign_completion.sweep(now=LATER)

    (event,) = told("campaign.ended")
    assert event["data"]["end_reason"] == "cancelled"
    assert event["data"]["stats"] == {
        "total_contacts": 3,
        "completed": 1,
        "no_answer": 0,
        "busy": 0,
        "failed": 0,
        "voicemail": 0,
        "suppressed": 0,
        "cancelled": 2,
    }
    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == ("cancelled", LATER)
    assert (campaign.end_reason, campaign.end_note) == ("cancelled", "no budget")


def test_a_campaign_with_nothing_under_way_ends_with_its_cancel(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft")

    lifecycle.cancel(campaign.id, **by_ann(workspace))

    (event,) = told("campaign.ended")
    assert event["data"]["performance"] == {
        "connect_rate_percent": 0.0,
        "completion_rate_percent": 0.0,
        "average_call_duration_seconds": 0,
    }


def test_a_failed_campaign_tells_its_failure_and_then_its_end(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    make_campaign_contact(campaign)

    lifecycle.fail(campaign.id, reason="credentials rejected", **by_ann(workspace))

    assert [event.type for event in Event.objects.order_by("id")] == ["campaign.failed", "campaign.ended"]
    assert told("campaign.ended")[0]["data"]["end_reason"] == "failed"
    assert states(campaign) == ["cancelled"]


def finished(workspace: Workspace, **fields: Any) -> Campaign:
    fields.setdefault("contact_added_at", NOW - timedelta(seconds=300))
    campaign = make_campaign(workspace, **fields)
    make_campaign_contact(campaign, state="exhausted", result="no_answer")
    return campaign


def test_a_campaign_completes_when_its_last_contact_is_at_its_end_and_says_so_once(workspace: Workspace) -> None:
    campaign = finished(workspace)

    assert campaign_completion.complete_finished(now=NOW) == [campaign.id]
    assert campaign_completion.complete_finished(now=NOW) == []

    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == ("completed", NOW)
    assert len(told("campaign.ended")) == 1


def test_a_contact_added_less_than_five_minutes_ago_keeps_the_campaign_open(workspace: Workspace) -> None:
    finished(workspace, contact_added_at=NOW - timedelta(seconds=299))

    assert campaign_completion.complete_finished(now=NOW) == []
    assert len(campaign_completion.complete_finished(now=NOW + timedelta(seconds=1))) == 1


def test_a_campaign_started_with_its_contacts_waits_for_no_more(workspace: Workspace) -> None:
    finished(workspace, contact_added_at=NOW, completes_at_once=True)

    assert len(campaign_completion.complete_finished(now=NOW)) == 1


@pytest.mark.parametrize("state", ["waiting", "calling", "callback_pending"])
def test_a_contact_that_is_not_at_its_end_keeps_the_campaign_open(workspace: Workspace, state: str) -> None:
    make_campaign_contact(finished(workspace), state=state)

    assert campaign_completion.complete_finished(now=NOW) == []


@pytest.mark.parametrize("status", ["uploading", "waiting", "running"])
def test_an_import_under_way_keeps_the_campaign_open(workspace: Workspace, status: str) -> None:
    Import.objects.create(workspace=workspace, campaign=finished(workspace), status=status)

    assert campaign_completion.complete_finished(now=NOW) == []


def test_at_its_end_time_a_campaign_pauses_by_itself_and_does_not_resume_without_a_later_one(
    workspace: Workspace,
) -> None:
    campaign = make_campaign(workspace, end_at=NOW)
    claimed = make_call(make_contact(workspace), campaign=campaign, lease_until=LATER)

    assert campaign_completion.pause_at_end(now=NOW - timedelta(seconds=1)) == []
    assert campaign_completion.pause_at_end(now=NOW) == [campaign.id]

    campaign.refresh_from_db()
    claimed.refresh_from_db()
    assert (campaign.status, campaign.pause_reason, claimed.lease_until) == ("paused", "end_at_reached", None)
    assert told("campaign.paused")[0]["data"]["reason"] == "end_at_reached"
    with pytest.raises(CampaignNotStartable, match="end_at"):
        lifecycle.resume(campaign.id, **by_ann(workspace))

    lifecycle.edit(campaign.id, schedule={"end_at": "2025-03-20T00:00:00Z"}, **by_ann(workspace))
    lifecycle.resume(campaign.id, **by_ann(workspace))
    campaign.refresh_from_db()
    assert campaign.status == "running"


def test_editing_the_schedule_moves_first_calls_and_leaves_retries_at_their_time(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    waiting = make_campaign_contact(campaign)
    retry = make_call(make_contact(workspace), campaign=campaign, rank=2)

    lifecycle.edit(campaign.id, schedule={"calling_hours": {"start": "14:00", "end": "18:00"}}, **by_ann(workspace))

    waiting.refresh_from_db()
    retry.refresh_from_db()
    assert waiting.due_at == NOW + timedelta(hours=3)
    assert retry.due_at == NOW
    assert AuditEntry.objects.get().to_state == {"changed": ["schedule"]}


def test_a_field_that_is_not_given_stays_and_an_ended_campaign_cannot_be_edited(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, name="Spring", schedule={"auto_callback": False})

    lifecycle.edit(campaign.id, name="Summer", **by_ann(workspace))

    campaign.refresh_from_db()
    assert (campaign.name, campaign.schedule) == ("Summer", {"auto_callback": False})
    with pytest.raises(TransitionConflict):
        lifecycle.edit(make_campaign(workspace, status="completed").id, name="x", **by_ann(workspace))


def test_stats_count_each_contact_once_by_its_best_result(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    for state, result in (
        ("reached", "answered"),
        ("cancelled", "answered"),
        ("suppressed", "dnc_request"),
        ("exhausted", "voicemail"),
        ("exhausted", "no_answer"),
        ("exhausted", "busy"),
        ("exhausted", "network_error"),
        ("exhausted", ""),
        ("invalid", "invalid_number"),
        ("suppressed", "no_answer"),
        ("cancelled", ""),
        ("callback_pending", "busy"),
    ):
        make_campaign_contact(campaign, state=state, result=result)
    member = make_campaign_contact(campaign, state="reached", result="answered")
    make_call(campaign_contact=member, status="ended", outcome="answered", duration_seconds=100)
    make_call(campaign_contact=member, status="ended", outcome="no_answer", duration_seconds=900)

    found = stats(campaign.id)

    assert found.counts() == {
        "total_contacts": 13,
        "completed": 4,
        "no_answer": 1,
        "busy": 1,
        "failed": 3,
        "voicemail": 1,
        "suppressed": 1,
        "cancelled": 1,
    }
    assert found.open == 1
    assert found.performance() == {
        "connect_rate_percent": 30.8,
        "completion_rate_percent": 53.8,
        "average_call_duration_seconds": 100,
    }


@pytest.mark.parametrize("status", ["running", "paused"])
def test_contacts_that_are_added_to_a_campaign_that_has_started_get_their_first_time(
    workspace: Workspace, status: str
) -> None:
    campaign = make_campaign(workspace, status=status)

    membership.add(campaign.id, [{"phone": "+4930901820"}], workspace_id=workspace.id, actor=SYSTEM, now=NOW)

    assert CampaignContact.objects.get().due_at == NOW
