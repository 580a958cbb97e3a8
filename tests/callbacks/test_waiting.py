"""Why a due callback is not being dialled: in the words of the last look before dialling, for every reason."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from dialer.carriers.base import Busy
from dialer.dialing import eligibility, placing
from dialer.dialing.waiting import Waiting
from dialer.models import Call, Campaign, Line
from dialer.rules.eligibility import BUSY_CONTACT_WAIT, Hold
from dialer.rules.waits import Waits
from dialer.workspaces.models import Workspace
from tests.api.client import Api
from tests.api.queue_rows import make_callback
from tests.factories import NOW, ROUND_THE_CLOCK, make_call, make_campaign, make_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


def a_due_callback(**campaign_fields: object) -> Callback:
    return make_callback(make_campaign(**{"schedule": ROUND_THE_CLOCK, **campaign_fields}), at=NOW)  # type: ignore[arg-type]


def why(callback: Callback, *, seconds: float = 0) -> Waiting | None:
    return why_waiting([Callback.objects.get(pk=callback.pk)], now=NOW + seconds * SECOND).get(callback.pk)


def paused(callback: Callback) -> None:
    Campaign.objects.update(status="paused")


def stale(callback: Callback) -> None:
    Call.objects.filter(pk=callback.call_id).update(not_after=NOW - SECOND)


def busy(callback: Callback) -> None:
    make_call(make_contact(callback.workspace, phone=callback.contact.phone), status="ringing")


def down(callback: Callback) -> None:
    Line.objects.update(down_until=NOW + HOUR)


def outside(callback: Callback) -> None:
    Campaign.objects.update(schedule={"calling_hours": {"start": "12:00", "end": "13:00"}})


def limited(callback: Callback) -> None:
    # The call that nobody answered was handed over at NOW.
    Workspace.objects.update(contact_limits=[{"max": 1, "period_hours": 24, "scope": "number"}])


HELD = [
    pytest.param(paused, Waits.CAMPAIGN_PAUSED, None, id="campaign_paused"),
    pytest.param(stale, Waits.STALE, None, id="stale"),
    pytest.param(busy, Waits.CONTACT_BUSY, NOW + BUSY_CONTACT_WAIT, id="contact_busy"),
    pytest.param(down, Waits.CARRIER_DOWN, NOW + HOUR, id="carrier_down"),
    pytest.param(outside, Waits.OUTSIDE_WINDOW, NOW + HOUR, id="outside_window"),
    pytest.param(limited, Waits.CONTACT_LIMIT, NOW + DAY, id="contact_limit"),
]


@pytest.mark.parametrize(("held_by", "code", "at"), HELD)
def test_what_holds_a_due_callback_is_said_as_the_last_look_before_dialling_sees_it(
    carrier: InProcessCarrier, held_by: Callable[[Callback], None], code: Waits, at: object
) -> None:
    callback = a_due_callback()
    claims = claim(NOW)
    held_by(callback)

    said = why(callback)
    placing.place(claims, now=NOW)

    assert said is not None
    assert (said.code, said.next_possible_at) == (code, at)
    assert said.text
    call = Call.objects.get(pk=callback.call_id)
    assert call.held_reason == code, "the gate gives the same word"
    assert at is None or call.due_at == at, "and the same time"
    assert carrier.placed == []


@pytest.mark.parametrize(("held_by", "code", "at"), HELD)
def test_a_callback_that_was_put_back_goes_on_saying_why(
    carrier: InProcessCarrier, held_by: Callable[[Callback], None], code: Waits, at: object
) -> None:
    callback = a_due_callback()
    claims = claim(NOW)
    held_by(callback)
    placing.place(claims, now=NOW)

    said = why(callback, seconds=1)

    assert said is not None
    assert said.code == code


@pytest.mark.parametrize(("one", "other"), list(combinations((param.values[0] for param in HELD), 2)))
def test_where_several_things_hold_a_callback_the_queue_and_the_gate_name_the_same_one(
    carrier: InProcessCarrier, one: Callable[[Callback], None], other: Callable[[Callback], None]
) -> None:
    callback = a_due_callback()
    claims = claim(NOW)
    one(callback)
    other(callback)

    said = why(callback)
    placing.place(claims, now=NOW)

    assert said is not None
    assert said.code == Call.objects.get(pk=callback.call_id).held_reason
    assert carrier.placed == []


def test_one_that_a_carrier_had_no_room_for_waits_at_capacity_until_it_is_tried_again(
    carrier: InProcessCarrier,
) -> None:
    callback = a_due_callback()
    carrier.answer = lambda _: Busy(reason="trunk full", retry_after=30 * SECOND)
    dial(NOW)

    assert why(callback, seconds=1) == Waiting(
        code="at_capacity",
        text="All starts or slots of the campaign, the line or the workspace are taken.",
        next_possible_at=NOW + 30 * SECOND,
    )


def test_one_without_a_slot_for_more_than_a_minute_waits_at_capacity(carrier: InProcessCarrier) -> None:
    callback = a_due_callback(max_concurrent_calls=1)
    make_call(campaign=callback.campaign, status="in_progress")
    assert claim(NOW + 61 * SECOND) == []

    said = why(callback, seconds=61)

    assert said is not None
    assert said.code == "at_capacity"
    assert said.next_possible_at is not None


def test_a_contact_that_was_on_the_phone_waits_for_the_next_look_after_the_talk(carrier: InProcessCarrier) -> None:
    callback = a_due_callback()
    claims = claim(NOW)
    busy(callback)
    placing.place(claims, now=NOW)
    Call.objects.filter(status="ringing").update(status="ended", outcome="answered", ended_at=NOW)

    said = why(callback, seconds=1)

    assert said is not None
    assert (said.code, said.next_possible_at) == ("contact_busy", NOW + BUSY_CONTACT_WAIT)


def test_a_window_that_never_opens_again_waits_for_a_person() -> None:
    never = {"calling_hours": {"sat": [{"start": "09:00", "end": "12:00"}]}, "days": "weekend_off"}
    callback = a_due_callback(schedule=never)

    said = why(callback)

    assert said is not None
    assert (said.code, said.next_possible_at) == ("outside_window", None)


def test_what_has_just_come_due_or_is_on_its_way_is_held_by_nothing(carrier: InProcessCarrier) -> None:
    callback = a_due_callback()

    assert why(callback) is None
    claim(NOW)
    assert why(callback, seconds=1) is None
    later = a_due_callback()
    assert why_waiting([later], now=NOW - SECOND) == {}, "not due yet"


def test_every_reason_of_the_closed_list_is_seen_here_and_described() -> None:
    seen = {param.values[1] for param in HELD} | {Waits.AT_CAPACITY}

    assert seen == set(Waits) - {Waits.EARLY, Waits.NUMBER_CHANGED}, "these two pass before anybody can look"


def test_the_gate_knows_no_other_words_for_a_row_that_is_due() -> None:
    callback = a_due_callback()
    for held_by in (param.values[0] for param in HELD):
        held_by(callback)  # type: ignore[operator]
        ((_, answer),) = eligibility.check_unlocked([callback.call_id], now=NOW).values()
        assert isinstance(answer, Hold)
        assert answer.reason in set(Waits)


def test_a_page_of_the_queue_asks_as_many_questions_for_one_row_as_for_six() -> None:
    rows = [a_due_callback() for _ in range(6)]
    counts = []
    for some in (rows[:1], rows):
        with CaptureQueriesContext(connection) as queries:
            why_waiting(some, now=NOW)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_api_shows_the_word_and_the_time() -> None:
    callback = a_due_callback()
    paused(callback)

    shown = Api(callback.workspace).get(f"callbacks/{callback.pk}/").json()["waiting"]

    assert shown == {"code": "campaign_paused", "text": "The campaign is paused.", "next_possible_at": None}
