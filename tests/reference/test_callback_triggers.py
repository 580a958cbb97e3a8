"""What follows a call that did not connect, outcome by outcome, by the policy that every workspace starts with."""

from datetime import timedelta
from typing import Any

import pytest

from tests.world import (
    ALWAYS_OPEN,
    ANSWERS,
    ASKS_FOR_DNC,
    BROKEN,
    BUSY,
    INVALID,
    MACHINE,
    RINGS_OUT,
    World,
    a_number,
    instant,
    world,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

ENVELOPE_STATUS = {"voicemail": "voicemail", "no_answer": "no_answer", "busy": "busy", "network_error": "failed"}


def is_retried(world: World, does: str, *, outcome: str, delay: timedelta, limit: int) -> None:
    """Let a campaign call one number until its chain is over; check rows and webhooks of each attempt."""
    world.campaign(a_number(does))

    world.run_for(days=10)

    calls, callbacks = world.calls(), world.callbacks()
    assert [call["outcome"] for call in calls] == [outcome] * (limit + 1)
    assert [(row["original_outcome"], row["retry"]["text"], row["status"]) for row in callbacks] == [
        (outcome, f"Retry {k + 1} of {limit}", "done") for k in range(limit)
    ]
    ends = world.webhooks("call.ended")
    assert [body["data"]["status"] for body in ends] == [ENVELOPE_STATUS[outcome]] * (limit + 1)
    for before, callback, body in zip(calls, callbacks, ends, strict=False):
        at = instant(before["ended_at"]) + delay
        assert instant(callback["scheduled_at"]) == instant(body["callback"]["scheduled_at"]) == at
        assert body["callback"]["id"] == callback["id"]
        assert body["data"]["retry"]["will_retry"] is True
        assert body["data"]["retry"]["max_attempts"] == limit + 1
    assert [body["data"]["id"] for body in world.webhooks("callback.scheduled")] == [row["id"] for row in callbacks]
    is_over(world, ends[-1], attempts=limit + 1, reason="exhausted")


def is_over(world: World, last: dict[str, Any], *, attempts: int, reason: str) -> None:
    assert "callback" not in last
    assert last["data"]["retry"]["will_retry"] is False
    (over,) = world.webhooks("call.exhausted")
    assert (over["data"]["attempts"], over["data"]["reason"]) == (attempts, reason)
    assert world.pending() == []


def test_voicemail_is_called_again_after_24_hours_up_to_3_times(world: World) -> None:
    is_retried(world, MACHINE, outcome="voicemail", delay=timedelta(hours=24), limit=3)


def test_no_answer_is_called_again_after_24_hours_up_to_3_times(world: World) -> None:
    is_retried(world, RINGS_OUT, outcome="no_answer", delay=timedelta(hours=24), limit=3)


def test_a_busy_line_is_called_again_after_1_hour_up_to_5_times(world: World) -> None:
    is_retried(world, BUSY, outcome="busy", delay=timedelta(hours=1), limit=5)


def test_a_network_error_is_called_again_after_30_minutes_up_to_3_times(world: World) -> None:
    is_retried(world, BROKEN, outcome="network_error", delay=timedelta(minutes=30), limit=3)


def test_an_invalid_number_is_never_called_again(world: World) -> None:
    world.campaign(a_number(INVALID))

    world.run_for(days=10)

    (call,) = world.calls()
    assert (call["status"], call["outcome"]) == ("ended", "invalid_number")
    assert world.callbacks() == []
    (body,) = world.webhooks("call.ended")
    assert (body["data"]["status"], body["data"]["ended_reason"]) == ("failed", "invalid_number")
    is_over(world, body, attempts=1, reason="invalid_number")


def test_whoever_asks_not_to_be_called_is_never_called_again(world: World) -> None:
    number = a_number(ASKS_FOR_DNC)
    world.campaign(number)

    world.run_for(days=10)

    (call,) = world.calls()
    assert (call["status"], call["outcome"]) == ("ended", "dnc_request")
    assert world.callbacks() == []
    assert [row["phone"] for row in world.ask("suppressions/")["results"]] == [number]
    (suppressed,) = world.webhooks("contact.suppressed")
    assert (suppressed["data"]["phone"], suppressed["data"]["reason"]) == (number, "dnc_request")
    (body,) = world.webhooks("call.ended")
    assert (body["data"]["status"], body["data"]["ended_reason"]) == ("completed", "dnc_request")
    is_over(world, body, attempts=1, reason="dnc_request")
    assert world.refused("calls/", {"contact": {"phone": number}, "call": ALWAYS_OPEN})[0] == 409


def test_retries_count_per_campaign_and_begin_anew_in_the_next(world: World) -> None:
    number = a_number(BROKEN)
    first = world.campaign(number)
    world.run_for(hours=3)
    assert len(world.webhooks("call.exhausted")) == 1

    second = world.campaign(number)
    world.run_for(hours=3)

    counts = {campaign["id"]: len(world.callbacks(campaign=campaign["id"])) for campaign in (first, second)}
    assert counts == {first["id"]: 3, second["id"]: 3}
    assert len({call["contact_id"] for call in world.calls()}) == 1
    assert [body["data"]["campaign_id"] for body in world.webhooks("call.exhausted")] == [first["id"], second["id"]]


def test_a_call_that_connects_is_not_followed_by_a_callback(world: World) -> None:
    world.campaign(a_number(ANSWERS))

    world.run_for(days=3)

    assert world.callbacks() == []
    (over,) = world.webhooks("call.exhausted")
    assert (over["data"]["result"], over["data"]["attempts"]) == ("reached", 1)
