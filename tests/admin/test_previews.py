"""What a campaign's settings would do, on its page, before they are saved."""

import pytest
from django.test import Client
from django.urls import reverse

from dialer.models import Call, Campaign
from dialer.workspaces.models import Workspace
from tests.admin.people import browser_of
from tests.factories import make_campaign, make_policy, make_workspace

pytestmark = pytest.mark.django_db

ALWAYS = {"hours": "00:00-24:00", "imagined_outcome": "busy", "imagined_zone": "Asia/Tokyo"}


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace(contact_limits=[])


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    return browser_of(workspace)


def test_a_campaign_is_previewed_as_it_is_filled_in_and_not_as_it_is_saved(
    browser: Client, workspace: Workspace
) -> None:
    campaign = make_campaign(workspace, schedule={"callback_retry_schedule": [7]})
    asked_at = reverse("admin:callbacks_campaign_preview", args=[campaign.pk])

    page = browser.post(asked_at, ALWAYS | {"callback_retry_schedule": "5, 15"}).content.decode()

    assert "retry 1 follows 5 minutes later, by the campaign" in page
    assert "retry 2 follows 15 minutes later, by the campaign" in page
    assert "Callback 3:" not in page
    assert "exhausted" in page
    assert "JST" in page
    assert Campaign.objects.get().schedule == {"callback_retry_schedule": [7]}
    assert not Call.objects.exists()


def test_a_new_campaign_is_previewed_with_the_policy_that_is_chosen(browser: Client, workspace: Workspace) -> None:
    policy = make_policy(workspace, rules={"busy": {"delays": [11], "limit": 1}})

    page = browser.post(
        reverse("admin:callbacks_campaign_preview"),
        ALWAYS | {"retry_policy": str(policy.pk), "workspace": str(workspace.pk)},
    ).content.decode()

    assert "retry 1 follows 11 minutes later" in page


def test_the_limits_of_the_campaign_are_kept_in_its_preview(browser: Client, workspace: Workspace) -> None:
    campaign = make_campaign(workspace, contact_limits=[{"max": 1, "period_hours": 24, "scope": "campaign"}])

    page = browser.post(
        reverse("admin:callbacks_campaign_preview", args=[campaign.pk]), ALWAYS | {"callback_retry_schedule": "5"}
    ).content.decode()

    assert "One more call would exceed the contact limit" in page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"callback_retry_schedule": "0"}, "must be 1 to 43,200"),
        ({"hours": "20:00-09:00"}, "must be after start"),
        ({"hours": "whenever"}, "neither hours"),
        ({"time_zone": "Mars/Olympus"}, "is not a known IANA time zone"),
        ({"imagined_zone": "Mars/Olympus"}, "Not a known IANA time zone"),
    ],
)
def test_what_is_wrong_is_said_in_place_of_a_preview(
    browser: Client, workspace: Workspace, wrong: dict[str, str], said: str
) -> None:
    campaign = make_campaign(workspace)
    asked_at = reverse("admin:callbacks_campaign_preview", args=[campaign.pk])

    page = browser.post(asked_at, ALWAYS | wrong).content.decode()

    assert said in page
    assert "Callback 1:" not in page


def test_another_workspaces_campaign_lends_nothing_to_a_preview(browser: Client) -> None:
    theirs = make_campaign(contact_limits=[{"max": 1, "period_hours": 24, "scope": "campaign"}])

    page = browser.post(
        reverse("admin:callbacks_campaign_preview", args=[theirs.pk]), ALWAYS | {"callback_retry_schedule": "5"}
    ).content.decode()

    assert "contact limit" not in page


def test_the_page_of_a_campaign_asks_for_its_own_preview(browser: Client, workspace: Workspace) -> None:
    campaign = make_campaign(workspace)

    opened = browser.get(reverse("admin:dialer_campaign_change", args=[campaign.pk])).content.decode()
    added = browser.get(reverse("admin:dialer_campaign_add")).content.decode()

    assert f'hx-post="{reverse("admin:callbacks_campaign_preview", args=[campaign.pk])}"' in opened
    assert f'hx-post="{reverse("admin:callbacks_campaign_preview")}"' in added
