"""The last look before a carrier is asked, a batch in which one call breaks, and what is made of the answers."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from dialer.campaigns import lifecycle
from dialer.carriers.base import Answer, Busy, PlaceRequest, Unknown
from dialer.contacts import contacts
from dialer.dialing import placing, reconciliation
from dialer.models import Call, CampaignContact, Contact
from dialer.workspaces.audit import SYSTEM
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_suppression,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
PATIENCE = 20.0


class Killed(BaseException):
    """The worker dies here."""


def a_waiting_contact(**fields: Any) -> CampaignContact:
    return make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK, **fields))


def test_a_call_that_cannot_be_judged_does_not_keep_its_batch_from_being_placed(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    broken, good = make_campaign_contact(campaign), make_campaign_contact(campaign)
    Contact.objects.filter(pk=broken.contact_id).update(zones=["Nowhere/At_All"])

    counts = placing.place(claim(NOW), now=NOW)

    assert counts == {"placed": 1, "held": 0, "dropped": 0, "not_ours": 0}
    assert carrier.numbers() == [good.contact.phone]
    assert Call.objects.get(contact=broken.contact).status == "queued"


def test_each_call_of_a_batch_that_is_placed_one_by_one_is_handed_over_at_its_own_time(
    carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted from when the batch began, a call could be looked up, and end as unknown, before its carrier is asked."""
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    broken, *good = (make_campaign_contact(campaign) for _ in range(3))
    Contact.objects.filter(pk=broken.contact_id).update(zones=["Nowhere/At_All"])
    claims = claim(NOW)
    elapsed = 0.0
    answer = carrier.answer

    def answer_slowly(request: PlaceRequest) -> Answer:
        nonlocal elapsed
        elapsed += 9
        return answer(request)

    carrier.answer = answer_slowly
    monkeypatch.setattr(time, "monotonic", lambda: elapsed)

    placing.place(claims, now=NOW)

    calls = Call.objects.filter(contact__in=[each.contact for each in good]).order_by("dialing_at")
    assert list(calls.values_list("dialing_at", flat=True)) == [NOW, NOW + 9 * SECOND]


def test_a_worker_that_stood_still_while_it_cleared_its_batch_does_not_ask_the_carrier(
    carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    claims = claim(NOW)
    clock = iter([0.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock, 60.0))

    placing.place(claims, now=NOW)

    assert carrier.placed == []
    assert Call.objects.get().status == "queued"


def test_a_message_that_comes_after_its_lease_dials_nothing(carrier: InProcessCarrier) -> None:
    a_waiting_contact()
    claims = claim(NOW)
    runs_out = NOW + settings.LEASE_SECONDS * SECOND

    assert placing.place(claims, now=runs_out)["not_ours"] == 1
    assert carrier.placed == []
    assert placing.place(claims, now=runs_out - SECOND)["placed"] == 1


def test_a_pause_that_is_under_way_is_waited_for(carrier: InProcessCarrier) -> None:
    member = a_waiting_contact()
    claims = claim(NOW)
    reached, go_on = threading.Event(), threading.Event()

    def stop(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("/* release_claims */"):
            reached.set()
            assert go_on.wait(PATIENCE)
        return execute(sql, *rest)

    def pause() -> None:
        with connection.execute_wrapper(stop):
            lifecycle.pause(member.campaign_id, workspace_id=member.workspace_id, actor=SYSTEM, now=NOW)
        connection.close()

    def place() -> None:
        placing.place(claims, now=NOW)
        connection.close()

    pausing, placing_ = threading.Thread(target=pause), threading.Thread(target=place)
    pausing.start()
    assert reached.wait(PATIENCE)
    placing_.start()
    wait_until_blocked(placing_)
    go_on.set()
    for thread in (pausing, placing_):
        thread.join(PATIENCE)

    assert carrier.placed == []
    assert Call.objects.get().status == "queued"


def wait_until_blocked(thread: threading.Thread) -> None:
    """Wait until somebody waits for a lock, or the thread, which nothing held up, is done."""
    until = time.monotonic() + PATIENCE
    while thread.is_alive():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
        if waiting:
            return
        assert time.monotonic() < until, "the thread neither waits nor ends"


def test_a_call_whose_worker_dies_while_the_carrier_is_asked_is_looked_up(carrier: InProcessCarrier) -> None:
    def die(_: PlaceRequest) -> Answer:
        raise Killed

    a_waiting_contact()
    carrier.answer = die
    with pytest.raises(Killed):
        dial(NOW)

    assert Call.objects.get().status == "dialing"
    assert reconciliation.check_due(limit=10, now=NOW + placing.FIRST_LOOK - SECOND) == 0
    assert reconciliation.check_due(limit=10, now=NOW + placing.FIRST_LOOK) == 1


def test_an_ambiguous_answer_is_looked_up_within_seconds(carrier: InProcessCarrier) -> None:
    a_waiting_contact()
    carrier.answer = lambda _: Unknown(reason="timeout")

    dial(NOW)

    assert reconciliation.check_due(limit=10, now=NOW + placing.LOOK_AFTER_DOUBT) == 1


def test_a_busy_carrier_is_asked_again_when_it_said(carrier: InProcessCarrier) -> None:
    a_waiting_contact()
    carrier.answer = lambda _: Busy(reason="carrier_busy", retry_after=7 * SECOND)

    dial(NOW)

    assert Call.objects.get().due_at == NOW + 7 * SECOND


def test_a_contact_who_is_called_back_is_being_called(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [1]}))
    dial(NOW)
    end_all(NOW, "no_answer")

    dial(NOW + HOUR)

    member.refresh_from_db()
    assert member.state == "calling"


