"""How campaigns end: what the sweep looks at, what it leaves alone, and who hears of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import events as campaign_events
from dialer.campaigns import lifecycle, membership
from dialer.campaigns.stats import stats
from dialer.models import Campaign, CampaignContact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from tests.factories import NOW, make_campaign, make_campaign_contact, make_contact
from tests.webhooks.rows import make_endpoint
from webhooks.models import Delivery, Event
from webhooks.outbox import record_events

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


def finished(**fields: Any) -> Campaign:
    campaign = make_campaign(**{"completes_at_once": True, **fields})
    make_campaign_contact(campaign, state="exhausted", result="no_answer")
    return campaign


def test_a_campaign_that_is_paused_completes_too() -> None:
    campaign = finished(status="paused", pause_reason="lunch")

    assert campaign_completion.complete_finished(now=NOW) == [campaign.pk]

    campaign.refresh_from_db()
    assert (campaign.status, campaign.end_reason, campaign.pause_reason) == ("completed", "completed", "")


@pytest.mark.parametrize("status", ["draft", "completed", "cancelled", "failed"])
def test_a_campaign_that_has_not_started_or_has_ended_does_not_complete(status: str) -> None:
    finished(status=status)

    assert campaign_completion.complete_finished(now=NOW) == []


def test_a_contact_that_is_added_keeps_the_campaign_open_for_five_minutes() -> None:
    campaign = make_campaign(started_at=NOW - timedelta(days=1))
    contact = make_contact(campaign.workspace)
    membership.put_in(campaign.pk, [contact.pk], workspace_id=campaign.workspace_id, now=NOW)
    CampaignContact.objects.update(state="suppressed", due_at=None)

    assert campaign_completion.complete_finished(now=NOW + timedelta(seconds=299)) == []
    assert campaign_completion.complete_finished(now=NOW + timedelta(seconds=300)) == [campaign.pk]


def test_a_contact_added_while_the_sweep_looks_keeps_the_campaign_open() -> None:
    campaign = finished()

    def add_first(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        # The sweep has chosen the campaign, and is about to lock it.
        if "FOR NO KEY UPDATE" in sql and not CampaignContact.objects.filter(state="waiting").exists():
            make_campaign_contact(campaign)
        return execute(sql, *rest)

    with connection.execute_wrapper(add_first):
        assert campaign_completion.complete_finished(now=NOW) == []

    assert CampaignContact.objects.filter(state="waiting").exists()

    campaign.refresh_from_db()
    assert campaign.status == "running"


def test_what_the_sweep_does_is_in_the_audit() -> None:
    finished()
    make_campaign_contact(make_campaign(end_at=NOW))

    campaign_completion.sweep(now=NOW)

    entries = AuditEntry.objects.order_by("verb")
    assert [(entry.verb, entry.actor_kind, entry.from_state, entry.to_state) for entry in entries] == [
        ("complete", SYSTEM.kind, {"status": "running"}, {"status": "completed"}),
        ("pause", SYSTEM.kind, {"status": "running"}, {"status": "paused"}),
    ]


def test_contacts_that_the_start_left_over_get_their_time_from_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_completion, "FIRST_CALLS", 2)
    campaign = make_campaign(status="draft")
    for _ in range(5):
        make_campaign_contact(campaign, due_at=None)
    waiting = CampaignContact.objects.filter(due_at__isnull=True)

    lifecycle.start(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=NOW)
    left = [waiting.count()]
    for _ in range(2):
        campaign_completion.sweep(now=NOW)
        left.append(waiting.count())

    assert left == [3, 1, 0]


def test_winding_down_what_has_ended_leaves_its_end_as_it_is() -> None:
    campaign = make_campaign(status="cancelled", ended_at=NOW)

    assert campaign_completion.wind_down(campaign.pk, now=LATER) is False

    campaign.refresh_from_db()
    assert campaign.ended_at == NOW
    assert not Event.objects.exists()


def test_winding_down_what_runs_stops_nothing() -> None:
    member = make_campaign_contact(make_campaign())

    assert campaign_completion.wind_down(member.campaign_id, now=NOW) is False

    member.refresh_from_db()
    assert member.state == "waiting"


def tell_the_end(campaign: Campaign) -> None:
    found = stats(campaign.pk)
    told = campaign_events.campaign_ended(
        campaign, end_reason="completed", stats=found.counts(), performance=found.performance(), now=NOW
    )
    record_events([told], now=NOW)


def test_the_end_of_a_campaign_is_told_once_whoever_tells_it() -> None:
    campaign = finished()

    for _ in range(2):
        tell_the_end(campaign)

    assert Event.objects.filter(type="campaign.ended").count() == 1


def test_an_endpoint_of_a_persona_hears_of_its_campaigns() -> None:
    campaign = finished()
    make_endpoint(campaign.workspace, scope_type="persona", scope_id=campaign.persona_id)

    tell_the_end(campaign)

    assert Delivery.objects.get().event_type == "campaign.ended"


@pytest.mark.parametrize(("own", "offset"), [("America/New_York", "-04:00"), ("", "+01:00")])
def test_status_urls_hear_of_the_end_on_the_campaigns_clock(own: str, offset: str) -> None:
    campaign = finished(time_zone=own)
    tell: Callable[[], Any] | None = campaign_events.campaign_ended(
        campaign, end_reason="completed", stats={}, performance={}, now=NOW
    ).status

    assert tell is not None
    assert offset in str(tell())
