"""The states of deliveries and replays, the event types, and the choices of an endpoint."""

from enum import StrEnum


class DeliveryStatus(StrEnum):
    """The status of a delivery."""

    PENDING = "pending"
    """To be sent when due, or being sent under a lease; ends when its attempt is settled."""
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
    """The status of a replay."""

    RUNNING = "running"
    """Deliveries are left; any worker continues it."""
    DONE = "done"
    """All its deliveries were opened again, or counted in a dry run."""
    STOPPED = "stopped"
    """A person stopped it, or its endpoint was switched off; deliveries that it opened are still sent."""


class Profile(StrEnum):
    """The format in which an endpoint receives its events."""

    ENVELOPE = "envelope"
    """One event per request, as its frozen envelope."""
    BATCH = "batch"
    """Arrays of items of one type."""
    STATUS = "status"
    """The payload of a campaign's three status URLs; it cannot be chosen."""


CHOSEN_PROFILES = (Profile.ENVELOPE, Profile.BATCH)
"""Profiles that a subscription, or a webhook given with a call, may choose."""


class Purpose(StrEnum):
    """Why an endpoint exists."""

    SUBSCRIPTION = "subscription"
    """A user created it and can see, edit and delete it."""
    INLINE = "inline"
    """It came with a call or a campaign; hidden, and never changed."""
    STATUS = "status"
    """It is a status URL of a campaign, frozen when the campaign started; hidden, and never changed."""


class ScopeType(StrEnum):
    """Which events of the workspace an endpoint receives."""

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

    @property
    def sends_secret(self) -> bool:
        """Whether the secret itself goes to the receiver."""
        return self in (SigningMethod.BEARER, SigningMethod.BASIC_AUTH)


ALL_EVENTS = "*"
"""Subscribes to every event, including future types."""

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
    "message.delivered",
    "message.failed",
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
"""The item type of each event name that an endpoint with arrays may give; other events are never in arrays."""

ARRAY_OF = {type_: items for type_, items in BATCH_TYPE_OF.items() if type_ != "call.analyzed"}
"""The event that creates each item; an analysis completes the item that the end of the chain created."""

EVENT_OF = {items: type_ for type_, items in ARRAY_OF.items()}
"""The event that creates each item; at an inbound call it is ``call.ended`` that creates a ``CallComplete``."""


def replaces_subscriptions(event_type: str) -> bool:
    """Return whether webhooks given with a call replace the subscriptions for an event type.

    They do for events of calls. Events of callbacks, messages and campaigns go to both.
    """
    return event_type.startswith("call.")
