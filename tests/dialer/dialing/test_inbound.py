"""Calls that come in: whose they are, what they make needless, and what they leave alone."""

import itertools
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from callbacks import corrections, scheduling, undoing
from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from callbacks.refusals import NotUndoable
from callbacks.rules.statuses import CallbackType
from dialer.calls import calls
from dialer.carriers.base import NotFound, Report
from dialer.dialing import carrier_reports, reconciliation
from dialer.models import Call, Campaign, CampaignContact, CarrierEvent, Contact, Line
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry, Workspace
from dialer.workspaces.transitions import TransitionConflict
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
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from tests.webhooks.rows import make_endpoint
from webhooks.hidden_endpoints import freeze_status_urls
from webhooks.models import BatchItem, Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OURS = "+493012345678"

_rings = itertools.count(1)


class Ring:
    """A call that a phone makes to us, as its carrier reports it."""

    def __init__(self, from_number: str, to_number: str = OURS) -> None:
        self.carrier_call_id = f"in-{next(_rings)}"
        self.numbers: dict[str, Any] = {"from_number": from_number, "to_number": to_number}

    def report(self, kind: Any, at: datetime, **fields: Any) -> Report:
        return Report(
            kind=kind,
            event_id=f"{self.carrier_call_id}-{kind}",
            call_id=None,
            carrier_call_id=self.carrier_call_id,
            occurred_at=at,
            direction="inbound",
            **self.numbers,
            **fields,
        )

    def tell(self, *reports: Report) -> Call | None:
        """Store and apply reports; return the call as it is then."""
        carrier_reports.store("simulated", reports)
        carrier_reports.apply_stored(limit=100, now=max(report.occurred_at for report in reports))
        found: Call | None = Call.objects.filter(carrier_call_id=self.carrier_call_id).first()
        return found

    def talks(self, at: datetime, seconds: int) -> Call:
        call = self.tell(
            self.report("ringing", at),
            self.report("answered", at + SECOND),
            self.report(
                "ended",
                at + (1 + seconds) * SECOND,
                outcome="answered",
                ended_reason="contact_hangup",
                duration_seconds=seconds,
            ),
        )
        assert call is not None
        return call


def a_retry(campaign: Campaign | None = None, contact: Contact | None = None) -> Callback:
    campaign = campaign or make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    make_campaign_contact(campaign, contact)
    dial(NOW)
    end_all(NOW, "no_answer")
    made: Callback = Callback.objects.latest("id")
    return made


