"""What stands between a campaign and its next call, and what does not."""

from datetime import timedelta

import pytest

from dialer.campaigns import blockers
from dialer.models import Campaign
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact, make_contact

pytestmark = pytest.mark.django_db


def sentences(campaign: Campaign) -> list[str]:
    return blockers.standing(campaign, now=NOW, say=lambda at: at.isoformat()).obstacles


def test_a_campaign_whose_own_calls_take_all_slots_has_no_obstacle() -> None:
    campaign = make_campaign(max_concurrent_calls=1)
    make_call(make_contact(campaign.workspace), campaign=campaign, status="in_progress")

    assert sentences(campaign) == []


def test_a_campaign_whose_line_is_taken_by_another_says_so() -> None:
    campaign = make_campaign()
    campaign.line.max_concurrent_calls = 1
    other = make_campaign(campaign.workspace, line=campaign.line)
    make_call(make_contact(campaign.workspace), campaign=other, status="in_progress")

    assert sentences(campaign) == [f"Line {campaign.line.name}'s 1 concurrent calls are all taken."]


@pytest.mark.parametrize(("late", "is_told"), [(15, False), (16, True)])
def test_a_due_call_is_an_obstacle_when_nobody_dialled_it_for_fifteen_seconds(late: int, *, is_told: bool) -> None:
    member = make_campaign_contact(make_campaign(), due_at=NOW - timedelta(seconds=late))

    assert bool(sentences(member.campaign)) is is_told
