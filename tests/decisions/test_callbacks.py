"""Corners of callbacks, each decided once: a test's name is the decision."""

from datetime import timedelta
from typing import Any

import pytest

from dialer.models import CampaignContact
from dialer.workspaces.models import AuditEntry
from tests.world import ALWAYS_OPEN, ANSWERS, ASKS_FOR_CALLBACK, RINGS_OUT, World, a_number, instant, world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

HOURLY = {"callback_retry_schedule": [60, 60]}
FORCED = {"force": ["outside_window"], "reason": "The customer waits"}


def a_retry(world: World, does: str = RINGS_OUT, **fields: Any) -> Any:
    """Have a campaign call a number that does not answer; return the first retry, due in about an hour."""
    world.campaign(a_number(does), **{"schedule": HOURLY, **fields})
    world.run_for(minutes=5)
    (retry,) = world.pending()
    return retry


def of(retry: Any) -> dict[str, Any]:
    return {"contact_id": retry["contact"]["id"], "campaign_id": retry["campaign"]["id"]}


def ahead(world: World, **span: float) -> str:
    return (world.now + timedelta(**span)).isoformat()


def request(world: World, retry: Any, *, at: str, **fields: Any) -> Any:
    return world.say("callbacks/", {**of(retry), "type": "customer_requested", "scheduled_at": at, **fields})


def row(world: World, shown: Any) -> Any:
    return world.ask(f"callbacks/{shown['id']}/")


def test_requested_while_a_retry_is_pending_supersedes_the_retry(world: World) -> None:
    retry = a_retry(world)

    requested = request(world, retry, at=ahead(world, hours=3))

    assert requested["superseded_id"] == retry["id"]
    assert row(world, retry)["status"] == "superseded"
    (told,) = world.webhooks("callback.superseded")
    assert told["data"]["id"] == retry["id"]
    world.run_for(hours=2)
    assert len(world.carrier.placed) == 1


def test_a_second_request_replaces_the_first_and_says_so(world: World) -> None:
    retry = a_retry(world)
    first = request(world, retry, at=ahead(world, hours=3))

    second = request(world, retry, at=ahead(world, hours=4))

    assert second["superseded_id"] == first["id"]
    assert [shown["id"] for shown in world.pending()] == [second["id"]]


def test_manual_while_one_is_pending_is_a_conflict_that_names_it_and_replace_replaces_a_retry_never_a_promise(
    world: World,
) -> None:
    retry = a_retry(world)
    manual = {**of(retry), "scheduled_at": ahead(world, hours=3)}

    refused = world.api.post("callbacks/", manual)
    assert (refused.status_code, refused.json()["error"]["details"]) == (409, {"callback_id": retry["id"]})
    replaced = world.say("callbacks/", {**manual, "replace": True})

    assert (replaced["type"], replaced["superseded_id"]) == ("manual", retry["id"])
    assert world.refused("callbacks/", {**manual, "replace": True}) == (409, "already_pending")


def test_answered_and_asked_for_a_callback_is_answered_and_the_chain_goes_on_until_after_the_promise(
    world: World,
) -> None:
    number = a_number(ASKS_FOR_CALLBACK)
    world.asked_for = {"scheduled_at": ahead(world, hours=3)}
    world.campaign(number)
    world.run_for(hours=2)

    assert [call["outcome"] for call in world.calls() if call["outcome"]] == ["answered"]
    assert "call.exhausted" not in world.told()
    world.does[number] = ANSWERS
    world.run_for(hours=2)

    (over,) = world.webhooks("call.exhausted")
    assert (over["data"]["result"], over["data"]["attempts"]) == ("reached", 2)
    assert len({call["chain_id"] for call in world.calls()}) == 1


def test_the_final_result_stays_completed_where_the_promise_after_an_answer_was_in_vain(world: World) -> None:
    number = a_number(ASKS_FOR_CALLBACK)
    world.asked_for = {"scheduled_at": ahead(world, hours=3)}
    campaign = world.campaign(number, schedule={"callback_retry_schedule": [10]})
    world.run_for(hours=2)
    world.does[number] = RINGS_OUT

    world.run_for(hours=5)

    assert [call["outcome"] for call in world.calls()] == ["answered", "no_answer", "no_answer"]
    (over,) = world.webhooks("call.exhausted")
    assert over["data"]["result"] == "reached"
    assert world.ask(f"campaigns/{campaign['id']}/stats/")["completed"] == 1


