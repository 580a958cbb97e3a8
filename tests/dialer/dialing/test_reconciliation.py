"""Looking up quiet calls: one that cannot be settled holds up no other, and none stays live for ever."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from dialer.calls import calls
from dialer.carriers.base import Accepted, Answer, CannotSay, Found, LookUp, NotFound, Unknown
from dialer.dialing import carrier_reports, placing, reconciliation
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier, ended, report
from tests.pipeline import carrier, dial

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)


def two_live_calls() -> list[UUID]:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    for _ in range(2):
        make_campaign_contact(campaign)
    dial(NOW)
    return list(Call.objects.order_by("id").values_list("pk", flat=True))


def look(seconds: int) -> None:
    now = NOW + seconds * SECOND
    reconciliation.check_due(limit=10, now=now)
    carrier_reports.apply_stored(limit=10, now=now)


def found(call_id: UUID, **fields: Any) -> Found:
    """Find a call that ended; the carrier's report of it has the same id at every look."""
    end = ended(call_id, NOW + SECOND, fields.pop("outcome", "busy"), **fields)
    return Found(reports=[replace(end, event_id=f"end-{call_id}")], is_live=False)


def test_a_look_up_that_cannot_be_stored_does_not_keep_others_from_being_settled(carrier: InProcessCarrier) -> None:
    broken, good = two_live_calls()

    def fate(call_id: UUID) -> LookUp:
        return found(call_id, transcript="\x00") if call_id == broken else found(call_id)

    carrier.fate = fate
    look(60)

    assert Call.objects.get(pk=good).outcome == "busy"
    assert Call.objects.get(pk=broken).status == "dialing"
    look(3600 * 3)
    assert Call.objects.get(pk=broken).outcome == "unknown"


def test_a_call_whose_end_cannot_be_applied_ends_unknown(carrier: InProcessCarrier) -> None:
    broken, good = two_live_calls()
    carrier.fate = lambda call_id: found(call_id, outcome="no such outcome" if call_id == broken else "busy")

    look(60)
    look(70)

    assert Call.objects.get(pk=good).outcome == "busy"
    assert Call.objects.get(pk=broken).outcome == "unknown"


def test_an_end_that_waits_to_be_applied_is_not_overtaken(carrier: InProcessCarrier) -> None:
    one, _ = two_live_calls()
    carrier.fate = lambda call_id: found(call_id) if call_id == one else NotFound()

    # Hours after every deadline, and twice before anything is applied.
    reconciliation.check_due(limit=10, now=NOW + timedelta(hours=5))
    reconciliation.check_due(limit=10, now=NOW + timedelta(hours=5, seconds=10))
    carrier_reports.apply_stored(limit=10, now=NOW + timedelta(hours=5, seconds=20))

    assert Call.objects.get(pk=one).outcome == "busy"


def test_a_call_that_is_gone_without_a_report_of_its_end_ends_unknown(carrier: InProcessCarrier) -> None:
    two_live_calls()
    ringing = {call_id: report("ringing", call_id, NOW) for call_id in Call.objects.values_list("pk", flat=True)}
    carrier.fate = lambda call_id: Found(reports=[ringing[call_id]], is_live=False)

    look(60)
    look(130)

    assert set(Call.objects.values_list("outcome", flat=True)) == {"unknown"}


def test_a_carrier_that_is_slow_to_say_is_asked_about_several_calls_at_once(carrier: InProcessCarrier) -> None:
    two_live_calls()
    both = threading.Barrier(2, timeout=5)

    def fate(_: UUID) -> LookUp:
        both.wait()
        return NotFound()

    carrier.fate = fate
    look(60)

    assert set(Call.objects.values_list("outcome", flat=True)) == {"unknown"}


def test_a_look_that_lasts_keeps_only_one_thread(carrier: InProcessCarrier) -> None:
    two_live_calls()
    counts: list[int] = []

    def fate(_: UUID) -> LookUp:
        # A second nudge comes while this look waits for the carrier, and the calls are due again.
        counts.append(reconciliation.check_due(limit=10, now=NOW + timedelta(minutes=10)))
        connection.close()
        return NotFound()

    carrier.fate = fate
    look(60)

    assert counts == [0, 0]
    assert reconciliation.check_due(limit=10, now=NOW + timedelta(minutes=10)) == 0


def test_a_call_that_was_to_be_stopped_and_of_which_nothing_was_heard_ends_unknown(carrier: InProcessCarrier) -> None:
    one, _ = two_live_calls()
    workspace_id = Call.objects.get(pk=one).workspace_id
    calls.cancel(one, workspace_id=workspace_id, actor=SYSTEM, reason="", now=NOW + SECOND)
    carrier.fate = lambda _: NotFound()

    look(60)

    assert Call.objects.get(pk=one).outcome == "unknown"


def test_a_call_that_goes_on_is_looked_up_once_a_minute(carrier: InProcessCarrier) -> None:
    two_live_calls()
    carrier.fate = lambda _: Found(reports=[], is_live=True)

    looks = [reconciliation.check_due(limit=10, now=NOW + seconds * SECOND) for seconds in (14, 15, 74, 75, 134, 135)]

    assert looks == [0, 2, 0, 2, 0, 2]
    assert set(Call.objects.values_list("status", flat=True)) == {"dialing"}


def test_a_call_that_lasts_longer_than_any_may_ends_unknown_whatever_its_carrier_says(
    carrier: InProcessCarrier,
) -> None:
    one, _ = two_live_calls()
    line = Call.objects.get(pk=one).line
    longest = line.ring_timeout_seconds + line.max_duration_seconds + int(reconciliation.SLACK.total_seconds())
    carrier.fate = lambda _: Found(reports=[], is_live=True)

    look(longest)
    assert set(Call.objects.values_list("status", flat=True)) == {"dialing"}
    look(longest + 61)
    assert set(Call.objects.values_list("outcome", flat=True)) == {"unknown"}


def test_a_call_that_its_carrier_does_not_know_yet_is_asked_for_again(carrier: InProcessCarrier) -> None:
    two_live_calls()
    carrier.fate = lambda _: NotFound()
    window = int(reconciliation.RECONCILE_WINDOW.total_seconds())

    look(window)
    assert set(Call.objects.values_list("status", flat=True)) == {"dialing"}
    look(window + 6)
    assert set(Call.objects.values_list("outcome", flat=True)) == {"unknown"}


def test_a_call_that_its_carrier_took_outlives_an_outage_and_one_of_which_nobody_knows_does_not(
    carrier: InProcessCarrier,
) -> None:
    answers: Iterator[Answer] = iter([Accepted(carrier_call_id="c-1"), Unknown(reason="timeout")])
    carrier.answer = lambda _: next(answers)
    two_live_calls()
    carrier.fate = lambda _: CannotSay(reason="HTTP 503")

    look(60)

    assert set(Call.objects.values_list("carrier_call_id", "outcome")) == {("c-1", ""), ("", "unknown")}


def test_a_call_is_looked_up_again_five_seconds_later_and_not_before(carrier: InProcessCarrier) -> None:
    two_live_calls()
    carrier.fate = lambda _: NotFound()
    first = NOW + placing.FIRST_LOOK

    looks = [reconciliation.check_due(limit=10, now=first + seconds * SECOND) for seconds in (0, 4, 5)]

    assert looks == [2, 0, 2]
