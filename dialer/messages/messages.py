"""Text messages: clients write them, each is sent at most once, and people answer.

A message is handed to its carrier once, like a call: one with an unknown fate is never sent again, and waits for a
report. Suppressed numbers get no messages either.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypedDict, Unpack, assert_never, cast
from uuid import UUID

from django.db import connection, transaction

from dialer import carriers
from dialer.calls.hashed_numbers import is_suppressed
from dialer.carriers.base import Busy, Refused, SendAnswer, SendRequest, Sent, Unknown
from dialer.contacts import contacts
from dialer.dialing.single_calls import NumberSuppressed
from dialer.messages import events as message_events
from dialer.models import Call, Campaign, Contact, Line, Message
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.statuses import Direction, MessageStatus
from dialer.setup.lines import default_line
from dialer.workspaces import values
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import fetch
from dialer.workspaces.values import Unfit
from webhooks.outbox import record_events

log = logging.getLogger(__name__)

LONGEST_BODY = 1_600
"""Most characters that carriers take, as about ten short messages."""
PATIENCE = timedelta(hours=24)
"""How long a message waits for a carrier that takes none; after that it would surprise its reader."""
IN_DOUBT_AFTER = timedelta(minutes=2)
"""A message that is ``sending`` for longer has lost its worker."""
_LONGEST_FAILURE = 200


class InvalidMessage(InvalidSettings):
    """The fields do not make a valid message; ``errors`` names every field at fault."""


class MessageFields(TypedDict, total=False):
    """The recipient: a contact, its ``{name, phone}``, or the contact of a call, with the call's line and campaign."""

    contact_id: UUID | None
    contact: Mapping[str, str] | None
    call_id: UUID | None
    campaign_id: UUID | None
    line_id: UUID | None
    metadata: Mapping[str, Any]


def create(workspace_id: UUID, *, body: str, actor: Actor, now: datetime, **fields: Unpack[MessageFields]) -> Message:
    """Queue a message; it is sent within moments, also outside the calling window: that is the client's decision.

    Raises :class:`InvalidMessage`, :class:`NumberSuppressed`, ``Contact.DoesNotExist``, ``Call.DoesNotExist``.
    """
    text, metadata = _read(body, fields)
    with transaction.atomic():
        contact, campaign, line = _addressed(workspace_id, fields, now=now)
        caller_id = _caller_id(campaign, line)
        lock_numbers([(workspace_id, contact.phone)])
        if is_suppressed(workspace_id, contact.phone):
            raise NumberSuppressed
        message: Message = Message.objects.create(
            workspace_id=workspace_id,
            direction=Direction.OUTBOUND.value,
            contact=contact,
            campaign=campaign,
            line=line,
            number=contact.phone,
            caller_id=caller_id,
            body=text,
            metadata=metadata,
            status=MessageStatus.QUEUED.value,
            due_at=now,
            created_at=now,
        )
        record(actor, [change(message, "send")], now=now)
    return message


def send_due(*, limit: int, now: datetime) -> int:
    """Hand due messages to their carriers, each once; returns how many were claimed.

    Gives the database connection back while it asks a carrier. If the worker dies, its messages are left to
    :func:`give_up_on_lost`.
    """
    claimed = _claim(limit=limit, now=now)
    for message in claimed:
        connection.close()
        _settle(message, _ask(message), now=now)
    return len(claimed)


def give_up_on_lost(*, now: datetime) -> int:
    """Set messages whose worker is lost to ``unknown``, because the carrier may have them; returns how many."""
    lost = Message.objects.filter(status=MessageStatus.SENDING, handed_at__lte=now - IN_DOUBT_AFTER)
    count: int = lost.update(status=MessageStatus.UNKNOWN, failure="the worker was lost while it was sent")
    return count


def was_sent(message: Message, *, at: datetime, **columns: str | int | None) -> None:
    """Record that the carrier has the message, with its event; the caller holds the row's lock and calls it once."""
    Message.objects.filter(pk=message.pk).update(sent_at=at, **columns)
    message.segments = columns.get("segments", message.segments)
    record_events([message_events.message_sent(message, at=at)], now=at)


