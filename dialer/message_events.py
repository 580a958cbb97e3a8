"""What other systems are told about text messages."""

from datetime import datetime
from typing import Any

from dialer.models import Message
from dialer.workspaces.ids import public_id
from dialer.workspaces.instants import written
from webhooks.outbox import NewEvent


def message_sent(message: Message, *, at: datetime) -> NewEvent:
    """The carrier has the message; once per message."""
    return _event(message, "message.sent", from_=message.caller_id, to=message.number, moment="sent_at", at=at)


def message_received(message: Message, *, at: datetime) -> NewEvent:
    return _event(message, "message.received", from_=message.number, to=message.caller_id, moment="received_at", at=at)


def _event(message: Message, type_: str, *, from_: str, to: str, moment: str, at: datetime) -> NewEvent:
    contact, campaign = message.contact, message.campaign
    data: dict[str, Any] = {
        "message_id": message.public_id,
        "contact_id": contact.public_id,
        "campaign_id": public_id("camp", campaign.id) if campaign else None,
        "from": from_,
        "to": to,
        "message": message.body,
        "segments": message.segments,
        moment: written(at),
        "contact": {"id": contact.public_id, "name": contact.name, "phone": contact.phone},
    }
    return NewEvent(
        workspace_id=message.workspace_id,
        type=type_,
        occurred_at=at,
        data=data,
        metadata=message.metadata or (campaign.metadata if campaign else {}),
        campaign_id=campaign.id if campaign else None,
        persona_id=campaign.persona_id if campaign else None,
        unique_key=f"{type_}:{message.id}",
        inline_webhooks=campaign.config_webhooks if campaign else None,
    )
