"""Events of text messages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from dialer.models import Message
from dialer.rules import batch_items
from dialer.rules.batch_items import Party
from dialer.rules.statuses import Direction
from dialer.workspaces.instants import written
from webhooks.outbox import NewEvent, NewItem
from webhooks.rules.statuses import BatchType


def message_sent(message: Message, *, at: datetime) -> NewEvent:
    """The carrier has the message; once per message."""
    return _event(message, "message.sent", {"sent_at": written(at)}, at=at, items=BatchType.SMS_SENT)


def message_delivered(message: Message, *, at: datetime) -> NewEvent:
    """The carrier reported that the message arrived; once per message."""
    return _event(message, "message.delivered", {"delivered_at": written(at)}, at=at)


def message_failed(message: Message, *, failure: str, at: datetime) -> NewEvent:
    """The message was not sent, or did not arrive; once per message."""
    return _event(message, "message.failed", {"failed_at": written(at), "error": failure}, at=at)


def message_received(message: Message, *, at: datetime) -> NewEvent:
    return _event(message, "message.received", {"received_at": written(at)}, at=at, items=BatchType.SMS_RECEIVED)


def _event(
    message: Message, type_: str, about: Mapping[str, Any], *, at: datetime, items: BatchType | None = None
) -> NewEvent:
    contact, campaign = message.contact, message.campaign
    is_inbound = message.direction == Direction.INBOUND
    from_number, to_number = (message.number, message.caller_id) if is_inbound else (message.caller_id, message.number)
    data: dict[str, Any] = {
        "message_id": message.public_id,
        "contact_id": contact.public_id,
        "campaign_id": campaign.public_id if campaign else None,
        "from": from_number,
        "to": to_number,
        "message": message.body,
        "segments": message.segments,
        **about,
        "contact": {"id": contact.public_id, "name": contact.name, "phone": contact.phone},
    }

    def render(_: UUID) -> Mapping[str, object]:
        party = Party(
            phone=message.number,
            name=contact.name,
            external_id=contact.external_id,
            campaign_id=message.campaign_id,
        )
        return batch_items.sms(party, from_number=from_number, to_number=to_number, text=message.body, at=at)

    return NewEvent(
        workspace_id=message.workspace_id,
        type=type_,
        occurred_at=at,
        data=data,
        metadata=message.metadata or (campaign.metadata if campaign else {}),
        campaign_id=message.campaign_id,
        persona_id=campaign.persona_id if campaign else None,
        unique_key=f"{type_}:{message.id}",
        inline_webhooks=campaign.config_webhooks if campaign else None,
        batch=NewItem(type=items, render=render) if items else None,
    )
