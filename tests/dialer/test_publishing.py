"""Publishing: what the workers are told of claimed calls, read from the broker as a worker would take it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer.dialing.claim import Dispatched
from dialer.models import Call
from dialer.rules.statuses import Rank
from dialer.tasks import tick
from dialer.tasks.dialling import BACKLOG, BATCH, BATCH_OF_BACKLOG, SLOT, publish
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import new_id
from tests.broker import Broker, Message, broker
from tests.factories import ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact

__all__ = ["broker"]

SECOND = timedelta(seconds=1)
SLOW_MACHINE = 5 * SECOND
"""The longest that publishing may take here; what it takes makes a message late, never early."""


def a_slot(now: datetime) -> datetime:
    """Return the beginning of a slot some seconds ahead."""
    return datetime.fromtimestamp(int(now.timestamp()) + 10, tz=UTC)


def claimed(*starts: datetime) -> list[Dispatched]:
    return [Dispatched(call_id=new_id(), generation=n, start_at=at, rank=Rank.RETRY) for n, at in enumerate(starts, 1)]


def told(calls: Sequence[Dispatched]) -> list[list[object]]:
    return [[str(call.call_id), call.generation] for call in calls]


def published(broker: Broker, calls: Sequence[Dispatched], *, now: datetime) -> list[Message]:
    began = time.monotonic() - (datetime.now(UTC) - now).total_seconds()
    publish(calls, now=now, began=began)
    return broker.take("dial")


def assert_starts(message: Message, at: datetime) -> None:
    assert message.not_before is not None, "the message is taken at once"
    late = message.not_before - at
    assert timedelta() <= late + timedelta(milliseconds=1), f"the message is taken {-late} too early"
    assert late < SLOW_MACHINE, f"the message is taken {late} too late"


def test_each_slot_is_one_message_that_is_taken_at_the_slots_last_call_and_never_before(broker: Broker) -> None:
    now = datetime.now(UTC)
    first = a_slot(now)
    calls = claimed(first, first + SLOT / 2, first + SLOT, first + 5 * SECOND)

    messages = published(broker, calls, now=now)

    assert [message.task for message in messages] == ["dialer.place_calls"] * 3
    assert [message.args for message in messages] == [[told(calls[:2])], [told(calls[2:3])], [told(calls[3:])]]
    for message, last in zip(messages, (calls[1], calls[2], calls[3]), strict=True):
        assert_starts(message, last.start_at)


def test_a_full_slot_is_several_messages_and_each_call_is_in_one(broker: Broker) -> None:
    now = datetime.now(UTC)
    calls = claimed(*[a_slot(now)] * (2 * BATCH + 10))

    messages = published(broker, calls, now=now)

    assert [len(message.args[0]) for message in messages] == [BATCH, BATCH, 10]
    assert [call for message in messages for call in message.args[0]] == told(calls)


def test_a_backlog_is_cut_into_larger_messages_than_a_calm_slot(broker: Broker) -> None:
    now = datetime.now(UTC)

    calm = published(broker, claimed(*[a_slot(now)] * (BACKLOG - 1)), now=now)
    backlog = published(broker, claimed(*[a_slot(now)] * (2 * BATCH_OF_BACKLOG + 1)), now=now)

    assert max(len(message.args[0]) for message in calm) == BATCH
    assert [len(message.args[0]) for message in backlog] == [BATCH_OF_BACKLOG, BATCH_OF_BACKLOG, 1]


def test_calls_of_a_backlog_that_start_at_one_instant_are_taken_by_rank(broker: Broker) -> None:
    now = datetime.now(UTC)
    start = a_slot(now)
    calls = [replace(call, rank=list(Rank)[-1 - n % 4]) for n, call in enumerate(claimed(*[start] * BACKLOG))]

    messages = published(broker, calls, now=now)

    taken = sorted(messages, key=lambda message: message.not_before or now)
    ranks = {str(call.call_id): call.rank for call in calls}
    assert [[ranks[call_id] for call_id, _ in message.args[0]] for message in taken] == [
        [rank] * (BACKLOG // 4) for rank in sorted(Rank)
    ]
    assert_starts(taken[0], start)
    assert_starts(taken[-1], start)


def test_calls_whose_second_has_come_are_taken_at_once(broker: Broker) -> None:
    now = datetime.now(UTC)

    (message,) = published(broker, claimed(now), now=now)

    assert message.not_before is None


def test_what_claiming_took_is_not_waited_for_a_second_time(broker: Broker) -> None:
    """A countdown runs from when it is sent, and the call's second does not move with it."""
    before = datetime.now(UTC) - 3 * SECOND
    start_at = before + 10 * SECOND

    (message,) = published(broker, claimed(start_at), now=before)

    assert message.not_before is not None
    assert abs(message.not_before - start_at) < 2 * SECOND


@pytest.mark.django_db(transaction=True)
def test_a_tick_tells_the_workers_of_each_call_that_falls_due_soon_once_and_of_its_own_second(broker: Broker) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    now = database_now()
    soon, later, far = (
        make_call(campaign_contact=make_campaign_contact(campaign, state="calling"), due_at=now + wait, rank=2)
        for wait in (10 * SECOND, 20 * SECOND, 3600 * SECOND)
    )

    tick()
    tick()

    messages = broker.take("dial")
    assert [message.args for message in messages] == [[[[str(call.pk), 1]]] for call in (soon, later)]
    for message, call in zip(messages, (soon, later), strict=True):
        assert_starts(message, call.due_at)
    assert Call.objects.get(pk=far.pk).generation == 0