def test_the_final_result_stays_completed_where_the_retry_after_such_a_promise_is_skipped(world: World) -> None:
    number = a_number(ASKS_FOR_CALLBACK)
    world.asked_for = {"scheduled_at": ahead(world, hours=3)}
    campaign = world.campaign(number, schedule={"callback_retry_schedule": [60]})
    world.run_for(hours=2)
    world.does[number] = RINGS_OUT
    world.run_for(hours=1, minutes=30)
    (retry,) = world.pending()

    world.say(f"callbacks/{retry['id']}/skip/")

    (over,) = world.webhooks("call.exhausted")
    assert (over["data"]["result"], over["data"]["reason"]) == ("reached", "exhausted")
    assert world.ask(f"campaigns/{campaign['id']}/stats/")["completed"] == 1
    assert CampaignContact.objects.get().state == "reached"


def test_a_promise_that_was_called_and_not_answered_is_followed_by_retries_and_counts_as_kept(world: World) -> None:
    retry = a_retry(world)
    requested = request(world, retry, at=ahead(world, hours=3))

    world.run_for(hours=3, minutes=5)

    assert row(world, requested)["status"] == "done"
    (following,) = world.pending()
    # The promise used up no retry: the first one was superseded, and is made again.
    assert (following["type"], following["retry"]["text"]) == ("auto_retry", "Retry 1 of 2")


def test_requested_for_a_suppressed_contact_is_a_conflict(world: World) -> None:
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": a_number(ANSWERS)})
    world.say("suppressions/", {"phone": contact["phone"]})

    body = {"contact_id": contact["id"], "type": "customer_requested", "scheduled_at": ahead(world, hours=1)}

    assert world.refused("callbacks/", body) == (409, "contact_suppressed")
    assert world.callbacks() == []


def test_up_to_sixty_seconds_in_the_past_is_now_and_more_is_refused(world: World) -> None:
    retry = a_retry(world)

    assert (
        world.refused(
            "callbacks/", {**of(retry), "type": "customer_requested", "scheduled_at": ahead(world, seconds=-61)}
        )[0]
        == 400
    )
    requested = request(world, retry, at=ahead(world, seconds=-60))

    assert instant(requested["scheduled_at"]) == world.now
    assert row(world, retry)["status"] == "superseded"


def test_a_local_time_in_a_skipped_hour_is_the_first_instant_after_it_and_in_a_repeated_one_the_first_pass(
    world: World,
) -> None:
    # Berlin: 02:30 on 30 March 2025 does not exist, and on 26 October 2025 is there twice, first as summer time.
    retry = a_retry(world)
    skipped = world.say("callbacks/", {**of(retry), "type": "customer_requested", "local_time": "2025-03-30T02:30"})
    assert skipped["scheduled_at"] == "2025-03-30T01:00:00Z"

    world.run_until(instant("2025-10-20T10:00:00+00:00"))
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": a_number(ANSWERS)})
    campaign = world.campaign()
    repeated = world.say(
        "callbacks/",
        {
            "contact_id": contact["id"],
            "campaign_id": campaign["id"],
            "type": "customer_requested",
            "local_time": "2025-10-26T02:30",
        },
    )
    assert repeated["scheduled_at"] == "2025-10-26T00:30:00Z"
    assert repeated["local_time"] == "2025-10-26T02:30"


def test_requested_during_a_paused_campaign_is_accepted_held_and_said_so(world: World) -> None:
    retry = a_retry(world)
    world.say(f"campaigns/{retry['campaign']['id']}/pause/")

    requested = request(world, retry, at=ahead(world, hours=1))
    world.run_for(hours=2)

    assert requested["held_by"] == "campaign_paused"
    assert row(world, requested)["waiting"]["code"] == "campaign_paused"
    assert len(world.carrier.placed) == 1
    world.say(f"campaigns/{retry['campaign']['id']}/resume/", {"overdue": "cancel"})
    world.run_for(minutes=2)
    assert row(world, requested)["status"] == "done"


def test_limits_hold_for_requested_ones_too(world: World) -> None:
    limits = {"contact_limits": [{"max": 1, "period_hours": 24, "scope": "number"}]}
    assert world.api.patch("settings/", limits).status_code == 200
    start = world.now
    retry = a_retry(world)

    requested = request(world, retry, at=ahead(world, hours=3))

    assert requested["adjusted_reason"] == "contact_limit"
    assert instant(requested["adjusted_from"]) == world.now + timedelta(hours=3)
    assert instant(requested["scheduled_at"]) == start + timedelta(hours=24)


@pytest.mark.parametrize("kind", ["customer_requested", "manual"])
def test_skip_of_a_requested_or_manual_one_is_a_conflict(world: World, kind: str) -> None:
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": a_number(ANSWERS)})
    campaign = world.campaign()
    body = {"contact_id": contact["id"], "campaign_id": campaign["id"], "type": kind}
    promise = world.say("callbacks/", {**body, "scheduled_at": ahead(world, hours=1)})

    assert world.refused(f"callbacks/{promise['id']}/skip/") == (409, "not_a_retry")
    assert row(world, promise)["status"] == "pending"