def test_a_call_that_is_held_can_be_claimed_again(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={"calling_hours": {"start": "12:00", "end": "13:00"}}))
    claims = claim(NOW)

    assert placing.place(claims, now=NOW)["held"] == 1
    assert placing.place(claims, now=NOW)["not_ours"] == 1
    assert dial(NOW + HOUR)["placed"] == 1


def test_a_number_that_changes_between_its_lock_and_the_look_is_not_dialled_yet(carrier: InProcessCarrier) -> None:
    member = a_waiting_contact()
    claims = claim(NOW)

    def change_first(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        # The old number is read, and neither number is locked yet.
        if sql.startswith("/* lock_numbers */"):
            Contact.objects.filter(pk=member.contact_id).update(phone="+4930111222")
        return execute(sql, *rest)

    with connection.execute_wrapper(change_first):
        assert placing.place(claims, now=NOW)["held"] == 1
    assert carrier.placed == []

    assert dial(NOW + SECOND)["placed"] == 1
    assert carrier.numbers() == ["+4930111222"]


def test_a_batch_is_judged_by_the_longest_period_that_any_of_its_limits_counts(carrier: InProcessCarrier) -> None:
    workspace = make_workspace(contact_limits=[])
    for hours in (1, 24):
        limits = [{"max": 1, "period_hours": hours, "scope": "number"}]
        for period in (limits, limits):
            campaign = make_campaign(workspace, schedule=ROUND_THE_CLOCK, contact_limits=period)
            member = make_campaign_contact(campaign, make_contact(workspace))
            make_call(make_contact(workspace, phone=member.contact.phone), status="ended", dialing_at=NOW - 2 * HOUR)

    assert dial(NOW) == {"placed": 2, "held": 2, "dropped": 0, "not_ours": 0}

    assert set(Call.objects.filter(status="queued").values_list("held_reason", flat=True)) == {"contact_limit"}


def test_a_number_that_is_held_by_its_hash_is_not_dialled(carrier: InProcessCarrier) -> None:
    member = a_waiting_contact()
    forgotten = make_contact(member.workspace, phone=member.contact.phone)
    make_suppression(member.workspace, member.contact.phone)
    claims = claim(NOW)
    Contact.objects.filter(pk=member.contact_id).update(phone="+4930111222")
    contacts.delete(forgotten.pk, workspace_id=member.workspace_id, actor=SYSTEM, now=NOW)
    Contact.objects.filter(pk=member.contact_id).update(phone=forgotten.phone)

    assert placing.place(claims, now=NOW)["dropped"] == 1
    assert carrier.placed == []


def test_a_number_that_another_workspace_suppressed_is_dialled(carrier: InProcessCarrier) -> None:
    member = a_waiting_contact()
    make_suppression(make_workspace(), member.contact.phone)

    assert dial(NOW)["placed"] == 1


def test_a_contact_whose_zone_nobody_knows_is_judged_by_the_campaigns_clock(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(time_zone="America/New_York")
    make_campaign_contact(campaign, make_contact(campaign.workspace, time_zone="", phone="+999123456789"))

    assert dial(NOW)["held"] == 1

    # Who is nowhere is called from eleven to five: in Berlin, the workspace's zone, it is eleven now.
    assert Call.objects.get().due_at == NOW + 5 * HOUR


def test_two_calls_to_one_number_do_not_break_their_batch(
    carrier: InProcessCarrier, caplog: pytest.LogCaptureFixture
) -> None:
    member = a_waiting_contact()
    make_campaign_contact(member.campaign, make_contact(member.workspace, phone=member.contact.phone))

    assert dial(NOW) == {"placed": 1, "held": 1, "dropped": 0, "not_ours": 0}
    # The database refuses the second one too, and then the whole batch is done again, call by call.
    assert "calls.batch_failed" not in caplog.text
