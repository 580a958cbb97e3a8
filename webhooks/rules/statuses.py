"""The states of a delivery, what events there are, and what an endpoint may choose from."""

from enum import StrEnum


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """To be sent when due, or being sent under a lease; settling moves it on."""
    DELIVERED = "delivered"
    """The receiver answered 2xx; a redelivery makes it pending again."""
    FAILED = "failed"
    """Refused for good, or every retry is used up; a redelivery makes it pending again."""
    SUPPRESSED = "suppressed"
    """Not sent because its endpoint was switched off meanwhile; a redelivery makes it pending again."""


ALLOWED: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    DeliveryStatus.PENDING: frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED}),
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.SUPPRESSED: frozenset({DeliveryStatus.PENDING}),
}


class ReplayStatus(StrEnum):
    """Where a replay stands."""

    RUNNING = "running"
    """Any worker goes on with it."""
    DONE = "done"
    """Everything it was asked for is on its way; of a dry run, counted."""
    STOPPED = "stopped"
    """Somebody thought better of it, or its endpoint was switched off; what it had come to stays on its way."""


class Profile(StrEnum):
    """The format in which an endpoint wants its events."""

    ENVELOPE = "envelope"
    """One event a request, as the envelope that is frozen with it."""
    BATCH = "batch"
    """Arrays of items of one type."""
    STATUS = "status"
    """One of a campaign's three URLs; nobody chooses it."""


CHOSEN_PROFILES = (Profile.ENVELOPE, Profile.BATCH)
"""What a subscription, or a webhook given with a call, may ask for."""


class Purpose(StrEnum):
    """Why there is a row for a receiver."""

    SUBSCRIPTION = "subscription"
    """Somebody made it, and sees, edits and deletes it."""
    INLINE = "inline"
    """It came with a call or a campaign; hidden, and never changed."""
    STATUS = "status"
    """It is a URL of a campaign, frozen when that started; hidden, and never changed."""


class ScopeType(StrEnum):
    """Which events of the workspace an endpoint hears."""

    WORKSPACE = "workspace"
    PERSONA = "persona"
    CAMPAIGN = "campaign"


class SigningMethod(StrEnum):
    """How a receiver can tell that a request is ours."""

    HMAC_SHA256 = "hmac_sha256"
    HMAC_SHA1 = "hmac_sha1"
    BEARER = "bearer"
    BASIC_AUTH = "basic_auth"
    NONE = "none"

    @property
    def is_hmac(self) -> bool:
        return self in (SigningMethod.HMAC_SHA256, SigningMethod.HMAC_SHA1)


ALL_EVENTS = "*"
"""Subscribes to every event, also to those that are yet to be invented."""

TEST_EVENT = "webhook.test"

EVENT_TYPES = (
    "call.started",
    "call.ended",
    "call.analyzed",
    "call.attempted",
    "call.received",
    "call.exhausted",
    "campaign.started",
    "campaign.ended",
    "campaign.paused",
    "campaign.resumed",
    "campaign.failed",
    "callback.scheduled",
    "callback.rescheduled",
    "callback.skipped",
    "callback.cancelled",
    "callback.completed",
    "callback.superseded",
    "callback.expired",
    "callback.late",
    "contact.suppressed",
    "message.sent",
    "message.received",
    "endpoint.disabled",
    TEST_EVENT,
)
"""What an endpoint may subscribe to."""


class BatchType(StrEnum):
    """What an array may hold."""

    CALL_COMPLETE = "CallComplete"
    CALL_ATTEMPTED = "CallAttempted"
    CALL_RECEIVED = "CallReceived"
    SMS_SENT = "SMSSent"
    SMS_RECEIVED = "SMSReceived"


BATCH_TYPE_OF = {
    "call.attempted": BatchType.CALL_ATTEMPTED,
    "call.received": BatchType.CALL_RECEIVED,
    "call.exhausted": BatchType.CALL_COMPLETE,
    "call.analyzed": BatchType.CALL_COMPLETE,
    "message.sent": BatchType.SMS_SENT,
    "message.received": BatchType.SMS_RECEIVED,
}
"""Which items an endpoint means that asks for arrays in the words of our events; the others have no counterpart."""

ARRAY_OF = {type_: items for type_, items in BATCH_TYPE_OF.items() if type_ != "call.analyzed"}
"""With which of our events an item comes; an analysis completes one that came with the end of the chain."""


def replaces_subscriptions(event_type: str) -> bool:
    """Tell whether webhooks given with a call take the place of subscriptions for events of a type.

    Of calls they do. What befalls callbacks, messages and campaigns goes to both.
    """
    return event_type.startswith("call.")
