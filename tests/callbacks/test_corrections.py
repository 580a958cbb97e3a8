"""What a person knows better: it was no machine; the contact was reached; the contact is to be called again."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from callbacks import actions, corrections, scheduling
from callbacks.models import Callback
from callbacks.refusals import AlreadyPending
from callbacks.rules.statuses import CallbackType
from dialer.dialing import carrier_reports, conversation, reconciliation
from dialer.models import Call, Campaign, CampaignContact
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import report
from tests.pipeline import carrier, dial, end_all
from webhooks.models import Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("carrier")]
__all__ = ["carrier"]

MINUTE = timedelta(minutes=1)
SARA = Actor(kind="user", id="7", label="Sara")


def a_call(outcome: str, *delays: int) -> Call:
    """Make a first call that ended so; a machine or nobody is called again after the delays."""
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": list(delays or (60,))})
    make_campaign_contact(campaign)
    dial(NOW)
    if outcome == "unknown":
        reconciliation.check_due(limit=10, now=NOW + MINUTE)
    else:
        end_all(NOW, outcome, lasted=timedelta())
    call: Call = Call.objects.get(outcome=outcome)
    return call


def correct(call: Call, *, after: timedelta = 2 * MINUTE) -> Call:
    return corrections.was_a_person(
        call.pk, workspace_id=call.workspace_id, actor=SARA, now=NOW + after, reason="I talked"
    )


def mark_reached(call: Call) -> Call:
    return corrections.mark_reached(call.pk, workspace_id=call.workspace_id, actor=SARA, now=NOW + 2 * MINUTE)


def promise(call: Call, at: datetime) -> Callback:
    return scheduling.request(
        workspace_id=call.workspace_id,
        contact_id=call.contact_id,
        campaign_id=call.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=at,
        actor=SARA,
        now=NOW + MINUTE,
    ).callback


def member() -> CampaignContact:
    return CampaignContact.objects.get()


def told(type_: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(event.body))["data"] for event in Event.objects.filter(type=type_).order_by("sequence")]


class TestWasAPerson:
    def test_the_call_is_answered_its_retry_is_cancelled_and_the_chain_ends_reached(self) -> None:
        call = a_call("voicemail")
        retry = Callback.objects.get(status="pending")

        corrected = correct(call)

        retry.refresh_from_db()
        assert (corrected.outcome, corrected.ended_reason, retry.status) == ("answered", "unknown", "cancelled")
        assert (member().state, member().result, member().end_reason) == ("reached", "answered", "answered")
        assert dial(retry.scheduled_at)["placed"] == 0
        entry = AuditEntry.objects.get(verb="was_a_person")
        assert (entry.from_state, entry.to_state, entry.reason) == (
            {"outcome": "voicemail"},
            {"outcome": "answered"},
            "I talked",
        )

    def test_the_end_is_not_told_twice_and_what_follows_from_the_correction_is(self) -> None:
        call = a_call("voicemail")

        correct(call)

        assert len(told("call.ended")) == 1
        assert [data["reason"] for data in told("callback.cancelled")] == ["answered"]
        assert [(data["result"], data["attempts"]) for data in told("call.exhausted")] == [("reached", 1)]

    def test_what_the_talk_meant_is_told_with_the_corrected_status(self) -> None:
        call = correct(a_call("voicemail"))

        conversation.add_analysis(
            call.pk, {"summary": "Yes."}, workspace_id=call.workspace_id, actor=SARA, now=NOW + MINUTE
        )

        assert told("call.analyzed")[0]["call"]["status"] == "completed"

    def test_a_promise_stays_and_the_contact_waits_for_it(self) -> None:
        call = a_call("voicemail")
        promised = promise(call, NOW + timedelta(hours=3))

        correct(call)

        promised.refresh_from_db()
        assert promised.status == "pending"
        assert (member().state, member().result) == ("callback_pending", "answered")
        assert told("call.exhausted") == []

    def test_a_chain_that_was_exhausted_counts_as_reached(self) -> None:
        call = a_call("voicemail", 60)
        retry = Callback.objects.get(status="pending")
        actions.skip(retry.pk, workspace_id=call.workspace_id, actor=SARA, now=NOW + MINUTE)
        assert member().state == "exhausted"

        correct(call)

        assert member().state == "reached"
        assert len(told("call.exhausted")) == 1

    def test_while_a_later_call_of_the_chain_is_live_its_end_says_what_follows(self) -> None:
        call = a_call("voicemail", 60, 60)
        retry = Callback.objects.get(status="pending")
        dial(retry.scheduled_at)

        correct(call, after=timedelta(hours=1, seconds=5))
        end_all(retry.scheduled_at, "invalid_number")

        assert member().result == "answered"
        assert told("call.exhausted")[0]["result"] == "reached"

    def test_said_while_the_call_is_live_it_ends_answered_whatever_the_machine_thinks(self) -> None:
        make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
        dial(NOW)
        call = Call.objects.get()
        carrier_reports.store("simulated", [report("machine", call.pk, NOW)])
        carrier_reports.apply_stored(limit=10, now=NOW)

        for _ in range(2):
            assert correct(call).outcome == ""
        end_all(NOW, "voicemail")

        call.refresh_from_db()
        assert (call.outcome, member().state) == ("answered", "reached")
        assert told("call.ended")[0]["status"] == "completed"
        assert not Callback.objects.exists()

    @pytest.mark.parametrize("outcome", ["answered", "no_answer", "busy"])
    def test_only_what_was_taken_for_a_machine_can_be_corrected(self, outcome: str) -> None:
        call = a_call(outcome)

        with pytest.raises(TransitionConflict) as refused:
            correct(call)

        assert refused.value.from_ == outcome

    def test_a_second_correction_is_a_conflict(self) -> None:
        call = correct(a_call("voicemail"))

        with pytest.raises(TransitionConflict):
            correct(call)
        assert AuditEntry.objects.filter(verb="was_a_person").count() == 1


class TestMarkReached:
    def test_the_contact_is_reached_and_the_call_needs_nobody_any_more(self) -> None:
        call = a_call("unknown")
        assert (member().state, member().end_reason) == ("exhausted", "unknown")

        settled = mark_reached(call)

        assert (settled.outcome, settled.handled_at) == ("unknown", NOW + 2 * MINUTE)
        assert (member().state, member().result) == ("reached", "answered")
        assert [data["reason"] for data in told("call.exhausted")] == ["unknown"]
        assert AuditEntry.objects.get(verb="mark_reached").object_id == call.public_id

    def test_a_promise_stays(self) -> None:
        call = a_call("unknown")
        promised = promise(call, NOW + timedelta(hours=3))

        mark_reached(call)

        promised.refresh_from_db()
        assert (promised.status, member().state) == ("pending", "callback_pending")

    def test_a_call_that_needs_nobody_is_a_conflict(self) -> None:
        call = a_call("unknown")
        mark_reached(call)

        with pytest.raises(TransitionConflict):
            mark_reached(call)
        with pytest.raises(TransitionConflict):
            mark_reached(a_call("busy"))


class TestCallBack:
    def call_back(self, call: Call, **when: Any) -> scheduling.Scheduled:
        return corrections.call_back(
            call.pk, workspace_id=call.workspace_id, actor=SARA, now=NOW + 2 * MINUTE, notes="Say sorry", **when
        )

    def test_the_contact_is_promised_a_call_at_once_in_the_same_chain(self) -> None:
        call = a_call("unknown")

        made = self.call_back(call).callback

        assert (made.type, made.scheduled_at, made.notes) == ("manual", NOW + 2 * MINUTE, "Say sorry")
        assert (made.origin_call_id, made.original_outcome) == (call.pk, "unknown")
        promised = Call.objects.get(pk=made.call_id)
        assert (promised.chain_id, promised.attempt_number) == (call.chain_id, 2)
        call.refresh_from_db()
        assert call.handled_at is not None
        assert member().state == "callback_pending"
        assert dial(NOW + 2 * MINUTE)["placed"] == 1

    def test_a_time_may_be_named(self) -> None:
        at = NOW + timedelta(hours=6)

        assert self.call_back(a_call("unknown"), scheduled_at=at).callback.scheduled_at == at

    def test_where_something_is_promised_already_the_call_stays_on_the_list(self) -> None:
        call = a_call("unknown")
        promised = promise(call, NOW + timedelta(hours=3))

        with pytest.raises(AlreadyPending) as refused:
            self.call_back(call)

        call.refresh_from_db()
        assert (refused.value.callback_id, call.handled_at) == (promised.pk, None)

    def test_after_the_end_of_the_campaign_it_is_a_call_outside_campaigns_with_a_chain_of_its_own(self) -> None:
        call = a_call("unknown")
        Campaign.objects.update(status="completed")

        made = self.call_back(call).callback

        promised = Call.objects.get(pk=made.call_id)
        assert (made.campaign_id, promised.campaign_contact_id) == (None, None)
        assert (promised.chain_id, promised.attempt_number) == (promised.pk, 1)
        assert promised.persona_id == call.persona_id
        assert dial(NOW + 2 * MINUTE)["placed"] == 1

    def test_a_call_that_needs_nobody_is_a_conflict_and_promises_nothing(self) -> None:
        call = a_call("invalid_number")

        with pytest.raises(TransitionConflict):
            self.call_back(call)
        assert not Callback.objects.exists()
