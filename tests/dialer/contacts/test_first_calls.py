"""When contacts that wait may first be called."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialer.contacts import first_calls
from dialer.models import Campaign, CampaignContact, Contact
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_contact

pytestmark = pytest.mark.django_db

SATURDAY = NOW + timedelta(days=3)


def first_call(contact: Contact | None = None, *, now: datetime = NOW, **fields: Any) -> datetime | None:
    """Put a contact into a campaign and return when it may first be called."""
    campaign = make_campaign(contact.workspace if contact else None, **{"schedule": ROUND_THE_CLOCK, **fields})
    member = make_campaign_contact(campaign, contact, due_at=None)
    assert first_calls.schedule(Campaign.objects.get(pk=campaign.pk), limit=10, now=now) == 1
    found: datetime | None = CampaignContact.objects.get(pk=member.pk).due_at
    return found


def test_first_calls_wait_for_the_start_of_their_campaign() -> None:
    assert first_call(start_at=NOW + timedelta(hours=5)) == NOW + timedelta(hours=5)
    assert first_call(start_at=NOW - timedelta(hours=5)) == NOW


def test_a_local_start_has_come_in_every_zone_that_the_number_may_be_in() -> None:
    contact = make_contact(time_zone="", zones=["Europe/Berlin", "Europe/London"], timezone_source="number")

    at = first_call(contact, start_at_local="2025-03-13T10:00:00")

    assert at == datetime(2025, 3, 13, 10, tzinfo=UTC)  # ten in London, eleven in Berlin


def test_a_local_start_is_by_the_campaigns_clock_where_nobody_knows_the_contacts() -> None:
    nowhere = make_contact(time_zone="", phone="+999123456789")

    at = first_call(nowhere, start_at_local="2025-03-13T12:00:00", time_zone="America/New_York")

    assert at == datetime(2025, 3, 13, 16, tzinfo=UTC)  # noon in New York, in the narrow window of who is unknown


def test_a_weekend_that_is_not_everybodys_does_not_put_off_a_first_call() -> None:
    # Friday and Saturday are closed in some countries: the check at dialling asks for the contact's own.
    assert first_call(now=SATURDAY, schedule={**ROUND_THE_CLOCK, "days": "weekend_off"}) == SATURDAY
    assert first_call(now=SATURDAY, schedule={**ROUND_THE_CLOCK, "days": ["mon"]}) == datetime(
        2025, 3, 16, 23, tzinfo=UTC
    )
