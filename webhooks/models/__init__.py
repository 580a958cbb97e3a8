"""Events, endpoints, deliveries and delivery attempts.

Events and pending deliveries are written in the transaction of the fact (:mod:`webhooks.outbox`);
:mod:`webhooks.delivery` then sends them.
"""

from webhooks.models.deliveries import BatchItem, Delivery, DeliveryAttempt, DeliveryAttemptQuerySet
from webhooks.models.endpoints import BOUNDS, ENCRYPTED, ENCRYPTED_OF_ENDPOINT, Endpoint, EndpointQuerySet
from webhooks.models.events import ChainSequence, Event
from webhooks.models.replays import Replay

__all__ = [
    "BOUNDS",
    "ENCRYPTED",
    "ENCRYPTED_OF_ENDPOINT",
    "BatchItem",
    "ChainSequence",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryAttemptQuerySet",
    "Endpoint",
    "EndpointQuerySet",
    "Event",
    "Replay",
]