def test_skip_of_the_last_retry_ends_the_chain_exhausted(world: World) -> None:
    retry = a_retry(world, schedule={"callback_retry_schedule": [60]})

    world.say(f"callbacks/{retry['id']}/skip/")

    assert world.pending() == []
    (over,) = world.webhooks("call.exhausted")
    assert (over["data"]["result"], over["data"]["reason"], over["data"]["attempts"]) == ("exhausted", "exhausted", 1)
    assert world.told()[-2:] == ["callback.skipped", "call.exhausted"]


def test_call_now_on_a_stale_row_is_allowed(world: World) -> None:
    retry = a_retry(world)
    world.say(f"campaigns/{retry['campaign']['id']}/pause/")
    world.run_for(days=4)
    world.say(f"campaigns/{retry['campaign']['id']}/resume/")
    world.run_for(hours=1)
    assert row(world, retry)["waiting"]["code"] == "stale"

    world.say(f"callbacks/{retry['id']}/call-now/")
    world.run_for(minutes=2)

    assert row(world, retry)["status"] == "done"
    assert len(world.carrier.placed) == 2


def test_call_now_for_a_suppressed_contact_is_a_conflict(world: World) -> None:
    # What a suppression finds pending it cancels; this one is met by a contact who got a suppressed number later.
    retry = a_retry(world)
    number = a_number(ANSWERS)
    world.say("suppressions/", {"phone": number})
    assert world.api.patch(f"contacts/{retry['contact']['id']}/", {"phone": number}).status_code == 200

    for body in (None, {**FORCED, "force": ["outside_window", "contact_limit", "campaign_paused"]}):
        assert world.refused(f"callbacks/{retry['id']}/call-now/", body) == (409, "contact_suppressed")

    world.run_for(hours=2)
    assert number not in world.carrier.numbers()


def test_force_lasts_for_one_dial_and_for_the_checks_it_named(world: World) -> None:
    number = a_number(RINGS_OUT)
    world.campaign(number, schedule={**HOURLY, "calling_hours": {"start": "10:00", "end": "12:00"}})
    world.run_for(minutes=5)
    (retry,) = world.pending()
    world.run_until(instant("2025-03-12T21:00:00+01:00"))
    assert world.refused(f"callbacks/{retry['id']}/call-now/") == (409, "outside_window")

    world.say(f"callbacks/{retry['id']}/call-now/", FORCED)
    world.run_for(hours=1, minutes=5)

    # It was dialled in the evening; the retry that follows keeps to the window again.
    assert row(world, retry)["status"] == "done"
    assert world.calls()[1]["dialing_at"] == "2025-03-12T20:00:00Z"
    (following,) = world.pending()
    assert following["scheduled_at"] == "2025-03-13T09:00:00Z"
    assert AuditEntry.objects.filter(verb="call_now", reason=FORCED["reason"]).count() == 1
    # And force past the window is no force past a pause.
    world.say(f"campaigns/{retry['campaign']['id']}/pause/")
    assert world.refused(f"callbacks/{following['id']}/call-now/", FORCED) == (409, "campaign_paused")


def test_suppressing_after_the_call_ended_leaves_the_outcome_and_lifting_it_revives_nothing(world: World) -> None:
    retry = a_retry(world)
    call = world.calls()[0]

    world.say(f"calls/{call['id']}/request-dnc/")

    assert world.calls()[0]["outcome"] == "no_answer"
    assert row(world, retry)["status"] == "cancelled"
    (suppression,) = world.ask("suppressions/")["results"]
    assert world.api.delete(f"suppressions/{suppression['id']}/", {"reason": "Asked for it"}).status_code == 204
    world.run_for(days=1)
    assert row(world, retry)["status"] == "cancelled"
    assert len(world.carrier.placed) == 1


def test_a_callback_of_each_type_keeps_the_settings_of_the_call_that_it_follows(world: World) -> None:
    call = world.call(RINGS_OUT, **ALWAYS_OPEN, **HOURLY)
    world.run_for(minutes=5)

    requested = world.say(
        f"calls/{call['id']}/request-callback/", {"scheduled_at": ahead(world, hours=3), "notes": "Rang the office"}
    )
    world.run_for(hours=3, minutes=5)

    assert row(world, requested)["status"] == "done"
    (following,) = world.pending()
    assert following["explanation"][0]["level"] == "call"
    assert len({shown["chain_id"] for shown in world.calls()}) == 1