def test_a_contact_who_rings_back_after_a_busy_has_one_result_and_was_reached(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    make_endpoint(campaign.workspace, profile="batch")
    url = {"call.exhausted": "https://9.9.9.9/done"}
    freeze_status_urls(campaign.workspace_id, campaign.pk, url, name="Done", secret=None, now=NOW)
    retry = a_retry(campaign)

    Ring(retry.contact.phone).talks(NOW + MINUTE, seconds=20)

    (item,) = BatchItem.objects.filter(type="CallComplete")
    result = json.loads(bytes(item.body))["data"]
    assert (result["status"], result["additionalInformation"]) == ("Complete", "No further action")
    assert result["campaignId"] == str(campaign.pk)
    number_done = Delivery.objects.exclude(body=None).get(event__type="call.exhausted")
    assert json.loads(number_done.sent_body)["status"] == "completed"


def a_promise(retry: Callback, kind: CallbackType = CallbackType.CUSTOMER_REQUESTED) -> Callback:
    return scheduling.request(
        workspace_id=retry.workspace_id,
        contact_id=retry.contact_id,
        campaign_id=retry.campaign_id,
        type=kind,
        scheduled_at=NOW + 2 * HOUR,
        replace=True,
        actor=SYSTEM,
        now=NOW + MINUTE,
    ).callback


def told(call: Call) -> list[str]:
    return list(Event.objects.filter(call_id=call.pk).order_by("sequence").values_list("type", flat=True))


def test_a_call_that_comes_in_is_a_row_of_its_own_chain_and_tells_its_events(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    call = Ring(retry.contact.phone).talks(NOW + 10 * MINUTE, 20)

    assert (call.direction, call.status, call.outcome) == ("inbound", "ended", "answered")
    assert (call.contact_id, call.campaign_id, call.attempt_number) == (retry.contact_id, retry.campaign_id, 0)
    assert call.campaign_contact_id is None
    assert call.chain_id == call.pk
    assert told(call) == ["call.received", "call.started", "call.ended"]
    body = bytes(Event.objects.get(type="call.received").body)
    assert b'"inbound_call"' in body


def test_an_answered_call_from_the_contact_completes_its_retry_and_ends_the_chain_as_reached(
    carrier: InProcessCarrier,
) -> None:
    retry = a_retry()

    call = Ring(retry.contact.phone).talks(NOW + 10 * MINUTE, 3)

    retry.refresh_from_db()
    assert (retry.status, retry.completed_by) == ("completed", "inbound_call")
    assert retry.explanation[-1]["code"] == "contact_called"
    assert call.public_id in retry.explanation[-1]["text"]
    member = CampaignContact.objects.get()
    assert (member.state, member.result) == ("reached", "answered")
    exhausted = Event.objects.get(type="call.exhausted")
    assert b'"reached"' in bytes(exhausted.body)
    assert Event.objects.filter(type="callback.completed").count() == 1
    assert AuditEntry.objects.get(verb="complete").to_state["completed_by"] == "inbound_call"
    assert dial(retry.scheduled_at)["placed"] == 0


def test_retries_of_all_campaigns_are_completed(carrier: InProcessCarrier) -> None:
    first = a_retry()
    campaign = make_campaign(first.contact.workspace, schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    second = a_retry(campaign, first.contact)

    Ring(first.contact.phone).talks(NOW + 10 * MINUTE, 3)

    assert set(Callback.objects.filter(pk__in=[first.pk, second.pk]).values_list("status", flat=True)) == {"completed"}


def test_who_calls_back_before_the_missed_call_was_reported_is_not_retried(carrier: InProcessCarrier) -> None:
    retry = a_retry()  # made when the report came, 20 seconds after the call

    Ring(retry.contact.phone).talks(NOW + 19 * SECOND, 3)

    retry.refresh_from_db()
    assert (retry.status, retry.completed_by) == ("completed", "inbound_call")


@pytest.mark.parametrize(("seconds", "status"), [(9, "pending"), (10, "completed")])
def test_a_requested_callback_is_completed_by_a_talk_of_ten_seconds(
    carrier: InProcessCarrier, seconds: int, status: str
) -> None:
    promise = a_promise(a_retry())

    Ring(promise.contact.phone).talks(NOW + 10 * MINUTE, seconds)

    promise.refresh_from_db()
    assert promise.status == status


def test_what_an_operator_promised_stays_whoever_calls(carrier: InProcessCarrier) -> None:
    promise = a_promise(a_retry(), CallbackType.MANUAL)

    Ring(promise.contact.phone).talks(NOW + 10 * MINUTE, 60)

    promise.refresh_from_db()
    assert promise.status == "pending"


def test_a_callback_asked_for_in_the_call_itself_stays(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    at = NOW + 10 * MINUTE
    call = ring.tell(ring.report("ringing", at), ring.report("answered", at + SECOND))
    assert call is not None
    promise = scheduling.request(
        workspace_id=call.workspace_id,
        contact_id=call.contact_id,
        campaign_id=call.campaign_id,
        origin_call_id=call.pk,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=at + HOUR,
        actor=SYSTEM,
        now=at + 20 * SECOND,
    ).callback

    ring.tell(ring.report("ended", at + MINUTE, outcome="answered", duration_seconds=59))

    promise.refresh_from_db()
    assert promise.status == "pending"
    assert dial(at + HOUR)["placed"] == 1


def test_a_call_that_we_did_not_answer_completes_nothing_and_is_followed_by_nothing(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    at = NOW + 10 * MINUTE

    call = ring.tell(ring.report("ringing", at), ring.report("ended", at + 9 * SECOND, outcome="no_answer"))

    assert call is not None
    assert told(call) == ["call.received", "call.ended"]
    assert list(Callback.objects.values_list("pk", "status")) == [(retry.pk, "pending")]


def test_what_a_call_completed_can_be_taken_back_for_a_day(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    at = NOW + 10 * MINUTE
    Ring(retry.contact.phone).talks(at, 20)

    with pytest.raises(NotUndoable):
        undoing.undo(retry.pk, workspace_id=retry.workspace_id, actor=SYSTEM, now=at + 25 * HOUR)
    undoing.undo(retry.pk, workspace_id=retry.workspace_id, actor=SYSTEM, now=at + 23 * HOUR)

    assert dial(at + 23 * HOUR)["placed"] == 1


def test_a_contact_on_the_phone_with_us_is_not_dialled(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    call = ring.tell(ring.report("ringing", retry.scheduled_at - SECOND))
    assert call is not None

    assert dial(retry.scheduled_at) == {"placed": 0, "held": 1, "dropped": 0, "not_ours": 0}
    assert why_waiting([retry], now=retry.scheduled_at)[retry.pk].code == "contact_busy"
    ring.tell(ring.report("ended", retry.scheduled_at + 5 * SECOND, outcome="no_answer"))
    assert dial(retry.scheduled_at + 10 * SECOND)["placed"] == 1


def test_an_inbound_call_counts_in_no_limit(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    Workspace.objects.update(contact_limits=[{"max": 2, "period_hours": 24, "scope": "number"}])
    ring = Ring(retry.contact.phone)
    ring.tell(ring.report("ringing", NOW + MINUTE), ring.report("ended", NOW + 2 * MINUTE, outcome="no_answer"))

    assert dial(retry.scheduled_at)["placed"] == 1


def test_a_caller_is_the_contact_last_called_on_the_number_else_the_newest_that_has_it(
    carrier: InProcessCarrier,
) -> None:
    retry = a_retry()
    newest = make_contact(retry.contact.workspace, phone=retry.contact.phone)

    assert Ring(newest.phone).talks(NOW + MINUTE, 1).contact_id == retry.contact_id
    Call.objects.update(number="+49301111111")
    assert Ring(newest.phone).talks(NOW + MINUTE, 1).contact_id == newest.pk


def test_a_caller_whom_nobody_knows_becomes_a_contact(carrier: InProcessCarrier) -> None:
    workspace = make_workspace()
    persona = make_persona(workspace)
    make_line(workspace, caller_ids=[OURS])

    call = Ring("+49 30 7654321").talks(NOW, 5)

    assert call.contact.phone == "+49307654321"
    assert (call.campaign_id, call.persona_id) == (None, persona.pk)


def test_a_call_of_nobody_known_belongs_to_the_campaign_of_its_line(carrier: InProcessCarrier) -> None:
    campaign = make_campaign()
    Line.objects.filter(pk=campaign.line_id).update(inbound_campaign=campaign)

    call = Ring("+49307654321").talks(NOW, 5)

    assert (call.campaign_id, call.persona_id) == (campaign.pk, campaign.persona_id)


def test_a_call_belongs_to_the_campaign_of_the_last_call_where_no_callback_waits(carrier: InProcessCarrier) -> None:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    end_all(NOW, "answered")

    assert Ring(member.contact.phone).talks(NOW + HOUR, 5).campaign_id == member.campaign_id


def test_a_call_rings_the_workspace_whose_line_has_the_number(carrier: InProcessCarrier) -> None:
    for shown in ("+49301", "+49302"):
        workspace = make_workspace()
        make_persona(workspace)
        make_line(workspace, caller_ids=[shown + "000000"])

    call = Ring("+49307654321", "+49302000000").talks(NOW, 5)

    assert call.line.caller_ids == ["+49302000000"]
    assert call.workspace_id == call.line.workspace_id


def test_reports_that_come_out_of_order_twice_or_one_by_one_make_one_call(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    at = NOW + MINUTE
    end = ring.report("ended", at + 30 * SECOND, outcome="answered", duration_seconds=20)

    ring.tell(end)
    ring.tell(ring.report("ringing", at), ring.report("answered", at + SECOND), end)

    call = Call.objects.get(direction="inbound")
    assert (call.status, call.outcome) == ("ended", "answered")
    assert Event.objects.filter(type="call.received").count() == 1


@pytest.mark.parametrize("number", ["", "anonymous"])
def test_a_caller_who_hides_the_number_is_kept_as_evidence_only(carrier: InProcessCarrier, number: str) -> None:
    make_campaign()
    ring = Ring(number)

    assert ring.tell(ring.report("ringing", NOW)) is None
    assert CarrierEvent.objects.get().note == "the caller's number is withheld"


def test_a_call_whose_end_is_never_reported_does_not_keep_the_contact_busy_for_ever(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    call = ring.tell(ring.report("ringing", NOW + MINUTE), ring.report("answered", NOW + MINUTE))
    assert call is not None
    carrier.fate = lambda _: NotFound()

    reconciliation.check_due(limit=10, now=NOW + HOUR)
    assert Call.objects.get(pk=call.pk).status == "in_progress"
    reconciliation.check_due(limit=10, now=NOW + 2 * HOUR)
    assert Call.objects.get(pk=call.pk).outcome == "unknown"


def test_to_mark_the_caller_of_a_call_that_never_ended_as_reached_exhausts_nothing(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    call = ring.tell(ring.report("ringing", NOW + MINUTE))
    reconciliation.check_due(limit=10, now=NOW + 10 * HOUR)
    assert call is not None

    corrections.mark_reached(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW + 10 * HOUR)

    retry.refresh_from_db()
    assert retry.status == "cancelled"
    assert list(Event.objects.filter(type="call.exhausted").values_list("chain_id")) == [(retry.call.chain_id,)]


def test_a_call_that_came_in_is_not_ours_to_cancel(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    ring = Ring(retry.contact.phone)
    call = ring.tell(ring.report("ringing", NOW + MINUTE))
    assert call is not None

    with pytest.raises(TransitionConflict) as conflict:
        calls.cancel(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, reason="", now=NOW + MINUTE)

    assert conflict.value.from_ == "inbound ringing"
    assert carrier.hung_up == []


def test_an_inbound_call_takes_no_slot(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}, max_concurrent_calls=1)
    retry = a_retry(campaign)
    ring = Ring(retry.contact.phone)
    call = ring.tell(ring.report("ringing", NOW + MINUTE), ring.report("answered", NOW + MINUTE))
    assert call is not None
    assert (call.campaign_id, call.status) == (campaign.pk, "in_progress")

    make_campaign_contact(campaign)

    assert dial(NOW + 2 * MINUTE)["placed"] == 1


def test_a_talk_lasts_from_its_answer_to_its_end_where_the_carrier_does_not_count(carrier: InProcessCarrier) -> None:
    promise = a_promise(a_retry())
    ring = Ring(promise.contact.phone)
    at = NOW + 10 * MINUTE

    ring.tell(ring.report("ringing", at), ring.report("answered", at + SECOND))
    ring.tell(ring.report("ended", at + 11 * SECOND, outcome="answered", ended_reason="contact_hangup"))

    promise.refresh_from_db()
    assert promise.status == "completed"


def test_a_forgotten_contact_is_not_the_one_who_calls(carrier: InProcessCarrier) -> None:
    forgotten = a_retry().contact
    Contact.objects.filter(pk=forgotten.pk).update(deleted_at=NOW)
    known = make_contact(forgotten.workspace, phone=forgotten.phone)

    assert Ring(forgotten.phone).talks(NOW + MINUTE, 5).contact_id == known.pk


def test_a_first_call_that_is_queued_is_no_callback_that_the_caller_may_mean(carrier: InProcessCarrier) -> None:
    called = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    end_all(NOW, "answered")
    other = make_campaign(called.workspace, line=called.campaign.line)
    make_call(campaign_contact=make_campaign_contact(other, called.contact, state="calling"), rank=3)

    assert Ring(called.contact.phone).talks(NOW + HOUR, 5).campaign_id == called.campaign_id


def test_a_call_belongs_to_the_campaign_of_the_retry_before_that_of_a_promise(carrier: InProcessCarrier) -> None:
    contact = make_contact()
    retried, promised, latest = (make_campaign(contact.workspace) for _ in range(3))
    for campaign, rank in ((promised, 1), (retried, 2)):
        make_call(campaign_contact=make_campaign_contact(campaign, contact, state="callback_pending"), rank=rank)
    make_call(campaign_contact=make_campaign_contact(latest, contact, state="reached"), status="ended")
    make_line(contact.workspace, caller_ids=["+49305000000"])

    call = Ring(contact.phone, "+49305000000").talks(NOW + HOUR, 5)

    assert (call.campaign_id, call.persona_id) == (retried.pk, retried.persona_id)


@pytest.mark.parametrize(
    ("gone", "why"),
    [("line", "the carrier has no line"), ("workspace", "no line of the carrier has the number that was called")],
)
def test_a_line_that_is_archived_and_one_of_a_closed_workspace_take_no_calls(
    carrier: InProcessCarrier, gone: str, why: str
) -> None:
    workspace = make_workspace(closed_at=NOW if gone == "workspace" else None)
    make_persona(workspace)
    make_line(workspace, caller_ids=[OURS], archived_at=NOW if gone == "line" else None)
    ring = Ring("+49307654321")

    assert ring.tell(ring.report("ringing", NOW)) is None
    assert CarrierEvent.objects.get().note == why


def test_the_only_line_of_a_closed_workspace_takes_no_calls_to_a_number_that_nobody_has(
    carrier: InProcessCarrier,
) -> None:
    make_line(make_workspace(closed_at=NOW), caller_ids=[OURS])
    ring = Ring("+49307654321", "+49303000000")

    assert ring.tell(ring.report("ringing", NOW)) is None
    assert CarrierEvent.objects.get().note == "the carrier has no line"


def test_of_lines_that_share_a_number_the_one_that_called_last_is_rung(carrier: InProcessCarrier) -> None:
    workspace = make_workspace()
    make_persona(workspace)
    lines = [make_line(workspace, caller_ids=[OURS]) for _ in range(3)]
    phone = "+49307654321"
    contact = make_contact(workspace, phone=phone)
    for line, hours in zip(lines, (3, 1, 2), strict=True):
        make_call(contact, line=line, status="ended", dialing_at=NOW - hours * HOUR)

    assert Ring(phone).talks(NOW, 5).line_id == lines[1].pk
    assert Ring("+49301111111").talks(NOW, 5).line_id == lines[0].pk


def test_a_call_to_a_number_that_no_line_has_is_kept_as_evidence_only(carrier: InProcessCarrier) -> None:
    for shown in ("+49301000000", "+49302000000"):
        make_line(caller_ids=[shown])
    ring = Ring("+49307654321", "+49303000000")

    assert ring.tell(ring.report("ringing", NOW)) is None
    assert CarrierEvent.objects.get().note == "no line has the number that was called"


def test_a_call_that_came_in_ends_although_its_line_was_archived_meanwhile(carrier: InProcessCarrier) -> None:
    line = make_line(caller_ids=[OURS])
    make_persona(line.workspace)
    ring = Ring("+49307654321")
    ring.tell(ring.report("ringing", NOW), ring.report("answered", NOW + SECOND))
    Line.objects.update(archived_at=NOW + SECOND)

    call = ring.tell(ring.report("ended", NOW + MINUTE, outcome="answered", ended_reason="contact_hangup"))

    assert call is not None
    assert (call.status, call.outcome) == ("ended", "answered")
