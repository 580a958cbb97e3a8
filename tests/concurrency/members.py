"""Contacts whose telephone rings out: the simulated carrier knows what it does by the last digits of its number."""

from typing import Any

from dialer.models import Campaign, CampaignContact
from tests.factories import make_campaign_contact, make_contact
from tests.world import RINGS_OUT, a_number


def a_member(campaign: Campaign, **fields: Any) -> CampaignContact:
    """Put a new contact into a campaign, waiting and due unless told otherwise."""
    contact = make_contact(campaign.workspace, phone=a_number(RINGS_OUT))
    return make_campaign_contact(campaign, contact, **fields)
