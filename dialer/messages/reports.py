"""Carrier reports about text messages: the fate of sent ones, and received ones.

Each report is applied at once, in its own transaction, before the carrier gets its answer: there are few of them, a
wish not to be called must count immediately, and a failed report is refused, so that the carrier sends it again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from dialer.carriers.base import MessageReport
from dialer.contacts import suppressions
from dialer.dialing import inbound
from dialer.messages import events as message_events
from dialer.messages import messages
from dialer.models import Campaign, Contact, Line, Message
from dialer.rules import phone_number
from dialer.rules.statuses import Direction, MessageStatus
from dialer.rules.stop_words import asks_to_stop
from dialer.workspaces.audit import SYSTEM, record
from dialer.workspaces.ids import new_id
from dialer.workspaces.locks import lock_numbers
from webhooks.outbox import record_events

log = logging.getLogger(__name__)

_OPEN = (MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.UNKNOWN)


def apply(carrier: str, reports: Sequence[MessageReport], *, line_id: UUID | None = None, now: datetime) -> int:
    """Apply reports in order; returns how many changed anything. Repeated and late reports change nothing.

    ``line_id`` is the line whose account reported, ``None`` for a carrier with one account for the installation. If
    some reports fail, applies the others and then raises the first error.
    """
    changed = 0
    failed: Exception | None = None
    for report in reports:
        try:
            with transaction.atomic():
                does = _receive if report.kind == "received" else _conclude
                changed += does(carrier, line_id, report, now=now)
        except Exception as error:
            log.exception("message_report.failed carrier_message=%s", report.carrier_message_id)
            failed = failed or error
    if failed is not None:
        raise failed
    return changed


def _conclude(carrier: str, line_id: UUID | None, report: MessageReport, *, now: datetime) -> bool:
    """Store the fate of a message over a line of the reporter; a delivery proves that the message was sent."""
    message: Message | None = (
        Message.objects.select_for_update(of=("self",), no_key=True)
        .select_related("contact", "campaign")
        .filter(
            pk__in=[report.message_id],
            **({"line__carrier": carrier} if line_id is None else {"line_id": line_id}),
            direction=Direction.OUTBOUND.value,
            status__in=_OPEN,
        )
        .first()
    )
    if message is None:
        return False
    if message.sent_at is None:
        messages.was_sent(message, at=now, carrier_message_id=report.carrier_message_id)
    if report.kind == "delivered":
        Message.objects.filter(pk=message.pk).update(status=MessageStatus.DELIVERED, failure="", settled_at=now)
        record_events([message_events.message_delivered(message, at=now)], now=now)
    else:
        messages.has_failed(message, failure=report.reason or "not delivered", now=now)
    return True


def _receive(carrier: str, line_id: UUID | None, report: MessageReport, *, now: datetime) -> bool:
    """Insert a received message, record its event, and honour a stop word; once per carrier's id of the message."""
    try:
        number = phone_number.parse(report.from_number)
        line = inbound.line_of(carrier=carrier, line_id=line_id, called=report.to_number, caller=number)
    except (phone_number.NumberNotDialable, inbound.NotOurs) as refused:
        log.warning("message.not_ours carrier_message=%s reason=%s", report.carrier_message_id, refused)
        return False
    # The number's lock comes first in the lock order, and serialises two reports of one message.
    lock_numbers([(line.workspace_id, number)])
    if Message.objects.filter(
        line=line, direction=Direction.INBOUND.value, carrier_message_id=report.carrier_message_id
    ).exists():
        return False
    contact, campaign = _whose(line, number, now=now)
    at = min(report.occurred_at, now)
    message = Message.objects.create(
        id=new_id(),
        workspace_id=line.workspace_id,
        direction=Direction.INBOUND.value,
        contact=contact,
        campaign=campaign,
        line=line,
        number=number,
        caller_id=report.to_number,
        body=report.body,
        status=MessageStatus.RECEIVED.value,
        carrier_message_id=report.carrier_message_id,
        handed_at=at,
        settled_at=at,
        created_at=now,
    )
    record_events([message_events.message_received(message, at=at)], now=now)
    if asks_to_stop(report.body):
        suppressions.add_in_transaction(
            line.workspace_id, [number], reason="stop_message", source=message.public_id, now=now
        )
        record(SYSTEM, [messages.change(message, "ask_to_stop")], now=now)
    log.info("message.received id=%s", message.id)
    return True


def _whose(line: Line, number: str, *, now: datetime) -> tuple[Contact, Campaign | None]:
    """Return the sender and the campaign: those of the last message or the last call to the number."""
    message, call = _last_message_to(line.workspace_id, number), inbound.last_call_to(line.workspace_id, number)
    if message is not None and (call is None or _handed(message.handed_at) > _handed(call.dialing_at)):
        return message.contact, message.campaign
    contact = inbound.contact_of(line.workspace_id, number, call, now=now)
    return contact, call.campaign if call is not None else line.inbound_campaign


def _handed(at: datetime | None) -> datetime:
    assert at is not None  # both queries return only rows that were handed over
    return at


def _last_message_to(workspace_id: UUID, number: str) -> Message | None:
    message: Message | None = (
        Message.objects.in_workspace(workspace_id)
        .filter(
            number=number,
            direction=Direction.OUTBOUND.value,
            handed_at__isnull=False,
            contact__deleted_at__isnull=True,
        )
        .select_related("contact", "campaign")
        .order_by("-id")
        .first()
    )
    return message
