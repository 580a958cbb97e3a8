"""Who hears of a campaign, on a page."""

import pytest
from django.urls import reverse

from tests.admin.people import browser_of
from tests.api.queue_rows import open_campaign
from tests.factories import make_workspace
from tests.webhooks.rows import make_endpoint

pytestmark = pytest.mark.django_db


def test_the_page_of_a_campaign_leads_to_who_hears_of_it_and_why_others_do_not() -> None:
    workspace = make_workspace()
    campaign = open_campaign(workspace)
    make_endpoint(workspace, name="CRM", events=["call.ended"])
    browser = browser_of(workspace, role="viewer")
    address = reverse("admin:dialer_campaign_audience", args=[campaign.pk])

    assert address in browser.get(reverse("admin:dialer_campaign_change", args=[campaign.pk])).content.decode()
    assert "it subscribes to this event" in browser.get(address).content.decode()
    other = browser.get(address, {"type": "call.started"}).content.decode()
    assert "it does not subscribe to this event" in other
    assert browser.get(address, {"type": "<nonsense>"}).status_code == 200


def test_nobody_sees_who_hears_of_another_workspaces_campaign() -> None:
    campaign = open_campaign(make_workspace())
    stranger = browser_of(make_workspace(name="Globex"), role="viewer")

    assert stranger.get(reverse("admin:dialer_campaign_audience", args=[campaign.pk])).status_code == 404
