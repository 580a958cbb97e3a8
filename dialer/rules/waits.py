"""The closed list of reasons why a due call is not being dialled, and their texts."""

from collections.abc import Mapping
from enum import StrEnum


class Waits(StrEnum):
    """The reasons as codes, stored with the call."""

    CAMPAIGN_PAUSED = "campaign_paused"  # until somebody resumes it
    STALE = "stale"  # a retry so late that an operator decides
    CONTACT_BUSY = "contact_busy"  # on the phone with us
    CARRIER_DOWN = "carrier_down"  # the line's carrier cannot be reached
    OUTSIDE_WINDOW = "outside_window"  # until the next opening
    CONTACT_LIMIT = "contact_limit"  # until the limit allows one more
    AT_CAPACITY = "at_capacity"  # pace or slots, ours or the carrier's, are used up
    EARLY = "early"  # a host whose clock is wrong sent it before its time
    NUMBER_CHANGED = "number_changed"  # changed while the call was being placed; it is placed again at once


TEXTS: Mapping[Waits, str] = {
    Waits.CAMPAIGN_PAUSED: "the campaign is paused",
    Waits.STALE: "too late to be dialled automatically; an operator decides",
    Waits.CONTACT_BUSY: "the contact is on the phone",
    Waits.CARRIER_DOWN: "the carrier cannot be reached",
    Waits.OUTSIDE_WINDOW: "outside the calling window",
    Waits.CONTACT_LIMIT: "one more call would exceed the contact limit",
    Waits.AT_CAPACITY: "all starts or slots of the campaign, the line or the workspace are taken",
    Waits.EARLY: "its time has not come",
    Waits.NUMBER_CHANGED: "the contact's number has just changed",
}
"""Clauses, without a full stop."""

FORCEABLE = (Waits.OUTSIDE_WINDOW, Waits.CONTACT_LIMIT, Waits.CAMPAIGN_PAUSED)
"""Checks that an operator may override for one dial; suppression is not among them."""
