"""The preview and the scheduling of what really ended are one code: what changes the one changes the other."""

from typing import Any

import pytest

from tests.world import ALWAYS_OPEN, BUSY, RINGS_OUT, World, instant, world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

SETTINGS = {"callback_retry_schedule": [30, 45], **ALWAYS_OPEN}


def previewed_and_made(world: World, outcome: str, does: str, settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Call a number until its chain is over; return the times of its callbacks as previewed, and as they were made.

    A preview takes each attempt to end at the instant it starts; so each retry is asked about from the call before it.
    """
    call = world.call(does, **settings)
    world.run_for(days=8)
    calls = [row for row in world.calls() if row["chain_id"] == call["chain_id"]]
    made = [row["scheduled_at"] for row in world.callbacks(contact_id=call["contact_id"])]
    previewed = []
    for used, row in enumerate(calls[:-1]):
        body = {"phone": call["number"], "outcomes": [outcome] * (used + 1), "call": settings}
        whole = world.say("callbacks/preview/", {**body, "first_attempt_at": row["ended_at"]})["attempts"]
        # The last delay of the chain so far, counted from the end of the call that it follows.
        delay = instant(whole[-1]["at"]) - instant(whole[-2]["at"])
        previewed.append((instant(row["ended_at"]) + delay).isoformat().replace("+00:00", "Z"))
    return previewed, made


@pytest.mark.parametrize(
    ("outcome", "does", "settings", "retries"),
    [
        ("no_answer", RINGS_OUT, SETTINGS, 2),
        ("no_answer", RINGS_OUT, {**SETTINGS, "max_callback_attempts": 4}, 4),
        ("busy", BUSY, ALWAYS_OPEN, 5),
    ],
)
def test_what_is_previewed_is_what_is_made(
    world: World, outcome: str, does: str, settings: dict[str, Any], retries: int
) -> None:
    previewed, made = previewed_and_made(world, outcome, does, settings)

    assert previewed == made
    assert len(made) == retries


def test_what_is_previewed_into_a_closed_window_is_what_is_made(world: World) -> None:
    # 19:30 in Berlin; an hour later the default window is closed.
    world.run_until(instant("2025-03-12T19:30:00+01:00"))
    settings = {"callback_retry_schedule": [60]}
    call = world.call(BUSY, **settings)
    world.run_for(minutes=5)
    (made,) = world.pending()

    question = {"phone": call["number"], "outcomes": ["busy"], "call": settings}
    answer = world.say("callbacks/preview/", {**question, "first_attempt_at": world.calls()[0]["ended_at"]})

    previewed = answer["attempts"][1]
    assert previewed["at"] == made["scheduled_at"] == "2025-03-13T08:00:00Z"
    assert [shown(step) for step in previewed["explanation"]] == [shown(step) for step in made["explanation"]]


def shown(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step without the moment at which it was decided, which for a preview is that of the attempt."""
    return {name: value for name, value in step.items() if name != "at"}
