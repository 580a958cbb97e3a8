"""Corners of campaigns, each decided once: a test's name is the decision."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.models import Call
from tests.world import ALWAYS_OPEN, ANSWERS, BUSY, RINGS_OUT, World, a_number, instant, world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

MINUTE = timedelta(minutes=1)
HOURLY = {"callback_retry_schedule": [60, 60, 60]}


def path(campaign: Any) -> str:
    return f"campaigns/{campaign['id']}"


def a_pending_retry_of(world: World, **fields: Any) -> tuple[Any, Any]:
    """Have a campaign call a number that does not answer; return the campaign and the retry, due in about an hour."""
    campaign = world.campaign(a_number(RINGS_OUT), **{"schedule": HOURLY, **fields})
    world.run_for(minutes=5)
    (retry,) = world.pending()
    return campaign, retry


def test_cancel_cancels_every_pending_callback_with_one_event_each_and_waiting_contacts(world: World) -> None:
    numbers = [a_number(RINGS_OUT) for _ in range(3)]
    campaign = world.campaign(*numbers, schedule=HOURLY, pacing={"max_concurrent_calls": 1})
    world.run_for(seconds=65)
    assert len(world.pending()) == 2
    world.run_for(seconds=1)

    touched = world.say(f"{path(campaign)}/cancel/", {"reason": "No budget"})["touched"]
    assert (touched["callbacks"], touched["waiting"] + touched["live"]) == (2, 1)
    world.run_for(days=2)
    world.sweep()

    assert {row["status"] for row in world.callbacks()} == {"cancelled"}
    told = [body["data"]["id"] for body in world.webhooks("callback.cancelled")]
    assert sorted(told) == sorted(row["id"] for row in world.callbacks())
    assert world.pending() == []
    assert Call.objects.filter(status="queued").count() == 0


def test_after_cancel_live_calls_finish_and_are_followed_by_no_retry_and_then_the_campaign_ends_once(
    world: World,
) -> None:
    campaign = world.campaign(a_number(RINGS_OUT), schedule=HOURLY)
    world.run_for(seconds=5)
    assert [call["status"] for call in world.calls()] == ["ringing"]

    world.say(f"{path(campaign)}/cancel/")
    world.sweep()
    assert "campaign.ended" not in world.told()
    world.run_for(days=2)
    for _ in range(2):
        world.sweep()

    (call,) = world.calls()
    assert (call["status"], call["outcome"]) == ("ended", "no_answer")
    assert world.callbacks() == []
    assert world.told()[-3:] == ["call.ended", "call.exhausted", "campaign.ended"]
    (ended,) = world.webhooks("campaign.ended")
    assert ended["data"]["end_reason"] == "cancelled"


def test_pause_lets_live_calls_finish_and_makes_their_retries_which_it_holds(world: World) -> None:
    campaign = world.campaign(a_number(RINGS_OUT), schedule=HOURLY)
    world.run_for(seconds=5)

    world.say(f"{path(campaign)}/pause/")
    world.run_for(hours=5)

    (retry,) = world.pending()
    assert retry["waiting"]["code"] == "campaign_paused"
    assert [call["status"] for call in world.calls()] == ["ended", "queued"]
    (body,) = world.webhooks("call.ended")
    assert body["data"]["retry"]["will_retry"] is True
    world.say(f"{path(campaign)}/resume/")
    world.run_for(minutes=5)
    assert world.ask(f"callbacks/{retry['id']}/")["status"] == "done"


def test_rows_claimed_but_not_handed_over_go_back_to_pending(world: World) -> None:
    campaign, retry = a_pending_retry_of(world)
    world.run_until(instant(retry["scheduled_at"]) - timedelta(seconds=10))  # its message is under way

    touched = world.say(f"{path(campaign)}/pause/")["touched"]
    world.run_for(hours=1)

    assert touched["callbacks"] == 1
    assert world.ask(f"callbacks/{retry['id']}/")["status"] == "pending"
    assert len(world.carrier.placed) == 1


def test_at_end_at_a_campaign_pauses_by_itself_and_retries_after_it_are_listed_and_held(world: World) -> None:
    end_at = world.now + timedelta(minutes=30)
    campaign = world.campaign(a_number(RINGS_OUT), schedule={**HOURLY, "end_at": end_at.isoformat()})
    world.run_until(end_at)
    world.sweep()
    world.run_for(hours=5)

    shown = world.ask(f"{path(campaign)}/")
    assert (shown["status"], shown["pause_reason"]) == ("paused", "end_at_reached")
    (paused,) = world.webhooks("campaign.paused")
    assert paused["data"]["reason"] == "end_at_reached"
    (retry,) = world.callbacks(queue="overdue")
    assert retry["waiting"] is not None
    assert len(world.carrier.placed) == 1


def test_an_edit_of_the_schedule_leaves_pending_rows_at_their_time_and_the_next_outcome_resolves_by_it(
    world: World,
) -> None:
    campaign, retry = a_pending_retry_of(world)

    changed = world.api.patch(
        f"{path(campaign)}/", {"schedule": {**ALWAYS_OPEN, "callback_retry_schedule": [10, 20, 30, 40]}}
    )
    assert changed.status_code == 200, changed.content

    assert world.ask(f"callbacks/{retry['id']}/")["scheduled_at"] == retry["scheduled_at"]
    world.run_until(instant(retry["scheduled_at"]) + 2 * MINUTE)
    (following,) = world.pending()
    # k goes on: the second delay of the new schedule, and its limit.
    assert following["retry"]["text"] == "Retry 2 of 4"
    assert instant(following["scheduled_at"]) == instant(world.calls()[1]["ended_at"]) + 20 * MINUTE


def test_settings_given_on_a_call_never_change(world: World) -> None:
    call = world.call(BUSY, **ALWAYS_OPEN, callback_retry_schedule=[10, 10], max_callback_attempts=2)
    changed = world.api.patch("settings/", {"schedule": {"callback_retry_schedule": [500], "max_callback_attempts": 1}})
    assert changed.status_code == 200, changed.content

    world.run_for(days=1)

    assert [row["retry"]["text"] for row in world.callbacks()] == ["Retry 1 of 2", "Retry 2 of 2"]
    assert {step["level"] for row in world.callbacks() for step in row["explanation"]} == {"call"}
    assert [shown["call"] for shown in world.calls()] == [call["call"]] * 3


def test_where_auto_callback_is_switched_off_the_existing_retry_stays_and_none_is_made_after_it(world: World) -> None:
    campaign, retry = a_pending_retry_of(world)

    world.api.patch(f"{path(campaign)}/", {"schedule": {**ALWAYS_OPEN, **HOURLY, "auto_callback": False}})
    world.run_for(days=2)

    assert world.ask(f"callbacks/{retry['id']}/")["status"] == "done"
    assert len(world.calls()) == 2
    assert world.pending() == []
    (over,) = world.webhooks("call.exhausted")
    assert over["data"]["reason"] == "auto_callback_off"


def test_it_is_completed_five_minutes_after_the_last_contact_was_added_and_its_chains_have_ended(world: World) -> None:
    campaign = world.campaign(a_number(ANSWERS))
    added = world.now
    world.run_until(added + 5 * MINUTE - timedelta(seconds=1))
    world.sweep()
    assert world.ask(f"{path(campaign)}/")["status"] == "running"

    world.run_until(added + 5 * MINUTE)
    world.sweep()

    assert world.ask(f"{path(campaign)}/")["status"] == "completed"
    refused = world.refused(f"{path(campaign)}/contacts/", {"contacts": [{"phone": a_number(ANSWERS)}]})
    assert refused == (409, "conflict")


def test_one_started_with_its_contacts_in_the_same_request_completes_with_the_last_of_them(world: World) -> None:
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": a_number(ANSWERS)})
    campaign = world.campaign(contact_ids=[contact["id"]], auto_start=True)
    world.run_for(minutes=2)

    world.sweep()

    assert world.ask(f"{path(campaign)}/")["status"] == "completed"
    assert world.told()[-2:] == ["call.exhausted", "campaign.ended"]


def test_start_without_contacts_is_a_conflict(world: World) -> None:
    campaign = world.campaign()

    status, _ = world.refused(f"{path(campaign)}/start/")

    assert status == 409
    assert world.ask(f"{path(campaign)}/")["status"] == "draft"


def test_a_contact_whose_chain_ended_is_a_duplicate_when_added_again(world: World) -> None:
    number = a_number(ANSWERS)
    campaign = world.campaign(number)
    world.run_for(minutes=2)

    again = world.say(f"{path(campaign)}/contacts/", {"contacts": [{"phone": number}]})

    assert (again["added"], again["duplicates"]) == (0, 1)
    world.run_for(days=1)
    assert len(world.calls()) == 1
