"""A call's way from a waiting contact to its end and what follows."""

from datetime import timedelta

import pytest

from callbacks.models import Callback
from dialer.calls import call_states
from dialer.carriers.base import Accepted, Busy, Found, PlaceRequest, Refused, Unknown
from dialer.dialing import carrier_reports, placing, reconciliation
from dialer.dialing import claim as dispatch
from dialer.models import Call
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_suppression,
)
from tests.in_process_carrier import InProcessCarrier, ended, report
from tests.pipeline import carrier, claim, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def events() -> list[str]:
    return list(Event.objects.order_by("sequence", "id").values_list("type", flat=True))


def test_a_waiting_contact_is_called_and_called_back_when_nobody_answers(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [1, 2]})
    member = make_campaign_contact(campaign)

    assert dial(NOW) == {"placed": 1, "held": 0, "dropped": 0, "not_ours": 0}
    (first,) = end_all(NOW, "no_answer")

    callback = Callback.objects.get()
    assert (first.outcome, first.attempt_number, first.retries_used) == ("no_answer", 1, 0)
    assert first.ended_at is not None
    assert callback.scheduled_at == first.ended_at + MINUTE
    assert (callback.number, callback.limit, callback.type) == (1, 2, "auto_retry")
    assert [step["code"] for step in callback.explanation] == ["delay", "limit"]
    assert callback.explanation[0]["level"] == "campaign"
    member.refresh_from_db()
    assert member.state == "callback_pending"
    assert events() == ["call.attempted", "callback.scheduled", "call.ended"]

    later = NOW + 3 * MINUTE
    assert dial(later)["placed"] == 1
    callback.refresh_from_db()
    assert callback.status == "dialing"
    (second,) = end_all(later, "answered")
    callback.refresh_from_db()
    member.refresh_from_db()
    assert (callback.status, member.state) == ("done", "reached")
    assert (second.attempt_number, second.retries_used) == (2, 1)
    assert carrier.numbers() == [first.number, first.number]
    assert events()[3:] == ["call.attempted", "call.ended", "call.exhausted"]


def test_a_chain_ends_exhausted_after_its_last_retry(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [1]})
    member = make_campaign_contact(campaign)

    dial(NOW)
    end_all(NOW, "busy")
    dial(NOW + 2 * MINUTE)
    end_all(NOW + 2 * MINUTE, "busy")

    member.refresh_from_db()
    assert (member.state, member.end_reason) == ("exhausted", "exhausted")
    assert len(carrier.placed) == 2
    assert events()[-2:] == ["call.ended", "call.exhausted"]