def has_failed(message: Message, *, failure: str, now: datetime) -> None:
    """Record that the message was not taken or did not arrive, with its event; the caller holds the row's lock."""
    failure = failure[:_LONGEST_FAILURE]
    Message.objects.filter(pk=message.pk).update(status=MessageStatus.FAILED, failure=failure, settled_at=now)
    record_events([message_events.message_failed(message, failure=failure, at=now)], now=now)


class _Due(NamedTuple):
    id: UUID
    workspace_id: UUID
    number: str


class _Claimed(NamedTuple):
    id: UUID
    status: str


def _claim(*, limit: int, now: datetime) -> list[Message]:
    """Claim due messages, and fail those that must not be sent any more, under the locks of their numbers."""
    due = fetch(
        _Due,
        "messages_due",
        """
        SELECT m.id, m.workspace_id, m.number FROM dialer_message m JOIN dialer_line l ON l.id = m.line_id
        WHERE m.status = 'queued' AND m.due_at <= %(now)s AND (l.down_until IS NULL OR l.down_until <= %(now)s)
        ORDER BY m.due_at LIMIT %(limit)s
        """,
        {"now": now, "limit": limit},
    )
    if not due:
        return []
    with transaction.atomic():
        lock_numbers((row.workspace_id, row.number) for row in due)
        suppressed = [row.id for row in due if is_suppressed(row.workspace_id, row.number)]
        claimed = fetch(
            _Claimed,
            "hand_over_messages",
            """
            WITH judged AS (
                SELECT m.id, CASE
                    WHEN m.number = '' THEN 'the contact is forgotten'
                    WHEN w.closed_at IS NOT NULL THEN 'the workspace is closed'
                    WHEN m.created_at < %(oldest)s THEN 'the carrier took no messages for too long'
                    WHEN m.id = ANY(%(suppressed)s::uuid[]) THEN 'the number is suppressed'
                    ELSE '' END AS failure
                FROM dialer_message m JOIN workspaces_workspace w ON w.id = m.workspace_id
                WHERE m.id = ANY(%(ids)s) AND m.status = 'queued'
            )
            UPDATE dialer_message m SET due_at = NULL, failure = j.failure,
                status = CASE j.failure WHEN '' THEN 'sending' ELSE 'failed' END,
                handed_at = CASE j.failure WHEN '' THEN %(now)s::timestamptz END,
                settled_at = CASE j.failure WHEN '' THEN NULL ELSE %(now)s::timestamptz END
            FROM judged j WHERE m.id = j.id AND m.status = 'queued'
            RETURNING m.id, m.status
            """,
            {"ids": [row.id for row in due], "suppressed": suppressed, "now": now, "oldest": now - PATIENCE},
        )
        rows = Message.objects.filter(pk__in=[row.id for row in claimed]).select_related("line", "contact", "campaign")
        messages = list(rows.order_by("id"))
        _tell_failed(messages, now=now)
    return [message for message in messages if message.status == MessageStatus.SENDING]


def _tell_failed(messages: Sequence[Message], *, now: datetime) -> None:
    """Record the failures that the claim found; nothing is told of a contact that was forgotten."""
    failed = [message for message in messages if message.status == MessageStatus.FAILED and message.number]
    record_events([message_events.message_failed(each, failure=each.failure, at=now) for each in failed], now=now)


def _ask(message: Message) -> SendAnswer:
    messenger = carriers.messenger_of(message.line)
    if messenger is None:
        return Refused(outcome="", reason="the line's carrier sends no messages")
    try:
        return messenger.send(
            SendRequest(
                message_id=message.id,
                public_id=message.public_id,
                to=message.number,
                caller_id=message.caller_id,
                body=message.body,
            )
        )
    except Exception as error:
        # The failure may have come after the carrier took the message.
        log.exception("message.failed id=%s", message.id)
        return Unknown(reason=type(error).__name__)


