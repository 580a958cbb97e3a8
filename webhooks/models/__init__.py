"""Events, endpoints, deliveries and delivery attempts.

Events and pending deliveries are written in the transaction of the fact (:mod:`webhooks.outbox`); from then on the
delivery's row is the promise, and :mod:`webhooks.delivery` keeps it.
"""

from webhooks.models.deliveries import BatchItem, Delivery, DeliveryAttempt, DeliveryAttemptQuerySet
from webhooks.models.endpoints import (
    MAX_BACKOFF_MS,
    MAX_BATCH_SIZE,
    MAX_BATCH_WAIT_SECONDS,
    MAX_IN_FLIGHT,
    MAX_RATE_PER_SECOND,
    MAX_RETRIES,
    MAX_TIMEOUT_SECONDS,
    Endpoint,
    EndpointQuerySet,
)
from webhooks.models.events import ChainSequence, Event
from webhooks.models.replays import Replay

__all__ = [
    "MAX_BACKOFF_MS",
    "MAX_BATCH_SIZE",
    "MAX_BATCH_WAIT_SECONDS",
    "MAX_IN_FLIGHT",
    "MAX_RATE_PER_SECOND",
    "MAX_RETRIES",
    "MAX_TIMEOUT_SECONDS",
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