def test_an_ambiguous_answer_is_never_followed_by_a_second_request(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    carrier.answer = lambda _: Unknown(reason="timeout")

    dial(NOW)
    for seconds in (3, 10, 30, 60):
        dial(NOW + seconds * SECOND)
        reconciliation.check_due(limit=10, now=NOW + seconds * SECOND)

    call = Call.objects.get()
    assert (call.status, call.outcome) == ("ended", "unknown")
    assert len(carrier.placed) == 1
    assert Callback.objects.count() == 0


def test_a_call_that_the_carrier_has_is_adopted_after_an_ambiguous_answer(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    carrier.answer = lambda _: Unknown(reason="timeout")
    carrier.fate = lambda call_id: Found(
        reports=[report("answered", call_id, NOW), ended(call_id, NOW + SECOND, "answered")], is_live=False
    )

    dial(NOW)
    reconciliation.check_due(limit=10, now=NOW + 3 * SECOND)
    carrier_reports.apply_stored(limit=10, now=NOW + 3 * SECOND)

    assert Call.objects.get().outcome == "answered"


def test_a_call_refused_before_it_was_taken_returns_to_the_queue_and_is_no_attempt(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    carrier.answer = lambda _: Busy(reason="at_capacity", retry_after=5 * SECOND)

    dial(NOW)
    call = Call.objects.get()
    assert (call.status, call.held_reason, call.dialing_at) == ("queued", "at_capacity", None)

    carrier.answer = lambda request: Accepted(carrier_call_id=str(request.call_id))
    dial(NOW + 6 * SECOND)
    call.refresh_from_db()
    assert (call.status, call.attempt_number) == ("dialing", 1)


def test_a_refused_number_ends_the_chain(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    carrier.answer = lambda _: Refused(outcome="invalid_number", reason="no such number")

    dial(NOW)

    member.refresh_from_db()
    assert (Call.objects.get().outcome, member.state) == ("invalid_number", "invalid")


def test_reports_late_twice_and_out_of_order_change_nothing_after_the_end(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    call_id = Call.objects.get().pk
    end = ended(call_id, NOW + 9 * SECOND, "answered", duration_seconds=5, transcript="Hello")

    assert carrier_reports.store("simulated", [end, end]) == 1
    assert carrier_reports.store("simulated", [end]) == 0
    carrier_reports.apply_stored(limit=10, now=NOW + 10 * SECOND)
    carrier_reports.store("simulated", [report("ringing", call_id, NOW), report("answered", call_id, NOW + SECOND)])
    carrier_reports.store("simulated", [ended(call_id, NOW + 11 * SECOND, "busy")])
    carrier_reports.apply_stored(limit=10, now=NOW + 12 * SECOND)

    call = Call.objects.get()
    assert (call.status, call.outcome, call.transcript) == ("ended", "answered", "Hello")
    assert events().count("call.ended") == 1


def test_one_bad_report_does_not_keep_the_others_from_being_applied(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    make_campaign_contact(campaign)
    make_campaign_contact(campaign)
    dial(NOW)
    one, other = Call.objects.order_by("id").values_list("pk", flat=True)

    carrier_reports.store("simulated", [ended(one, NOW, "no such outcome"), ended(other, NOW + SECOND, "busy")])
    assert carrier_reports.apply_stored(limit=10, now=NOW + SECOND) == 2

    assert Call.objects.get(pk=other).outcome == "busy"
    assert Call.objects.get(pk=one).status == "dialing"


def test_nothing_is_dialled_for_a_paused_campaign_even_when_it_was_claimed_before(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    make_campaign_contact(campaign)
    claims = claim(NOW)
    campaign.status = "paused"
    campaign.save(update_fields=["status"])

    assert placing.place(claims, now=NOW)["held"] == 1
    assert carrier.placed == []
    assert Call.objects.get().held_reason == "campaign_paused"


def test_outside_the_window_a_claimed_call_moves_to_the_next_opening(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={"calling_hours": {"start": "12:00", "end": "13:00"}}))

    assert dial(NOW)["held"] == 1

    call = Call.objects.get()
    assert (call.held_reason, call.due_at) == ("outside_window", NOW + timedelta(hours=1))
    assert carrier.placed == []


def test_a_suppressed_number_is_dropped_at_the_last_look(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    member = make_campaign_contact(campaign)
    claims = claim(NOW)
    make_suppression(campaign.workspace, member.contact.phone)

    assert placing.place(claims, now=NOW)["dropped"] == 1
    member.refresh_from_db()
    assert (member.state, carrier.placed) == ("suppressed", [])


def test_one_number_on_two_contacts_has_one_live_call(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    contact = make_contact(campaign.workspace)
    make_campaign_contact(campaign, contact)
    make_campaign_contact(campaign, make_contact(campaign.workspace, phone=contact.phone))

    assert dial(NOW) == {"placed": 1, "held": 1, "dropped": 0, "not_ours": 0}
    assert Call.objects.get(status="queued").held_reason == "contact_busy"


def test_the_limit_of_a_number_is_counted_within_a_batch_too(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(
        schedule=ROUND_THE_CLOCK, contact_limits=[{"max": 1, "period_hours": 24, "scope": "number"}]
    )
    contact = make_contact(campaign.workspace)
    make_campaign_contact(campaign, contact)
    make_campaign_contact(campaign, make_contact(campaign.workspace, phone=contact.phone))

    dial(NOW)
    end_all(NOW, "answered")
    dial(NOW + MINUTE)

    assert len(carrier.placed) == 1
    held = Call.objects.get(status="queued")
    assert (held.held_reason, held.due_at) == ("contact_limit", NOW + timedelta(hours=24))


def test_a_pace_spreads_starts_and_a_number_of_slots_bounds_them(carrier: InProcessCarrier) -> None:
    paced = make_campaign(schedule=ROUND_THE_CLOCK, calls_per_second=2.0)
    slotted = make_campaign(schedule=ROUND_THE_CLOCK, max_concurrent_calls=3)
    for campaign in (paced, slotted):
        for _ in range(10):
            make_campaign_contact(campaign)

    starts = dispatch.claim_due(limit=100, now=NOW)
    by_campaign = dict(Call.objects.values_list("pk", "campaign_id"))

    mine = sorted(call.start_at for call in starts if by_campaign[call.call_id] == paced.pk)
    assert mine == [NOW + n * SECOND / 2 for n in range(5)]
    assert sum(by_campaign[call.call_id] == slotted.pk for call in starts) == 3
    assert dispatch.claim_due(limit=100, now=NOW) == []
    again = dispatch.claim_due(limit=100, now=NOW + SECOND)
    assert sorted(call.start_at for call in again) == [NOW + 2.5 * SECOND, NOW + 3 * SECOND]


def test_a_lost_message_costs_the_lease_and_never_a_call(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    lost = claim(NOW)
    later = NOW + 5 * MINUTE

    assert claim(later) == []
    assert call_states.release_expired(limit=10, now=later) == 1
    again = claim(later)
    assert placing.place(lost, now=later)["not_ours"] == 1
    assert placing.place(again, now=later)["placed"] == 1
    assert placing.place(again, now=later)["not_ours"] == 1
    assert len(carrier.placed) == 1


def test_the_adapter_breaking_is_taken_as_an_ambiguous_answer(carrier: InProcessCarrier) -> None:
    def broken(_: PlaceRequest) -> Accepted:
        message = "the adapter has a bug"
        raise RuntimeError(message)

    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    carrier.answer = broken

    dial(NOW)

    call = Call.objects.get()
    assert call.status == "dialing"
    assert call.check_at is not None


def test_a_contact_that_waits_beside_a_queued_call_does_not_stop_the_claim(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    odd, other = make_campaign_contact(campaign), make_campaign_contact(campaign)
    make_call(campaign_contact=odd, rank=2)

    assert dial(NOW)["placed"] == 2

    assert sorted(carrier.numbers()) == sorted([odd.contact.phone, other.contact.phone])


def test_a_message_that_comes_before_its_time_does_not_dial_early(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [1]}))
    dial(NOW)
    end_all(NOW, "busy", lasted=timedelta())
    ahead = NOW + 40 * SECOND
    claims = claim(ahead)

    assert placing.place(claims, now=ahead) == {"placed": 0, "held": 1, "dropped": 0, "not_ours": 0}
    assert dial(NOW + MINUTE)["placed"] == 1
    assert len(carrier.placed) == 2
