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


class Profile(StrEnum):
    """The format in which an endpoint wants its events."""

    ENVELOPE = "envelope"


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
