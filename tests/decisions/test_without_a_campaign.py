"""Corners of calls outside campaigns and of what is told, each decided once: a test's name is the decision."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.models import Call
from tests.world import ALWAYS_OPEN, ANSWERS, INVALID, RINGS_OUT, World, a_number, instant, world
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

HOURLY = {**ALWAYS_OPEN, "callback_retry_schedule": [60]}


def test_campaign_id_is_null_and_the_end_of_the_chain_still_sends_call_exhausted(world: World) -> None:
    world.call(ANSWERS, **ALWAYS_OPEN)

    world.run_for(minutes=5)

    (started,) = world.webhooks("call.started")
    (over,) = world.webhooks("call.exhausted")
    assert started["data"]["campaign_id"] is None
    assert (over["data"]["campaign_id"], over["data"]["result"], over["data"]["attempts"]) == (None, "reached", 1)
    assert world.calls()[0]["campaign_id"] is None


@pytest.mark.parametrize("field", ["status_callback", "call_status_callback", "call_schedule_callback"])
def test_status_urls_are_refused(world: World, field: str) -> None:
    body = {"contact": {"phone": a_number(ANSWERS)}, field: "https://example.com/hook"}

    answer = world.api.post("calls/", body)

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not Call.objects.exists()


def test_where_the_contact_has_a_pending_callback_the_retry_of_another_chain_is_not_made(world: World) -> None:
    first = world.call(RINGS_OUT, **HOURLY)
    world.run_for(minutes=5)
    (retry,) = world.pending()

    second = world.say("calls/", {"contact_id": first["contact_id"], "call": HOURLY})
    world.run_for(minutes=5)

    assert [row["id"] for row in world.pending()] == [retry["id"]]
    (over,) = world.webhooks("call.exhausted")
    assert (over["chain_id"], over["data"]["reason"]) == (second["chain_id"], "already_pending")
    ended = next(body for body in world.webhooks("call.ended") if body["call_id"] == second["id"])
    assert ended["data"]["retry"]["will_retry"] is False
    assert "callback" not in ended
    world.run_for(hours=2)
    assert world.ask(f"callbacks/{retry['id']}/")["status"] == "done"


def test_a_call_outside_the_window_is_moved_like_a_requested_callback_and_the_answer_says_so(world: World) -> None:
    wanted = instant("2025-03-12T22:30:00+01:00")
    contact = {"name": "Jane Roe", "phone": a_number(ANSWERS)}

    made = world.say("calls/", {"contact": contact, "scheduled_at": wanted.isoformat()})

    assert (instant(made["adjusted_from"]), made["adjusted_reason"]) == (wanted, "outside_window")
    assert instant(made["due_at"]) == instant("2025-03-13T09:00:00+01:00")
    world.run_until(instant("2025-03-13T09:05:00+01:00"))
    assert instant(world.calls()[0]["dialing_at"]) == instant("2025-03-13T09:00:00+01:00")


def test_a_call_to_a_contact_who_is_on_the_phone_is_queued(world: World) -> None:
    first = world.call(RINGS_OUT, **ALWAYS_OPEN, auto_callback=False)
    world.run_for(seconds=5)

    second = world.say("calls/", {"contact_id": first["contact_id"], "call": {**ALWAYS_OPEN, "auto_callback": False}})
    world.run_for(seconds=5)

    assert second["status"] == "queued"
    assert [call["status"] for call in world.calls()] == ["ringing", "queued"]
    assert world.calls()[1]["held_reason"] == "contact_busy"
    world.run_for(minutes=5)
    assert [call["outcome"] for call in world.calls()] == ["no_answer", "no_answer"]


def test_a_call_to_a_suppressed_number_is_a_conflict(world: World) -> None:
    number = a_number(ANSWERS)
    world.say("suppressions/", {"phone": number})

    assert world.refused("calls/", {"contact": {"phone": number}, "call": ALWAYS_OPEN})[0] == 409
    assert not Call.objects.exists()


class TestEvents:
    def test_call_exhausted_comes_once_per_chain_also_when_the_first_call_reached_the_contact(
        self, world: World
    ) -> None:
        reached = world.campaign(a_number(ANSWERS))
        world.campaign(a_number(RINGS_OUT), schedule={"callback_retry_schedule": [10, 10]})

        world.run_for(hours=5)

        over = [body["data"] for body in world.webhooks("call.exhausted")]
        assert [(data["result"], data["attempts"]) for data in over] == [("reached", 1), ("exhausted", 3)]
        assert over[0]["campaign_id"] == reached["id"]

    def test_call_ended_comes_before_call_exhausted_and_that_before_campaign_ended(self, world: World) -> None:
        world.campaign(a_number(RINGS_OUT), schedule={"auto_callback": False})
        world.run_for(minutes=6)

        world.sweep()

        assert world.told()[-3:] == ["call.ended", "call.exhausted", "campaign.ended"]
        of_chain = [body for body in world.webhooks() if "chain_id" in body]
        assert [body["sequence"] for body in of_chain] == list(range(1, len(of_chain) + 1))
        times = Event.objects.order_by("id").values_list("type", "created_at")
        assert [at for _, at in times] == sorted(at for _, at in times)

    def test_a_call_cancelled_before_dialling_sends_call_ended_and_no_call_attempted_and_counts_nowhere(
        self, world: World
    ) -> None:
        limits = {"contact_limits": [{"max": 1, "period_hours": 24, "scope": "number"}]}
        assert world.api.patch("settings/", limits).status_code == 200
        contact = {"name": "Jane Roe", "phone": a_number(RINGS_OUT)}
        at = (world.now + timedelta(hours=2)).isoformat()
        made = world.say("calls/", {"contact": contact, "call": HOURLY, "scheduled_at": at})

        world.say(f"calls/{made['id']}/cancel/", {"reason": "Paid"})

        assert world.told() == ["call.ended", "call.exhausted"]
        (ended,) = world.webhooks("call.ended")
        assert (ended["data"]["status"], ended["data"]["ended_reason"]) == ("failed", "cancelled")
        (over,) = world.webhooks("call.exhausted")
        assert (over["data"]["result"], over["data"]["attempts"]) == ("cancelled", 0)
        # Not in the limit of one a day either: the next call is made at once, and is the chain's first.
        world.say("calls/", {"contact": contact, "call": HOURLY})
        world.run_for(minutes=5)
        assert len(world.carrier.placed) == 1
        (retry,) = world.pending()
        assert retry["retry"]["text"] == "Retry 1 of 1"

    def test_a_campaign_without_contacts_that_ends_has_rates_of_nought(self, world: World) -> None:
        campaign = world.campaign()

        world.say(f"campaigns/{campaign['id']}/cancel/")

        (ended,) = world.webhooks("campaign.ended")
        assert ended["data"]["performance"]["connect_rate_percent"] == 0.0
        assert ended["data"]["performance"]["completion_rate_percent"] == 0.0
        assert ended["data"]["stats"]["total_contacts"] == 0

    def test_an_endpoint_of_a_campaign_gets_only_events_that_carry_it(self, world: World) -> None:
        mine = world.campaign()
        endpoint = {"name": "Mine", "url": "https://9.9.9.9/mine", "events": ["*"]}
        scoped = world.say("webhooks/", {**endpoint, "scope_type": "campaign", "scope_id": mine["id"]})
        world.campaign(a_number(ANSWERS))
        world.say(f"campaigns/{mine['id']}/contacts/", {"contacts": [{"phone": a_number(INVALID)}]})
        world.say(f"campaigns/{mine['id']}/start/")
        world.say("suppressions/", {"phone": a_number(ANSWERS)})

        world.run_for(minutes=5)

        assert heard(scoped) == {"campaign.started", "call.attempted", "call.ended", "call.exhausted"}
        assert {"contact.suppressed", "call.started"} <= set(world.told())


def heard(endpoint: Any) -> set[str]:
    """Return the types of the events that wait to be delivered to an endpoint."""
    of_endpoint = Event.objects.filter(deliveries__endpoint__name=endpoint["name"])
    return set(of_endpoint.values_list("type", flat=True))
