"""Whether and why a receiver would get an event; :mod:`webhooks.audience` has the same rules in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from webhooks.rules.statuses import (
    ALL_EVENTS,
    TEST_EVENT,
    BatchType,
    Profile,
    Purpose,
    ScopeType,
    replaces_subscriptions,
)


class Reason(StrEnum):
    """Why a receiver would or would not get an event."""

    SUBSCRIBED = "subscribed"
    GIVEN_WITH_IT = "given_with_it"
    """It came with the call or campaign, and lists the event."""
    STATUS_URL = "status_url"
    PAUSED = "paused"
    """It gets the event once it is resumed."""
    SWITCHED_OFF = "switched_off"
    """It is switched off: the delivery is kept as suppressed and can be replayed."""
    OTHER_EVENTS = "other_events"
    OTHER_SCOPE = "other_scope"
    NO_ARRAY = "no_array"
    """It takes arrays, and this event is never sent in arrays."""
    ARRAYS_ONLY = "arrays_only"
    """It takes no arrays, and this is an item of arrays."""
    REPLACED = "replaced"
    """The webhooks given with the call or campaign replace it."""
    TESTS_ONLY = "tests_only"
    """Tests go to the endpoint that is tested, whatever it subscribes to."""


TEXTS = {
    Reason.SUBSCRIBED: "it subscribes to this event",
    Reason.GIVEN_WITH_IT: "it was given with the call or campaign and lists this event",
    Reason.STATUS_URL: "it is the URL of the campaign for this event",
    Reason.PAUSED: "it is paused: the event waits until it is resumed",
    Reason.SWITCHED_OFF: "it is switched off: the event is kept as suppressed and can be replayed",
    Reason.OTHER_EVENTS: "it does not subscribe to this event",
    Reason.OTHER_SCOPE: "it is limited to another persona or campaign",
    Reason.NO_ARRAY: "it takes arrays, and this event is never sent in arrays",
    Reason.ARRAYS_ONLY: "it takes no arrays, and this is sent in arrays only",
    Reason.REPLACED: "the webhooks given with the call or campaign replace it",
    Reason.TESTS_ONLY: "a test goes only to the tested endpoint",
}
HEARING = frozenset({Reason.SUBSCRIBED, Reason.GIVEN_WITH_IT, Reason.STATUS_URL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """An event that might be recorded."""

    type: str
    batch_type: BatchType | None = None
    """Its item type in arrays, if it has one."""
    is_item: bool = False
    """Whether the question is about the item, and not about the event that creates it."""
    campaign_id: UUID | None = None
    persona_id: UUID | None = None
    has_inline: bool = False
    """Whether webhooks, even an empty list, were given with the call or campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """What decides whether an endpoint gets events; for one given with a call, ``events`` are those listed there."""

    purpose: Purpose
    profile: Profile
    events: Sequence[str]
    scope_type: ScopeType
    scope_id: UUID | None
    is_active: bool
    is_paused: bool


def reason_for(receiver: Receiver, occasion: Occasion) -> Reason:
    """Return a reason of :data:`HEARING` if the receiver would get the event, else the first obstacle."""
    if occasion.type == TEST_EVENT:
        return Reason.TESTS_ONLY
    if occasion.has_inline and replaces_subscriptions(occasion.type) and receiver.purpose is Purpose.SUBSCRIPTION:
        return Reason.REPLACED
    if reason := _obstacle(receiver, occasion):
        return reason
    if not receiver.is_active:
        return Reason.SWITCHED_OFF
    return Reason.PAUSED if receiver.is_paused else _WHY[receiver.purpose]


def _obstacle(receiver: Receiver, occasion: Occasion) -> Reason | None:
    if occasion.is_item and receiver.profile is not Profile.BATCH:
        return Reason.ARRAYS_ONLY
    word = occasion.batch_type if receiver.profile is Profile.BATCH else occasion.type
    if word is None:
        return Reason.NO_ARRAY
    if {ALL_EVENTS, word}.isdisjoint(receiver.events):
        return Reason.OTHER_EVENTS
    scopes = {ScopeType.CAMPAIGN: occasion.campaign_id, ScopeType.PERSONA: occasion.persona_id}
    if receiver.scope_type in scopes and scopes[receiver.scope_type] != receiver.scope_id:
        return Reason.OTHER_SCOPE
    return None


_WHY = {
    Purpose.SUBSCRIPTION: Reason.SUBSCRIBED,
    Purpose.INLINE: Reason.GIVEN_WITH_IT,
    Purpose.STATUS: Reason.STATUS_URL,
}
