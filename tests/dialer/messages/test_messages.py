"""Text messages: sent at most once, refused to whoever wants none, matched when they come."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, connection
from django.test import override_settings

from dialer.carriers.base import Busy, MessageReport, Refused, SendAnswer, SendRequest, Sent, Unknown
from dialer.contacts import contacts, suppressions
from dialer.dialing.single_calls import NumberSuppressed
from dialer.messages import messages
from dialer.messages import reports as message_reports
from dialer.models import Contact, Line, Message, Suppression
from dialer.rules.stop_words import asks_to_stop
from dialer.workspaces.audit import SYSTEM, Actor
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import AuditEntry, Workspace
from tests.factories import NOW, make_call, make_campaign, make_contact, make_line, make_persona, make_workspace
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

LATER = NOW + timedelta(seconds=5)
OURS = "+493012345678"


@pytest.fixture
def workspace() -> Workspace:
    made = make_workspace()
    make_line(made, is_default=True, caller_ids=[OURS])
    make_persona(made)
    return made


def write(workspace: Workspace, to: Contact | None = None, **fields: Any) -> Message:
    if not fields.keys() & {"call_id", "contact"}:
        fields["contact_id"] = (to or make_contact(workspace)).pk
    return messages.create(workspace.pk, **{"body": "We will call at five.", "actor": SYSTEM, "now": NOW, **fields})


def workspace_line(workspace: Workspace) -> Line:
    found: Line = Line.objects.get(workspace=workspace, is_default=True)
    return found


def send(now: datetime = NOW) -> int:
    return messages.send_due(limit=10, now=now)


def answering(carrier: InProcessCarrier, *answers: SendAnswer) -> None:
    waiting = list(answers)
    carrier.send_answer = lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def report(kind: Any, message: Message | None = None, **fields: Any) -> MessageReport:
    fields.setdefault("carrier_message_id", f"c-{new_id()}")
    return MessageReport(kind=kind, message_id=message.pk if message else None, **{"occurred_at": LATER, **fields})


def comes(body: str, *, from_number: str, to_number: str = OURS, **fields: Any) -> int:
    given = report("received", body=body, from_number=from_number, to_number=to_number, **fields)
    return message_reports.apply("simulated", [given], now=LATER)


def told(type_: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(event.body)) for event in Event.objects.filter(type=type_).order_by("id")]


def fresh(message: Message) -> Message:
    found: Message = Message.objects.get(pk=message.pk)
    return found


def test_a_message_goes_out_once_and_is_told_once_when_the_carrier_has_it(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    campaign = make_campaign(workspace, line=workspace_line(workspace), metadata={"wave": 3})
    contact = make_contact(workspace, name="Jane Doe", phone="+493055500001")
    message = write(workspace, contact, campaign_id=campaign.pk)
    answering(carrier, Sent(carrier_message_id="sms-1", segments=1))

    assert send() == 1
    assert send(LATER) == 0

    (asked,) = carrier.texts
    assert (asked.to, asked.caller_id, asked.body) == ("+493055500001", OURS, "We will call at five.")
    assert (fresh(message).status, fresh(message).carrier_message_id) == ("sent", "sms-1")
    (event,) = told("message.sent")
    assert event["data"] == {
        "message_id": message.public_id,
        "contact_id": contact.public_id,
        "campaign_id": campaign.public_id,
        "from": OURS,
        "to": "+493055500001",
        "message": "We will call at five.",
        "segments": 1,
        "sent_at": "2025-03-12T10:00:00Z",
        "contact": {"id": contact.public_id, "name": "Jane Doe", "phone": "+493055500001"},
    }
    assert event["metadata"] == {"wave": 3}


@pytest.mark.parametrize(
    ("answer", "status", "failure"),
    [
        (Refused(outcome="invalid_number", reason="there is no such number"), "failed", "there is no such number"),
        (Unknown(reason="no response in time"), "unknown", "no response in time"),
    ],
)
def test_a_message_that_was_refused_or_may_have_arrived_is_never_sent_again(
    workspace: Workspace, carrier: InProcessCarrier, answer: SendAnswer, status: str, failure: str
) -> None:
    message = write(workspace)
    answering(carrier, answer)

    send()
    send(NOW + timedelta(days=1))

    assert len(carrier.texts) == 1
    assert (fresh(message).status, fresh(message).failure) == (status, failure)
    assert told("message.sent") == []


def test_a_message_whose_fate_was_in_doubt_is_told_as_sent_when_its_arrival_is_reported(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    message = write(workspace)
    answering(carrier, Unknown(reason="no response in time"))
    send()

    for _ in range(2):
        message_reports.apply("simulated", [report("delivered", message)], now=LATER)

    assert fresh(message).status == "delivered"
    assert len(told("message.sent")) == 1


def test_a_carrier_that_takes_none_now_is_asked_again_when_it_said_but_not_after_a_day(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    message = write(workspace)
    answering(carrier, Busy(reason="capacity", retry_after=timedelta(seconds=30)))

    send()
    assert send(NOW + timedelta(seconds=29)) == 0
    assert send(NOW + timedelta(seconds=30)) == 1
    assert fresh(message).status == "queued"
    send(NOW + timedelta(days=1, seconds=1))

    assert len(carrier.texts) == 2
    assert (fresh(message).status, fresh(message).failure) == ("failed", "the carrier took no messages for too long")


def test_a_report_that_is_faster_than_the_answer_stands(workspace: Workspace, carrier: InProcessCarrier) -> None:
    message = write(workspace)

    def deliver_first(_: SendRequest) -> SendAnswer:
        message_reports.apply("simulated", [report("delivered", message)], now=LATER)
        return Unknown(reason="no response in time")

    carrier.send_answer = deliver_first
    send()

    assert fresh(message).status == "delivered"
    assert len(told("message.sent")) == 1


def test_a_message_that_the_carrier_could_not_deliver_says_why(workspace: Workspace, carrier: InProcessCarrier) -> None:
    message = write(workspace)
    send()

    message_reports.apply("simulated", [report("failed", message, reason="handset off")], now=LATER)
    message_reports.apply("simulated", [report("delivered", message)], now=LATER)

    assert (fresh(message).status, fresh(message).failure) == ("failed", "handset off")


def test_a_message_in_the_hands_of_a_lost_worker_becomes_unknown_and_a_younger_one_does_not(
    workspace: Workspace,
) -> None:
    message = write(workspace)
    Message.objects.filter(pk=message.pk).update(status="sending", due_at=None, handed_at=NOW)

    assert messages.give_up_on_lost(now=NOW + timedelta(seconds=119)) == 0
    assert messages.give_up_on_lost(now=NOW + timedelta(seconds=120)) == 1

    assert fresh(message).status == "unknown"
    assert send(NOW + timedelta(minutes=5)) == 0


def test_two_workers_that_look_at_once_send_a_message_once(workspace: Workspace, carrier: InProcessCarrier) -> None:
    for _ in range(5):
        write(workspace)
    together = threading.Barrier(2)

    def work() -> None:
        together.wait(10)
        send()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert len(carrier.texts) == len({text.message_id for text in carrier.texts}) == 5


def test_nobody_who_is_not_to_be_called_is_written_to(workspace: Workspace, carrier: InProcessCarrier) -> None:
    early, late = make_contact(workspace), make_contact(workspace)
    suppress(workspace, early.phone)

    with pytest.raises(NumberSuppressed):
        write(workspace, early)
    message = write(workspace, late)
    suppress(workspace, late.phone)
    send()

    assert carrier.texts == []
    assert (fresh(message).status, fresh(message).failure) == ("failed", "the number is suppressed")


def suppress(workspace: Workspace, phone: str) -> None:
    suppressions.add(workspace.pk, [phone], reason="manual", actor=SYSTEM, now=NOW)


def test_a_message_about_a_call_goes_to_its_contact_over_its_line_for_its_campaign(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    line = make_line(workspace, caller_ids=["+493099999999"])
    campaign = make_campaign(workspace, line=line)
    call = make_call(make_contact(workspace), campaign=campaign, status="in_progress")

    message = write(workspace, call_id=call.pk)

    assert (message.contact_id, message.campaign_id, message.line_id) == (call.contact_id, campaign.pk, line.pk)
    assert message.caller_id == "+493099999999"


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"body": ""}, {"body"}),
        ({"body": "x" * 1_601}, {"body"}),
        ({"body": "a\x00b"}, {"body"}),
        ({"metadata": {"a": float("nan")}}, {"metadata"}),
        ({"contact": {"phone": "+4930123456"}, "contact_id": new_id()}, {"contact_id"}),
        ({"contact": {"phone": "0"}}, {"contact.phone"}),
        ({"campaign_id": new_id()}, {"campaign_id"}),
        ({"line_id": new_id()}, {"line_id"}),
        ({"call_id": new_id(), "campaign_id": new_id()}, {"campaign_id"}),
    ],
)
def test_what_is_no_message_is_refused_by_the_name_of_its_field_and_nothing_is_kept(
    workspace: Workspace, carrier: InProcessCarrier, fields: dict[str, Any], at_fault: set[str]
) -> None:
    with pytest.raises(messages.InvalidMessage) as refused:
        write(workspace, **fields)

    assert set(refused.value.errors) == at_fault
    assert not Message.objects.exists()


def test_a_line_without_a_number_or_whose_carrier_takes_calls_only_sends_nothing(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    nameless = make_line(workspace, caller_ids=[])

    with pytest.raises(messages.InvalidMessage) as refused:
        write(workspace, line_id=nameless.pk)
    assert refused.value.errors == {"line_id": ["has no number to send from"]}
    voice_only = {"simulated": "tests.in_process_carrier.VoiceOnly"}
    with override_settings(CARRIERS=voice_only), pytest.raises(messages.InvalidMessage) as refused:
        write(workspace)
    assert refused.value.errors == {"line_id": ["its carrier sends no messages"]}


def test_a_message_that_comes_is_its_senders_and_told_once_however_often_it_is_reported(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    contact = make_contact(workspace, name="Jane Doe", phone="+493055500001")

    for _ in range(2):
        comes("Yes please", from_number="+493055500001", carrier_message_id="sms-7")

    (message,) = Message.objects.all()
    assert (message.direction, message.status, message.contact_id) == ("inbound", "received", contact.pk)
    (event,) = told("message.received")
    assert event["data"] == {
        "message_id": message.public_id,
        "contact_id": contact.public_id,
        "campaign_id": None,
        "from": "+493055500001",
        "to": OURS,
        "message": "Yes please",
        "segments": None,
        "received_at": "2025-03-12T10:00:05Z",
        "contact": {"id": contact.public_id, "name": "Jane Doe", "phone": "+493055500001"},
    }


def test_an_answer_belongs_to_the_campaign_of_what_it_answers(workspace: Workspace, carrier: InProcessCarrier) -> None:
    older, newer = (make_campaign(workspace, line=workspace_line(workspace)) for _ in range(2))
    contact = make_contact(workspace)
    make_contact(workspace, phone=contact.phone)
    make_call(contact, campaign=older, status="ended", dialing_at=NOW - timedelta(hours=1))
    write(workspace, contact, campaign_id=newer.pk)
    send()

    comes("ok", from_number=contact.phone)
    make_call(contact, campaign=make_campaign(workspace), status="ended", dialing_at=NOW + timedelta(hours=1))
    comes("ok", from_number=contact.phone)

    first, second = Message.objects.filter(direction="inbound").order_by("id")
    assert (first.contact_id, first.campaign_id) == (contact.pk, newer.pk)
    assert (second.contact_id, second.campaign_id != newer.pk) == (contact.pk, True)


def test_whoever_writes_and_is_not_known_becomes_a_contact(workspace: Workspace, carrier: InProcessCarrier) -> None:
    comes("Who is this?", from_number="+493055500009")

    assert Contact.objects.get().phone == "+493055500009"


def test_a_message_that_is_nobodys_is_left_out(workspace: Workspace, carrier: InProcessCarrier) -> None:
    make_line(workspace, caller_ids=["+493011111111"])

    assert comes("?", from_number="", to_number=OURS) == 0
    assert comes("?", from_number="+493055500009", to_number="+10000000") == 0
    assert not Message.objects.exists()


def test_one_report_that_cannot_be_applied_stops_no_other_and_is_asked_for_again(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    bad = report("received", body="a\x00b", from_number="+493055500001", to_number=OURS)
    good = report("received", body="ok", from_number="+493055500002", to_number=OURS)

    with pytest.raises(DataError):
        message_reports.apply("simulated", [bad, good], now=LATER)

    assert [message.body for message in Message.objects.all()] == ["ok"]


def test_whoever_writes_stop_is_neither_called_nor_written_to_any_more(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    contact = make_contact(workspace)
    call = make_call(contact)

    comes(" Stop! ", from_number=contact.phone)

    call.refresh_from_db()
    entry = Suppression.objects.get()
    assert (entry.phone, entry.reason, entry.source) == (contact.phone, "stop_message", Message.objects.get().public_id)
    assert (call.status, call.held_reason) == ("ended", "suppressed")
    assert AuditEntry.objects.get(verb="ask_to_stop").object_id == entry.source
    assert [event["data"]["reason"] for event in told("contact.suppressed")] == ["stop_message"]
    with pytest.raises(NumberSuppressed):
        write(workspace, contact)


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        ("STOP", True),
        ("stop.", True),
        ("Opt-out", True),
        ("Arrêt", True),
        ("Please stop by on Monday", False),
        ("stopping", False),
        ("No", False),
        ("", False),
    ],
)
def test_only_a_message_that_says_nothing_but_stop_asks_to_stop(body: str, *, asks: bool) -> None:
    assert asks_to_stop(body) is asks


def test_a_forgotten_contacts_messages_lose_number_and_text_and_what_waits_is_not_sent(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    contact = make_contact(workspace)
    message = write(workspace, contact, metadata={"a": 1})

    contacts.delete(contact.pk, workspace_id=workspace.pk, actor=SYSTEM, now=LATER)
    send(LATER)

    assert carrier.texts == []
    assert (fresh(message).number, fresh(message).body, fresh(message).metadata) == ("", "", {})
    assert (fresh(message).status, fresh(message).failure) == ("failed", "the contact is forgotten")


def test_a_line_that_is_down_keeps_its_messages_until_it_is_up(workspace: Workspace, carrier: InProcessCarrier) -> None:
    write(workspace)
    line = workspace_line(workspace)
    line.down_until = NOW + timedelta(minutes=1)
    line.save()

    assert send() == 0
    assert send(NOW + timedelta(minutes=1)) == 1


def test_nothing_is_sent_for_a_workspace_that_is_closed(workspace: Workspace, carrier: InProcessCarrier) -> None:
    message = write(workspace)
    Workspace.objects.filter(pk=workspace.pk).update(closed_at=NOW)

    send()

    assert carrier.texts == []
    assert (fresh(message).status, fresh(message).failure) == ("failed", "the workspace is closed")


@pytest.mark.parametrize(("over_its_line", "shown"), [(True, "+493011111111"), (False, OURS)])
def test_a_campaigns_caller_id_is_shown_over_its_own_line_only(
    workspace: Workspace, *, over_its_line: bool, shown: str
) -> None:
    line = workspace_line(workspace) if over_its_line else make_line(workspace)
    campaign = make_campaign(workspace, line=line, caller_id="+493011111111")

    message = write(workspace, campaign_id=campaign.pk, line_id=workspace_line(workspace).pk)

    assert message.caller_id == shown


def test_the_audit_says_who_sent_a_message(workspace: Workspace) -> None:
    message = write(workspace, actor=Actor(kind="user", id="1", label="Ann"))

    entry = AuditEntry.objects.get(object_id=message.public_id)
    assert (entry.verb, entry.actor_label) == ("send", "Ann")


def test_a_message_that_another_worker_took_meanwhile_is_not_sent_again(
    workspace: Workspace, carrier: InProcessCarrier
) -> None:
    write(workspace)

    def work() -> None:
        assert send() == 1
        connection.close()

    def let_another_first(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        # The message was seen to be due, and its number is not locked yet.
        if sql.startswith("/* lock_numbers */"):
            another = threading.Thread(target=work)
            another.start()
            another.join(20)
        return execute(sql, *rest)

    with connection.execute_wrapper(let_another_first):
        assert send() == 0

    assert len(carrier.texts) == 1


def test_a_message_that_arrived_is_told_once_as_delivered(workspace: Workspace, carrier: InProcessCarrier) -> None:
    message = write(workspace)
    answering(carrier, Sent(carrier_message_id="sms-1", segments=2))
    send()

    for _ in range(2):
        message_reports.apply("simulated", [report("delivered", message)], now=LATER)

    (event,) = told("message.delivered")
    (sent,) = told("message.sent")
    of_sent = {name: value for name, value in sent["data"].items() if name != "sent_at"}
    assert event["data"] == {**of_sent, "delivered_at": "2025-03-12T10:00:05Z"}
    assert told("message.failed") == []


@pytest.mark.parametrize("how", ["refused", "reported", "suppressed", "late"])
def test_a_message_that_failed_is_told_once_with_the_reason(
    workspace: Workspace, carrier: InProcessCarrier, how: str
) -> None:
    message = write(workspace)
    if how == "refused":
        answering(carrier, Refused(outcome="invalid_number", reason="there is no such number"))
    if how == "suppressed":
        suppress(workspace, message.number)
    now = NOW + timedelta(days=2) if how == "late" else NOW

    send(now)
    send(now)
    for _ in range(2):
        message_reports.apply("simulated", [report("failed", message, reason="handset off")], now=LATER)

    (event,) = told("message.failed")
    assert event["data"]["message_id"] == message.public_id
    assert event["data"]["error"] == fresh(message).failure
    assert len(told("message.sent")) == (how == "reported")
    assert told("message.delivered") == []


def test_nothing_is_told_of_a_message_to_a_contact_that_was_forgotten(workspace: Workspace) -> None:
    message = write(workspace)
    Message.objects.filter(pk=message.pk).update(number="")

    send()

    assert fresh(message).status == "failed"
    assert told("message.failed") == []
