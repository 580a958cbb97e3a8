"""The queue by urgency, the operator's five actions, what keeps calls from being doubled, and what a row shows."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from callbacks.models import Callback
from dialer.models import Call
from tests.world import (
    ALWAYS_OPEN,
    ANSWERS,
    ASKS_FOR_CALLBACK,
    ASKS_FOR_DNC,
    RINGS_OUT,
    World,
    a_number,
    instant,
    world,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

NOON, LAST_OF_TODAY = "2025-03-12T12:00:00+01:00", "2025-03-12T23:59:59+01:00"
TOMORROW, LAST_OF_SUNDAY = "2025-03-13T00:00:00+01:00", "2025-03-16T23:59:59+01:00"
MONDAY, LATER = "2025-03-17T00:00:00+01:00", "2025-04-05T10:00:00+02:00"
RETRIED = {"callback_retry_schedule": [60, 120, 180]}


def a_queue(world: World) -> None:
    """Promise calls at six times, and look at 15:00 on Wednesday, the campaign being held since the morning."""
    campaign = world.campaign(a_number(ANSWERS))
    world.say(f"campaigns/{campaign['id']}/pause/")
    for at in (NOON, LAST_OF_TODAY, TOMORROW, LAST_OF_SUNDAY, MONDAY, LATER):
        contact = world.say("contacts/", {"name": "Jane Roe", "phone": a_number(ANSWERS)})
        body = {"contact_id": contact["id"], "campaign_id": campaign["id"], "scheduled_at": at}
        world.say("callbacks/", body)
    gone = world.callbacks()[0]
    again = {**body, "contact_id": gone["contact"]["id"], "scheduled_at": NOON}
    world.say(f"callbacks/{gone['id']}/cancel/")
    world.say("callbacks/", again)
    world.run_until(instant("2025-03-12T15:00:00+01:00"))


def shows(world: World, queue: str, *times: str) -> None:
    """Check that the queue holds callbacks of these times, most urgent first, as they were told when they were made."""
    rows = world.callbacks(queue=queue)
    assert [instant(row["scheduled_at"]) for row in rows] == [instant(at) for at in times]
    assert {row["status"] for row in rows} == {"pending"}
    told = {body["data"]["id"]: body["callback"]["scheduled_at"] for body in world.webhooks("callback.scheduled")}
    assert [instant(told[row["id"]]) for row in rows] == [instant(at) for at in times]


def test_overdue_shows_callbacks_past_their_time(world: World) -> None:
    a_queue(world)

    shows(world, "overdue", NOON)

    (row,) = world.callbacks(queue="overdue")
    assert (row["seconds_late"], row["is_overdue"]) == (3 * 3600, True)
    assert row["waiting"]["code"] == "campaign_paused"


def test_due_today_shows_callbacks_of_today(world: World) -> None:
    a_queue(world)

    shows(world, "due_today", NOON, LAST_OF_TODAY)


def test_this_week_shows_callbacks_still_to_come_until_the_end_of_sunday(world: World) -> None:
    a_queue(world)

    shows(world, "this_week", LAST_OF_TODAY, TOMORROW, LAST_OF_SUNDAY)


def test_all_pending_shows_every_callback_that_nobody_has_dealt_with(world: World) -> None:
    a_queue(world)

    shows(world, "all_pending", NOON, LAST_OF_TODAY, TOMORROW, LAST_OF_SUNDAY, MONDAY, LATER)

    assert len(world.callbacks()) == 7


def a_retry(world: World) -> Any:
    """Have a campaign call a number that does not answer; return the first retry, due an hour later."""
    world.campaign(a_number(RINGS_OUT), schedule=RETRIED)
    world.run_for(minutes=5)
    (row,) = world.pending()
    return row


def test_call_now_triggers_the_callback_at_once(world: World) -> None:
    retry = a_retry(world)
    now = world.now

    world.say(f"callbacks/{retry['id']}/call-now/")
    world.run_for(minutes=2)

    done, following = world.callbacks()
    assert (done["status"], instant(done["dialled_at"])) == ("done", now)
    assert instant(world.calls()[1]["dialing_at"]) == now
    assert (following["retry"]["text"], following["status"]) == ("Retry 2 of 3", "pending")
    (told,) = world.webhooks("callback.rescheduled")
    assert (told["data"]["id"], told["data"]["reason"], instant(told["callback"]["scheduled_at"])) == (
        retry["id"],
        "call_now",
        now,
    )
    assert world.told()[4:] == ["callback.rescheduled", "call.attempted", "callback.scheduled", "call.ended"]


def test_reschedule_changes_the_time_of_the_callback(world: World) -> None:
    retry = a_retry(world)
    wanted = instant("2025-03-12T17:30:00+01:00")

    moved = world.say(f"callbacks/{retry['id']}/reschedule/", {"scheduled_at": wanted.isoformat()})

    assert (moved["id"], instant(moved["scheduled_at"]), moved["status"]) == (retry["id"], wanted, "pending")
    (told,) = world.webhooks("callback.rescheduled")
    assert (told["callback"]["id"], instant(told["callback"]["scheduled_at"])) == (retry["id"], wanted)
    world.run_until(wanted - timedelta(seconds=1))
    assert len(world.calls()) == 1 + 1  # the call that is promised is queued
    assert world.calls()[1]["dialing_at"] is None
    world.run_until(wanted)
    assert instant(world.calls()[1]["dialing_at"]) == wanted


def test_skip_leaves_this_retry_out_and_moves_on_to_the_next(world: World) -> None:
    retry = a_retry(world)

    assert world.say(f"callbacks/{retry['id']}/skip/")["status"] == "skipped"

    (following,) = world.pending()
    assert following["retry"]["text"] == "Retry 2 of 3"
    at = instant(retry["scheduled_at"]) + timedelta(minutes=120)
    assert instant(following["scheduled_at"]) == at
    assert world.told()[4:] == ["callback.skipped", "callback.scheduled"]
    told = world.webhooks("callback.scheduled")[-1]
    assert (told["data"]["retry_number"], instant(told["callback"]["scheduled_at"])) == (2, at)
    world.run_for(days=3)
    assert [instant(call["dialing_at"]) for call in world.calls()][1] == at
    assert len(world.calls()) == 1 + 2


def test_cancel_cancels_all_future_retries_of_the_contact(world: World) -> None:
    retry = a_retry(world)

    assert world.say(f"callbacks/{retry['id']}/cancel/", {"reason": "Wrong person"})["status"] == "cancelled"

    world.run_for(days=10)
    assert len(world.calls()) == 1
    assert world.pending() == []
    assert world.told()[4:] == ["callback.cancelled", "call.exhausted"]
    assert world.webhooks("call.exhausted")[0]["data"]["result"] == "cancelled"


def test_mark_complete_ends_it_as_handled(world: World) -> None:
    retry = a_retry(world)

    done = world.say(f"callbacks/{retry['id']}/complete/", {"reason": "The customer rang us"})

    assert (done["status"], done["completed_by"]) == ("completed", "key")
    world.run_for(days=10)
    assert len(world.calls()) == 1
    assert world.told()[4:] == ["callback.completed", "call.exhausted"]
    over = world.webhooks("call.exhausted")[0]["data"]
    assert (over["result"], over["attempts"]) == ("completed", 1)


def test_a_contact_has_one_active_callback_in_a_campaign(world: World) -> None:
    retry = a_retry(world)
    of = {"contact_id": retry["contact"]["id"], "campaign_id": retry["campaign"]["id"]}
    at = {"scheduled_at": (world.now + timedelta(hours=5)).isoformat()}

    assert world.refused("callbacks/", {**of, **at}) == (409, "already_pending")
    requested = world.say("callbacks/", {**of, **at, "type": "customer_requested"})

    assert [row["id"] for row in world.pending()] == [requested["id"]]
    assert requested["superseded_id"] == retry["id"]
    assert world.told()[4:] == ["callback.superseded", "callback.scheduled"]
    kept, gone = Callback.objects.get(pk=requested["id"]), Callback.objects.get(pk=retry["id"])
    with pytest.raises(IntegrityError, match="callback_one_pending_per_contact_and_campaign"):
        Callback.objects.filter(pk=gone.pk).update(status=kept.status)


def test_an_answer_cancels_the_pending_callbacks_of_the_contact(world: World) -> None:
    settings = {**ALWAYS_OPEN, **RETRIED}
    call = world.call(RINGS_OUT, **settings)
    world.run_for(minutes=5)
    (retry,) = world.pending()
    world.does[call["number"]] = ANSWERS

    world.say("calls/", {"contact_id": call["contact_id"], "call": settings})
    world.run_for(minutes=5)

    assert world.ask(f"callbacks/{retry['id']}/")["status"] == "cancelled"
    assert world.pending() == []
    (told,) = world.webhooks("callback.cancelled")
    assert (told["data"]["id"], told["data"]["reason"]) == (retry["id"], "answered")
    assert len(world.webhooks("call.exhausted")) == 2
    world.run_for(days=3)
    assert [row["outcome"] for row in world.calls()] == ["no_answer", "answered"]


def test_a_wish_not_to_be_called_cancels_the_callbacks_of_all_campaigns(world: World) -> None:
    number = a_number(RINGS_OUT)
    for _ in range(2):
        world.campaign(number, schedule=RETRIED)
        world.run_for(minutes=5)
    retries = world.pending()
    assert len({row["campaign"]["id"] for row in retries}) == 2
    world.does[number] = ASKS_FOR_DNC

    world.campaign(number)
    world.run_for(minutes=5)

    assert world.pending() == []
    assert {row["status"] for row in world.callbacks()} == {"cancelled"}
    told = world.webhooks("callback.cancelled")
    assert sorted(body["data"]["id"] for body in told) == sorted(row["id"] for row in retries)
    assert {body["data"]["reason"] for body in told} == {"suppressed"}
    world.run_for(days=10)
    assert len(world.calls()) == 3
    assert Call.objects.filter(status="queued").count() == 0


def test_a_row_shows_whom_why_which_retry_when_for_which_campaign_and_by_whom(world: World) -> None:
    retry = a_retry(world)

    assert (retry["contact"]["name"], retry["contact"]["phone"]) == ("Jane Roe", world.calls()[0]["number"])
    assert retry["original_outcome"] == "no_answer"
    assert retry["retry"]["text"] == "Retry 1 of 3"
    assert instant(retry["scheduled_at"]) == instant(world.calls()[0]["ended_at"]) + timedelta(hours=1)
    assert retry["campaign"]["name"].startswith("Outreach")
    assert retry["persona"]["name"] == world.persona.name


def test_a_callback_that_the_agent_schedules_has_its_type_its_time_and_its_notes(world: World) -> None:
    wanted = instant("2025-03-13T16:00:00+01:00")
    world.asked_for = {"local_time": "2025-03-13T16:00", "notes": "Asks about the invoice."}
    world.campaign(a_number(ASKS_FOR_CALLBACK))

    world.run_for(minutes=5)

    (row,) = world.callbacks(queue="all_pending")
    assert (row["type"], instant(row["scheduled_at"])) == ("customer_requested", wanted)
    assert (row["notes"], row["local_time"]) == ("Asks about the invoice.", "2025-03-13T16:00")
    (told,) = world.webhooks("callback.scheduled")
    assert (told["data"]["type"], told["data"]["notes"]) == ("customer_requested", "Asks about the invoice.")
    assert instant(told["callback"]["scheduled_at"]) == wanted
    world.asked_for = {}
    world.does[row["contact"]["phone"]] = ANSWERS
    world.run_until(wanted + timedelta(minutes=2))
    assert world.ask(f"callbacks/{row['id']}/")["status"] == "done"
    assert world.calls()[-1]["outcome"] == "answered"