def _settle(message: Message, answer: SendAnswer, *, now: datetime) -> None:
    """Store the carrier's answer, unless a report came first."""
    with transaction.atomic():
        mine = Message.objects.select_for_update(no_key=True).filter(pk=message.pk, status=MessageStatus.SENDING)
        if not mine.exists():
            return
        match answer:
            case Sent(carrier_message_id=carrier_message_id, segments=segments):
                was_sent(
                    message,
                    at=now,
                    status=MessageStatus.SENT,
                    carrier_message_id=carrier_message_id,
                    segments=segments,
                )
            case Refused(reason=reason):
                has_failed(message, failure=reason, now=now)
            case Busy(retry_after=wait, reason=reason):
                mine.update(
                    status=MessageStatus.QUEUED,
                    failure=reason[:_LONGEST_FAILURE],
                    due_at=now + wait,
                    handed_at=None,
                )
            case Unknown(reason=reason):
                mine.update(status=MessageStatus.UNKNOWN, failure=reason[:_LONGEST_FAILURE])
            case _:
                assert_never(answer)
    log.info("message.asked id=%s answer=%s", message.id, type(answer).__name__)


def _read(body: str, fields: MessageFields) -> tuple[str, dict[str, Any]]:
    errors: dict[str, list[str]] = {}
    text, metadata = "", {}
    try:
        text = values.text(body, longest=LONGEST_BODY)
        if not text:
            errors["body"] = ["must not be empty"]
    except Unfit as refused:
        errors["body"] = [str(refused)]
    try:
        metadata = dict(values.json_object(fields.get("metadata")))
    except Unfit as refused:
        errors["metadata"] = [str(refused)]
    if sum(fields.get(name) is not None for name in ("contact_id", "contact", "call_id")) != 1:
        errors["contact_id"] = ["give contact_id, contact or call_id, and only one of them"]
    if fields.get("call_id") is not None and fields.get("campaign_id") is not None:
        errors["campaign_id"] = ["is that of the call"]
    if errors:
        raise InvalidMessage(errors)
    return text, metadata


def _addressed(workspace_id: UUID, fields: MessageFields, *, now: datetime) -> tuple[Contact, Campaign | None, Line]:
    """Return the recipient, the campaign and the line of the message."""
    call_id, campaign_id = fields.get("call_id"), fields.get("campaign_id")
    if call_id is not None:
        calls = Call.objects.in_workspace(workspace_id).select_related("contact", "campaign", "line")
        call: Call = calls.filter(contact__deleted_at=None).get(pk=call_id)
        campaign: Campaign | None = call.campaign
        return call.contact, campaign, _line(workspace_id, fields.get("line_id") or call.line_id)
    campaign = None
    if campaign_id is not None:
        campaign = Campaign.objects.in_workspace(workspace_id).filter(pk=campaign_id).first()
        if campaign is None:
            raise InvalidMessage({"campaign_id": ["does not exist"]})
    contact = _contact(workspace_id, fields, now=now)
    chosen = fields.get("line_id") or (campaign.line_id if campaign else None)
    return contact, campaign, _line(workspace_id, chosen)


def _contact(workspace_id: UUID, fields: MessageFields, *, now: datetime) -> Contact:
    given = fields.get("contact")
    if given is None:
        return contacts.living(workspace_id).get(pk=cast("UUID", fields["contact_id"]))
    try:
        return contacts.find_or_create(workspace_id, name=given.get("name", ""), phone=given.get("phone", ""), now=now)
    except contacts.InvalidContact as refused:
        raise InvalidMessage({f"contact.{name}": reasons for name, reasons in refused.errors.items()}) from refused


def _line(workspace_id: UUID, chosen: UUID | None) -> Line:
    usable = Line.objects.in_workspace(workspace_id).filter(archived_at=None)
    line: Line | None = usable.filter(pk=chosen).first() if chosen else default_line(workspace_id)
    if line is None:
        raise InvalidMessage(
            {"line_id": ["is not one of yours, or archived" if chosen else "is required: there is no default line"]}
        )
    if carriers.messenger_of(line) is None:
        raise InvalidMessage({"line_id": ["its carrier sends no messages"]})
    return line


def _caller_id(campaign: Campaign | None, line: Line) -> str:
    shown = campaign.caller_id if campaign and campaign.line_id == line.pk else ""
    caller_id = shown or next(iter(line.caller_ids), "")
    if not caller_id:
        raise InvalidMessage({"line_id": ["has no number to send from"]})
    return caller_id


def change(message: Message, verb: str) -> Change:
    """Return the audit change for a message."""
    return Change.of(message, "message", verb, to_state={"contact_id": message.contact.public_id})
