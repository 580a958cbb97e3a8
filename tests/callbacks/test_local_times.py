"""A promise for a time on the contact's own clock stays what was said when the contact's clock changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callbacks import deadlines, scheduling
from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from callbacks.rules.statuses import CallbackType
from dialer.contacts import contacts
from dialer.models import Call, Contact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier, in_process_carrier
from tests.pipeline import claim, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

SAID = datetime(2025, 3, 12, 15, 0)  # noqa: DTZ001 — on the contact's own clock
IN_BERLIN = datetime(2025, 3, 12, 14, 0, tzinfo=UTC)
IN_NEW_YORK = datetime(2025, 3, 12, 19, 0, tzinfo=UTC)
IN_KOLKATA = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)
"""Half an hour before NOW."""


@pytest.fixture(autouse=True)
def carrier() -> Iterator[InProcessCarrier]:
    with in_process_carrier() as carrier:
        yield carrier


def promise(said: datetime = SAID, *, schedule: dict[str, Any] | None = None, **fields: Any) -> Callback:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK if schedule is None else schedule))
    if "phone" in fields:
        contacts.edit(member.contact_id, workspace_id=member.workspace_id, actor=SYSTEM, now=NOW, **fields)
    return scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        local_time=said,
        actor=SYSTEM,
        now=NOW,
    ).callback


def edit(callback: Callback, **fields: Any) -> Callback:
    contacts.edit(callback.contact_id, workspace_id=callback.workspace_id, actor=SYSTEM, now=NOW, **fields)
    callback.refresh_from_db()
    callback.call.refresh_from_db()
    return callback


def test_a_new_zone_moves_the_promise_to_the_time_that_was_said(carrier: InProcessCarrier) -> None:
    callback = promise()
    assert callback.scheduled_at == IN_BERLIN
    messages = claim(NOW + timedelta(hours=4) - timedelta(seconds=10))

    edit(callback, time_zone="America/New_York")

    assert (callback.scheduled_at, callback.call.due_at) == (IN_NEW_YORK, IN_NEW_YORK)
    assert (callback.local_time, callback.time_zone) == ("2025-03-12T15:00", "America/New_York")
    assert callback.explanation[-1]["code"] == "clock_changed"
    assert callback.explanation[-1]["to"] == "2025-03-12T19:00:00Z"
    assert b'"time_zone_changed"' in bytes(Event.objects.get(type="callback.rescheduled").body)
    entry = AuditEntry.objects.get(verb="reschedule")
    assert (entry.from_state["time_zone"], entry.to_state["scheduled_at"]) == ("Europe/Berlin", "2025-03-12T19:00:00Z")
    assert callback.call.generation > messages[0].generation
    assert dial(IN_BERLIN)["placed"] == 0
    assert dial(IN_NEW_YORK)["placed"] == 1


def test_a_new_number_moves_it_where_the_zone_comes_from_the_number() -> None:
    callback = promise(phone="+493012345679", time_zone="")
    assert (callback.scheduled_at, callback.timezone_source) == (IN_BERLIN, "number")

    edit(callback, phone="+912224937000")

    assert (callback.time_zone, callback.scheduled_at) == ("Asia/Calcutta", IN_KOLKATA)


def test_an_import_that_changes_the_zone_moves_it() -> None:
    callback = promise()
    Contact.objects.filter(pk=callback.contact_id).update(external_id="a-1")
    row = {"external_id": "a-1", "phone": callback.contact.phone, "time_zone": "America/New_York"}

    contacts.take_in(callback.workspace_id, [row], now=NOW)  # type: ignore[list-item]

    callback.refresh_from_db()
    assert callback.scheduled_at == IN_NEW_YORK


def test_derived_into_the_past_it_is_due_now_and_shown_late(carrier: InProcessCarrier) -> None:
    callback = edit(promise(), time_zone="Asia/Kolkata")

    assert (callback.scheduled_at, callback.call.due_at) == (IN_KOLKATA, NOW)
    assert deadlines.tell_late(now=NOW) == [callback.pk]
    assert dial(NOW)["placed"] == 1


def test_due_now_outside_the_window_it_waits_for_the_opening_and_says_so() -> None:
    callback = edit(promise(schedule={"calling_hours": {"start": "09:00", "end": "15:15"}}), time_zone="Asia/Kolkata")

    dial(NOW)

    callback.refresh_from_db()
    assert callback.scheduled_at == IN_KOLKATA
    waiting = why_waiting([callback], now=NOW)[callback.pk]
    assert (waiting.code, waiting.next_possible_at) == ("outside_window", datetime(2025, 3, 13, 3, 30, tzinfo=UTC))


def test_a_time_outside_the_window_in_the_new_zone_moves_to_the_next_opening_and_says_so() -> None:
    callback = promise(datetime(2025, 3, 15, 15, 0), schedule={"days": ["mon", "sat"]})  # noqa: DTZ001

    edit(callback, time_zone="Pacific/Apia")

    assert callback.scheduled_at == datetime(2025, 3, 15, 2, 0, tzinfo=UTC)
    assert callback.adjusted_from is None
    edit(callback, time_zone="Europe/Berlin")
    assert callback.scheduled_at == datetime(2025, 3, 15, 14, 0, tzinfo=UTC)


def test_a_time_that_was_said_outside_the_window_moves_to_the_opening_on_the_new_clock() -> None:
    callback = promise(datetime(2025, 3, 12, 22, 30), schedule={})  # noqa: DTZ001 — on the contact's own clock
    assert callback.scheduled_at == datetime(2025, 3, 13, 8, 0, tzinfo=UTC)

    edit(callback, time_zone="America/New_York")

    assert callback.scheduled_at == callback.call.due_at == datetime(2025, 3, 13, 13, 0, tzinfo=UTC)
    assert (callback.adjusted_from, callback.adjusted_reason) == (
        datetime(2025, 3, 13, 2, 30, tzinfo=UTC),
        "outside_window",
    )
    assert [step["code"] for step in callback.explanation[-2:]] == ["clock_changed", "outside_window"]


@pytest.mark.parametrize(
    ("said", "zone", "at"),
    [
        # Berlin skips 02:00 to 03:00 on 30 March and repeats it on 26 October; New York repeats 01:00 on 2 November.
        ("2025-03-30T02:30", "Europe/Berlin", "2025-03-30T01:00:00+00:00"),
        ("2025-10-26T02:30", "Europe/Berlin", "2025-10-26T00:30:00+00:00"),
        ("2025-11-02T01:30", "America/New_York", "2025-11-02T05:30:00+00:00"),
    ],
)
def test_a_skipped_hour_is_the_first_instant_after_it_and_a_repeated_one_its_first_pass(
    said: str, zone: str, at: str
) -> None:
    callback = promise()
    Callback.objects.filter(pk=callback.pk).update(local_time=said, time_zone="Asia/Tokyo")

    edit(callback, time_zone="UTC")
    edit(callback, time_zone=zone)

    assert callback.scheduled_at == datetime.fromisoformat(at)


def test_a_zone_with_the_same_clock_changes_the_name_alone() -> None:
    callback = edit(promise(), time_zone="Europe/Paris")

    assert (callback.scheduled_at, callback.time_zone) == (IN_BERLIN, "Europe/Paris")


def test_an_instant_that_was_named_and_a_retry_stay_when_they_are(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    retry = Callback.objects.get()

    edit(retry, time_zone="America/New_York")

    assert (retry.scheduled_at, retry.time_zone) == (NOW + timedelta(hours=1), "America/New_York")
    assert Event.objects.filter(type="callback.rescheduled").count() == 0


def test_a_retry_whose_contact_moved_is_judged_by_the_new_clock_when_it_is_dialled(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={"callback_retry_schedule": [60]}))
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    retry = Callback.objects.get()

    edit(retry, time_zone="America/New_York")
    assert dial(retry.scheduled_at) == {"placed": 0, "held": 1, "dropped": 0, "not_ours": 0}

    call = Call.objects.get(pk=retry.call_id)
    assert (call.held_reason, call.due_at) == ("outside_window", datetime(2025, 3, 12, 13, 0, tzinfo=UTC))


def test_a_promise_that_is_being_dialled_stays_as_it_is(carrier: InProcessCarrier) -> None:
    callback = promise()
    dial(IN_BERLIN)

    edit(callback, time_zone="America/New_York")

    assert (callback.status, callback.scheduled_at) == ("dialing", IN_BERLIN)
