"""Ends in the order in which they are told, decided fairly, and by times that make sense."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from callbacks import actions, scheduling
from callbacks.follow_ups import Callbacks
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from dialer.calls.listener import CallEnd
from dialer.campaigns import completion as campaign_completion
from dialer.contacts import contacts, suppressions
from dialer.dialing import carrier_reports, completion, single_calls
from dialer.models import Call, CampaignContact, Suppression
from dialer.rules.statuses import Outcome
from dialer.workspaces.audit import SYSTEM
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier, ended
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

HOUR = timedelta(hours=1)
POISON = "poison"


class PoisonedCallbacks(Callbacks):
    """Cannot decide about calls whose reason for ending is poison."""

    def calls_ended(self, ended: Any, *, now: Any) -> Any:
        if any(POISON in each.call.metadata for each in ended):
            raise RuntimeError(POISON)
        return super().calls_ended(ended, now=now)


@pytest.fixture
def poisoned() -> Iterator[None]:
    with override_settings(CALL_LISTENER=f"{__name__}.PoisonedCallbacks"):
        yield


def types() -> list[str]:
    return list(Event.objects.exclude(chain_id=None).order_by("sequence").values_list("type", flat=True))


def promised_during_a_call() -> tuple[CampaignContact, Callback]:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK, completes_at_once=True))
    dial(NOW)
    callback = scheduling.request(
        workspace_id=member.workspace_id,
        contact_id=member.contact_id,
        campaign_id=member.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + HOUR,
        actor=SYSTEM,
        now=NOW,
    ).callback
    return member, callback


def test_a_promise_cancelled_during_a_call_leaves_the_end_of_the_chain_to_the_call(carrier: InProcessCarrier) -> None:
    member, callback = promised_during_a_call()

    actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=NOW)
    assert campaign_completion.complete_finished(now=NOW) == []
    end_all(NOW, "answered")

    member.refresh_from_db()
    assert member.state == "reached"
    assert types()[-2:] == ["call.ended", "call.exhausted"]


def test_a_suppression_during_a_call_is_told_before_the_end_of_the_chain(carrier: InProcessCarrier) -> None:
    member, _ = promised_during_a_call()

    suppressions.add(member.workspace_id, [member.contact.phone], reason="manual", actor=SYSTEM, now=NOW)
    end_all(NOW, "no_answer")

    member.refresh_from_db()
    assert member.state == "suppressed"
    assert types()[-2:] == ["call.ended", "call.exhausted"]


@pytest.mark.usefixtures("poisoned")
def test_calls_that_cannot_be_decided_do_not_keep_others_waiting() -> None:
    for index in range(3):
        make_call(
            status="ended",
            outcome="answered",
            ended_reason="contact_hangup",
            follow_up_pending=True,
            metadata={POISON: True} if index < 2 else {},
        )

    assert completion.decide_undecided(limit=2, now=NOW) == 0
    assert completion.decide_undecided(limit=2, now=NOW + timedelta(seconds=1)) == 1
    # Those that could not be decided are tried again, not at every tick.
    Call.objects.update(metadata={})
    assert completion.decide_undecided(limit=2, now=NOW + timedelta(seconds=2)) == 0
    assert completion.decide_undecided(limit=2, now=NOW + timedelta(minutes=2)) == 2


def test_an_end_before_the_call_was_handed_over_is_a_carrier_whose_clock_is_behind(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    dial(NOW)

    carrier_reports.store("simulated", [ended(carrier.placed[0].call_id, NOW - 3 * HOUR, "no_answer")])
    carrier_reports.apply_stored(limit=10, now=NOW + HOUR)

    assert Call.objects.get(status="ended").ended_at == NOW
    assert Callback.objects.get().scheduled_at == NOW + HOUR


def test_an_answer_outside_campaigns_ends_the_chains_whose_retries_it_cancels(carrier: InProcessCarrier) -> None:
    contact = make_contact(make_workspace(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [600]}))
    make_persona(contact.workspace)
    make_line(contact.workspace)
    for at, outcome in ((NOW, "no_answer"), (NOW + HOUR, "answered")):
        single_calls.create(contact.workspace_id, contact_id=contact.pk, actor=SYSTEM, now=at)
        dial(at)
        end_all(at, outcome)

    first, second = (
        set(Event.objects.filter(chain_id=chain).values_list("type", flat=True))
        for chain in Call.objects.filter(attempt_number=1).order_by("id").values_list("chain_id", flat=True)
    )
    assert "call.exhausted" in first
    assert "call.exhausted" in second


def test_a_campaign_whose_import_brought_nobody_completes() -> None:
    campaign = make_campaign(contact_added_at=None, started_at=NOW)

    assert campaign_completion.complete_finished(now=NOW + timedelta(seconds=1)) == []
    assert campaign_completion.complete_finished(now=NOW + HOUR) == [campaign.pk]


def test_a_contact_who_was_reached_stays_reached_when_the_promise_that_followed_was_in_vain(
    carrier: InProcessCarrier,
) -> None:
    member, _ = promised_during_a_call()
    member.campaign.schedule = {**ROUND_THE_CLOCK, "auto_callback": False}
    member.campaign.save()
    end_all(NOW, "answered")
    dial(NOW + HOUR)

    end_all(NOW + HOUR, "no_answer")

    member.refresh_from_db()
    assert (member.state, member.result, member.end_reason) == ("reached", "answered", "auto_callback_off")
    told = json.loads(bytes(Event.objects.get(type="call.exhausted").body))
    assert (told["data"]["result"], told["data"]["reason"]) == ("reached", "auto_callback_off")


def test_where_a_carrier_does_not_say_who_hung_up_nobody_is_named(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    call_id = carrier.placed[0].call_id

    carrier_reports.store("simulated", [ended(call_id, NOW + HOUR, "answered", ended_reason=None)])
    carrier_reports.apply_stored(limit=10, now=NOW + HOUR)

    assert Call.objects.get(pk=call_id).ended_reason == "unknown"


def test_who_asks_not_to_be_called_is_suppressed_on_the_number_dialled_and_on_the_contacts_own(
    carrier: InProcessCarrier,
) -> None:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dialled = member.contact.phone
    dial(NOW)
    contacts.edit(member.contact_id, phone="+4930111222", workspace_id=member.workspace_id, actor=SYSTEM, now=NOW)

    end_all(NOW, "dnc_request")

    assert set(Suppression.objects.values_list("phone", flat=True)) == {dialled, "+4930111222"}


def an_end(call: Call, outcome: Outcome = Outcome.NO_ANSWER, *, at: datetime = NOW) -> CallEnd:
    reason = "contact_hangup" if outcome is Outcome.ANSWERED else outcome.value
    return CallEnd(call_id=call.pk, outcome=outcome, ended_reason=reason, at=at)


def test_the_first_end_of_a_call_stands(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    (call,) = end_all(NOW, "answered")

    # A look-up that began before the report came gives the call up.
    assert completion.record_ends([an_end(call, Outcome.UNKNOWN)], now=NOW + HOUR) == []

    call.refresh_from_db()
    assert call.outcome == "answered"


@pytest.mark.usefixtures("poisoned")
def test_where_the_decision_fails_the_outcome_stands_and_the_rest_is_told_later(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    dial(NOW)
    Call.objects.update(metadata={POISON: True})

    (call,) = end_all(NOW, "no_answer")

    member.refresh_from_db()
    assert (call.outcome, call.follow_up_pending, member.state) == ("no_answer", True, "calling")
    assert types() == ["call.attempted"]
    Call.objects.update(metadata={})
    assert [completion.decide_undecided(limit=10, now=NOW + HOUR) for _ in range(2)] == [1, 0]
    member.refresh_from_db()
    assert member.state == "callback_pending"
    assert types() == ["call.attempted", "callback.scheduled", "call.ended"]


@pytest.mark.parametrize(("answered_at", "outcome"), [(None, "cancelled"), (NOW, "voicemail")])
def test_a_call_that_connected_before_it_was_stopped_keeps_its_outcome(
    answered_at: datetime | None, outcome: str
) -> None:
    call = make_call(status="in_progress", answered_at=answered_at, cancel_requested_at=NOW)

    completion.record_ends([an_end(call, Outcome.VOICEMAIL)], now=NOW)

    call.refresh_from_db()
    assert call.outcome == outcome


def test_an_end_in_the_future_is_a_carrier_whose_clock_is_ahead(carrier: InProcessCarrier) -> None:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}))
    dial(NOW)

    carrier_reports.store("simulated", [ended(carrier.placed[0].call_id, NOW + 5 * HOUR, "no_answer")])
    carrier_reports.apply_stored(limit=10, now=NOW + HOUR)

    assert Call.objects.get(status="ended").ended_at == NOW + HOUR
    assert Callback.objects.get().scheduled_at == NOW + 2 * HOUR


def test_a_contact_that_is_at_its_end_stays_there_when_its_call_ends() -> None:
    member = make_campaign_contact(make_campaign(), state="cancelled", end_reason="campaign_cancelled", ended_at=NOW)
    call = make_call(campaign_contact=member, status="in_progress", answered_at=NOW)

    completion.record_ends([an_end(call, Outcome.ANSWERED)], now=NOW + HOUR)

    member.refresh_from_db()
    assert (member.state, member.end_reason, member.ended_at) == ("cancelled", "campaign_cancelled", NOW)
