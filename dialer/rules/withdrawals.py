"""Why a queued call is withdrawn, and how its chain ends."""

from collections.abc import Mapping
from enum import StrEnum

from dialer.rules.statuses import CampaignStatus, ContactState


class Withdrawal(StrEnum):
    """The closed list of reasons, stored with the call and told in events."""

    SUPPRESSED = "suppressed"  # the number must not be called
    COMPLETED = "completed"  # an operator settled it by hand
    INBOUND_CALL = "inbound_call"  # the contact called us
    ANSWERED = "answered"  # the contact was reached by another call
    EXPIRED = "expired"  # a retry too late to be called
    NO_OPENING = "no_opening"  # the calling window does not open again
    SKIPPED = "skipped"  # an operator skipped the retry
    SUPERSEDED = "superseded"  # another callback replaced it
    CANCELLED = "cancelled"  # an operator stopped it
    CONTACT_DELETED = "contact_deleted"  # the contact was forgotten
    CAMPAIGN_ENDED = "campaign_ended"  # placing found its campaign over
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    CAMPAIGN_FAILED = "campaign_failed"


OF_CAMPAIGN: Mapping[str, Withdrawal] = {
    CampaignStatus.CANCELLED: Withdrawal.CAMPAIGN_CANCELLED,
    CampaignStatus.FAILED: Withdrawal.CAMPAIGN_FAILED,
}
"""The reason for the calls of a stopped campaign, by the campaign's status."""

_ENDS: Mapping[Withdrawal, tuple[ContactState, str]] = {
    Withdrawal.SUPPRESSED: (ContactState.SUPPRESSED, "suppressed"),
    Withdrawal.COMPLETED: (ContactState.REACHED, "completed"),
    Withdrawal.INBOUND_CALL: (ContactState.REACHED, "reached"),
    Withdrawal.ANSWERED: (ContactState.CANCELLED, "reached"),
    Withdrawal.EXPIRED: (ContactState.EXHAUSTED, "exhausted"),
    Withdrawal.NO_OPENING: (ContactState.EXHAUSTED, "exhausted"),
}


def end_of_chain(why: Withdrawal) -> tuple[ContactState, str]:
    """Return the final state of the campaign contact, and the ``result`` in ``call.exhausted``."""
    return _ENDS.get(why, (ContactState.CANCELLED, "cancelled"))
