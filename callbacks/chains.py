"""Which chain a promise belongs to, and what was made in it so far."""

from typing import NamedTuple
from uuid import UUID

from dialer.models import Call, Campaign, CampaignContact, Contact
from dialer.rules.statuses import ContactState
from dialer.workspaces.ids import new_id
from dialer.workspaces.statements import fetch


def campaign_contact(contact: Contact, campaign: Campaign | None) -> UUID | None:
    """Return the chain's campaign contact, made where there is none; no first call is claimed for it after this."""
    if campaign is None:
        return None
    row, _ = CampaignContact.objects.get_or_create(
        workspace_id=contact.workspace_id,
        campaign=campaign,
        contact=contact,
        defaults={"id": new_id(), "state": ContactState.CALLBACK_PENDING},
    )
    # Waits for a claim that is under way; what that queued is seen, and superseded, afterwards.
    CampaignContact.objects.filter(pk=row.pk, state=ContactState.WAITING).update(
        state=ContactState.CALLBACK_PENDING, due_at=None
    )
    found: UUID = row.pk
    return found


def outside_campaigns(origin: Call | None) -> UUID | None:
    """Return the chain that a promise outside campaigns goes on with; one after a campaign's call begins its own."""
    return origin.chain_id if origin and origin.campaign_id is None else None


class _SoFar(NamedTuple):
    attempts: int
    used: int


def made_in(chain_id: UUID | None) -> tuple[int, int]:
    """Count the calls of a chain that were handed over, and its retries used up: those dialled or skipped."""
    if chain_id is None:
        return 0, 0
    row = fetch(
        _SoFar,
        "chain_so_far",
        """
        SELECT COALESCE(max(attempt_number) FILTER (WHERE dialing_at IS NOT NULL), 0) AS attempts,
            COALESCE(max(retries_used) FILTER (WHERE dialing_at IS NOT NULL OR held_reason = 'skipped'), 0) AS used
        FROM dialer_call WHERE chain_id = %(chain)s
        """,
        {"chain": chain_id},
    )[0]
    return row.attempts, row.used
