"""Figures of campaigns, against ones computed by hand."""

import pytest

from dialer.campaigns.stats import Stats, stats
from tests.factories import make_call, make_campaign, make_contact
from tests.world import ANSWERS, ASKS_FOR_DNC, BUSY, INVALID, MACHINE, RINGS_OUT, World, a_number, world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]


def test_a_campaign_tells_the_best_result_of_each_contact_and_rates_that_were_computed_by_hand(world: World) -> None:
    """Eight contacts: three talked to, one each of the other results but cancelled.

    3 of 8 connected: 37.5 %. 3 talks and 1 invalid number are conclusive: 4 of 8, 50 %.
    """
    suppressed, changing, late = a_number(ANSWERS), a_number(RINGS_OUT), a_number(MACHINE)
    world.say("suppressions/", {"phone": suppressed})
    others = [a_number(does) for does in (ANSWERS, RINGS_OUT, BUSY, INVALID, ASKS_FOR_DNC)]
    schedule = {"callback_retry_schedule": [60, 60], "max_callback_attempts": 2}
    campaign = world.campaign(suppressed, changing, late, *others, schedule=schedule)

    world.run_for(minutes=30)
    world.does |= {changing: MACHINE, late: ANSWERS}
    world.run_for(minutes=60)
    world.does[changing] = RINGS_OUT
    world.run_for(minutes=120)
    world.sweep()

    (event,) = world.webhooks("campaign.ended")
    talks = [call["duration_seconds"] for call in world.calls() if call["outcome"] in ("answered", "dnc_request")]
    assert len(talks) == 3
    assert event["data"]["stats"] == {
        "total_contacts": 8,
        "completed": 3,
        "no_answer": 1,
        "busy": 1,
        "failed": 1,
        "voicemail": 1,
        "suppressed": 1,
        "cancelled": 0,
    }
    assert event["data"]["performance"] == {
        "connect_rate_percent": 37.5,
        "completion_rate_percent": 50.0,
        "average_call_duration_seconds": round(sum(talks) / 3),
    }
    shown = world.ask(f"campaigns/{campaign['id']}/stats/")
    assert shown == {**event["data"]["stats"], **event["data"]["performance"], "open": 0}


def test_a_campaign_without_contacts_has_rates_of_zero() -> None:
    found = stats(make_campaign().id)

    assert found.counts() == dict.fromkeys(found.counts(), 0)
    assert found.performance() == {
        "connect_rate_percent": 0.0,
        "completion_rate_percent": 0.0,
        "average_call_duration_seconds": 0,
    }


@pytest.mark.parametrize(("part", "total", "rate"), [(1, 16, 6.3), (1, 3, 33.3), (2, 3, 66.7), (16, 16, 100.0)])
def test_rates_have_one_decimal_and_halves_are_rounded_up(part: int, total: int, rate: float) -> None:
    nothing = dict.fromkeys(("no_answer", "busy", "voicemail", "suppressed", "cancelled", "open", "failed"), 0)
    found = Stats(total_contacts=total, completed=part, average_call_duration_seconds=0, **nothing)

    assert found.performance()["connect_rate_percent"] == rate


def test_the_average_is_that_of_the_campaigns_own_talks() -> None:
    campaign = make_campaign()
    for direction, seconds in (("outbound", 100), ("inbound", 900)):
        contact = make_contact(campaign.workspace)
        make_call(
            contact,
            campaign=campaign,
            direction=direction,
            status="ended",
            outcome="answered",
            duration_seconds=seconds,
        )
    make_call(status="ended", outcome="answered", duration_seconds=900)

    assert stats(campaign.id).average_call_duration_seconds == 100
