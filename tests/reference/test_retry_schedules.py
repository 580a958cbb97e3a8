"""Callbacks by schedule: the published examples and configurations, from the API to the rows and the webhooks."""

from datetime import timedelta
from typing import Any

import pytest

from callbacks.models import Callback
from dialer.models import Call
from tests.world import ALWAYS_OPEN, ANSWERS, ASKS_FOR_CALLBACK, RINGS_OUT, World, a_number, instant, world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

QUICK = [5, 15, 30]
STANDARD = [30, 120, 1440]
EXTENDED = [60, 240, 1440, 2880]
LADDER = [5, 15, 60, 1440]
MINUTE = timedelta(minutes=1)


def chain_follows(world: World, delays: list[int], *, limit: int | None = None) -> None:
    """Check a finished chain of calls that nobody answered: its calls, its callbacks, and all that was told."""
    limit = limit or len(delays)
    calls = world.calls()
    callbacks = world.callbacks()
    ended = world.webhooks("call.ended")

    assert [call["attempt_number"] for call in calls] == list(range(1, limit + 2))
    assert {(call["status"], call["outcome"]) for call in calls} == {("ended", "no_answer")}
    assert len({call["chain_id"] for call in calls}) == 1
    assert [callback["status"] for callback in callbacks] == ["done"] * limit
    assert [callback["retry"]["text"] for callback in callbacks] == [f"Retry {k + 1} of {limit}" for k in range(limit)]
    for k, callback in enumerate(callbacks):
        assert (callback["type"], callback["original_outcome"]) == ("auto_retry", "no_answer")
        assert callback["origin_call_id"] == calls[k]["id"]
        assert callback["call_id"] == calls[k + 1]["id"]
        delay = delays[min(k, len(delays) - 1)]
        assert instant(callback["scheduled_at"]) == instant(calls[k]["ended_at"]) + delay * MINUTE
        assert (
            timedelta()
            <= instant(calls[k + 1]["dialing_at"]) - instant(callback["scheduled_at"])
            <= timedelta(seconds=1)
        )
        says_that_it_is_followed(ended[k], calls[k], callback, limit=limit)
    says_that_it_is_over(ended[-1], calls[-1], attempts=limit + 1)
    (over,) = world.webhooks("call.exhausted")
    assert (over["data"]["result"], over["data"]["reason"]) == ("exhausted", "exhausted")
    assert over["data"]["attempts"] == limit + 1
    assert world.told() == [
        *["call.attempted", "callback.scheduled", "call.ended"] * limit,
        *["call.attempted", "call.ended", "call.exhausted"],
    ]


def says_that_it_is_followed(body: dict[str, Any], call: Any, callback: Any, *, limit: int) -> None:
    assert body["call_id"] == body["data"]["job_id"] == call["id"]
    assert body["data"]["status"] == "no_answer"
    assert body["callback"]["id"] == callback["id"]
    # The callback's time is written with +00:00 here, and with Z in the retry.
    assert body["callback"]["scheduled_at"] == callback["scheduled_at"].replace("Z", "+00:00")
    assert body["data"]["retry"] == {
        "will_retry": True,
        "next_retry_at": callback["scheduled_at"],
        "attempt_number": call["attempt_number"],
        "max_attempts": limit + 1,
    }


def says_that_it_is_over(body: dict[str, Any], call: Any, *, attempts: int) -> None:
    assert body["call_id"] == call["id"]
    assert "callback" not in body
    assert body["data"]["retry"] == {
        "will_retry": False,
        "next_retry_at": None,
        "attempt_number": attempts,
        "max_attempts": attempts,
    }


@pytest.mark.parametrize("delays", [QUICK, STANDARD, EXTENDED], ids=["quick", "standard", "extended"])
def test_each_callback_of_a_schedule_comes_its_delay_after_the_call_before_and_none_after_the_last(
    world: World, delays: list[int]
) -> None:
    world.call(RINGS_OUT, callback_retry_schedule=delays, **ALWAYS_OPEN)

    world.run_for(days=10)

    chain_follows(world, delays)


def test_four_delays_give_a_first_a_second_a_third_and_a_fourth_callback(world: World) -> None:
    world.call(RINGS_OUT, callback_retry_schedule=LADDER, **ALWAYS_OPEN)

    world.run_for(days=10)

    chain_follows(world, LADDER)


def test_a_call_with_the_switch_a_limit_and_a_schedule_of_its_own_is_called_back_by_them(world: World) -> None:
    made = world.call(
        RINGS_OUT, auto_callback=True, max_callback_attempts=3, callback_retry_schedule=STANDARD, **ALWAYS_OPEN
    )

    world.run_for(days=10)

    chain_follows(world, STANDARD, limit=3)
    assert {level(callback, "delay") for callback in world.callbacks()} == {"call"}
    assert made["call"]["max_callback_attempts"] == 3


def test_a_campaign_with_the_switch_a_limit_and_a_schedule_gives_them_to_its_calls(world: World) -> None:
    settings = {"auto_callback": True, "max_callback_attempts": 2, "callback_retry_schedule": [60, 1440]}
    campaign = world.campaign(a_number(RINGS_OUT), schedule=settings)
    assert world.told() == ["campaign.started"]

    world.run_for(days=10)
    world.sweep()

    calls, callbacks = world.calls(), world.callbacks()
    assert [call["campaign_id"] for call in calls] == [campaign["id"]] * 3
    assert [instant(made["scheduled_at"]) for made in callbacks] == [
        instant(calls[0]["ended_at"]) + 60 * MINUTE,
        instant(calls[1]["ended_at"]) + 1440 * MINUTE,
    ]
    assert {level(callback, "delay") for callback in callbacks} == {"campaign"}
    assert {level(callback, "limit") for callback in callbacks} == {"campaign"}
    retries = [body["data"]["retry"] for body in world.webhooks("call.ended")]
    assert [(retry["will_retry"], retry["max_attempts"]) for retry in retries] == [(True, 3), (True, 3), (False, 3)]
    assert world.told()[-3:] == ["call.ended", "call.exhausted", "campaign.ended"]


def test_a_call_that_says_nothing_is_called_back_by_the_defaults_of_the_workspace(world: World) -> None:
    changed = world.api.patch("settings/", {"schedule": {"callback_retry_schedule": [7, 9], **ALWAYS_OPEN}})
    assert changed.status_code == 200, changed.content
    world.call(RINGS_OUT)

    world.run_for(days=1)

    chain_follows(world, [7, 9])
    assert {level(callback, "delay") for callback in world.callbacks()} == {"workspace"}


def test_a_limit_above_the_length_of_the_schedule_repeats_its_last_delay(world: World) -> None:
    world.call(RINGS_OUT, max_callback_attempts=4, callback_retry_schedule=[5, 15], **ALWAYS_OPEN)

    world.run_for(days=1)

    chain_follows(world, [5, 15], limit=4)


@pytest.mark.parametrize("attempts", [0, -1])
def test_the_number_of_callbacks_must_be_above_zero(world: World, attempts: int) -> None:
    body = {"contact": {"phone": a_number(RINGS_OUT)}, "call": {"max_callback_attempts": attempts}}

    answer = world.api.post("calls/", body)

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["call.max_callback_attempts"]
    assert not Call.objects.exists()


def test_where_automatic_callbacks_are_off_an_unanswered_call_is_followed_by_none(world: World) -> None:
    world.call(RINGS_OUT, auto_callback=False, callback_retry_schedule=QUICK, **ALWAYS_OPEN)

    world.run_for(days=10)

    (call,) = world.calls()
    assert call["outcome"] == "no_answer"
    assert not Callback.objects.exists()
    (body,) = world.webhooks("call.ended")
    assert "callback" not in body
    assert body["data"]["retry"]["will_retry"] is False
    (over,) = world.webhooks("call.exhausted")
    assert over["data"]["reason"] == "auto_callback_off"


def test_a_callback_that_the_contact_asks_for_is_made_also_where_automatic_ones_are_off(world: World) -> None:
    wanted = world.now + timedelta(hours=3)
    world.asked_for = {"scheduled_at": wanted.isoformat(), "notes": "After lunch."}
    world.call(ASKS_FOR_CALLBACK, auto_callback=False, **ALWAYS_OPEN)

    world.run_for(hours=1)

    (callback,) = world.pending()
    assert (callback["type"], instant(callback["scheduled_at"])) == ("customer_requested", wanted)
    (body,) = world.webhooks("call.ended")
    assert body["data"]["status"] == "completed"
    assert body["callback"] == {"id": callback["id"], "scheduled_at": wanted.isoformat(timespec="seconds")}
    assert body["data"]["retry"]["will_retry"] is False
    assert "call.exhausted" not in world.told()


def test_an_answered_callback_is_the_last_of_its_schedule(world: World) -> None:
    world.call(ANSWERS, callback_retry_schedule=QUICK, **ALWAYS_OPEN)

    world.run_for(days=1)

    assert [call["outcome"] for call in world.calls()] == ["answered"]
    assert world.callbacks() == []
    (over,) = world.webhooks("call.exhausted")
    assert over["data"]["result"] == "reached"


def test_callbacks_keep_to_calling_hours_and_chosen_days(world: World) -> None:
    # Friday 14 March, 18:55 in Berlin: an hour later it is past seven, and the next chosen day is Monday.
    world.run_until(instant("2025-03-14T17:55:00+00:00"))
    world.call(
        RINGS_OUT,
        callback_retry_schedule=[60],
        call_start_hour=9,
        call_end_hour=19,
        day_selection_mode="choose_days",
        allowed_days=[0, 1, 2, 3, 4],
    )

    world.run_for(minutes=10)

    (callback,) = world.pending()
    assert callback["scheduled_at"] == "2025-03-17T08:00:00Z"
    assert callback["adjusted_reason"] == "outside_window"
    (told,) = world.webhooks("callback.scheduled")
    assert told["callback"]["scheduled_at"] == "2025-03-17T08:00:00+00:00"
    world.run_for(days=5)
    assert world.calls()[1]["dialing_at"] == "2025-03-17T08:00:00Z"


def level(callback: dict[str, Any], code: str) -> Any:
    return next(step["level"] for step in callback["explanation"] if step["code"] == code)
