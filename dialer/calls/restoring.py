"""Putting a call back that was withdrawn by mistake: the same row, the same promise, still at most one request.

A withdrawn row was never handed over, and its messages carry old generations; so it may wait again.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from dialer.calls import campaign_contacts
from dialer.rules.statuses import CallStatus, ContactState
from dialer.workspaces.statements import fetch
from dialer.workspaces.transitions import TransitionConflict


class _Requeued(NamedTuple):
    campaign_contact_id: UUID | None


def requeue(call_id: UUID, *, due_at: datetime) -> None:
    """Queue a withdrawn call for the time it was promised, and let its campaign contact wait for it again.

    What moved it since is asked anew before it is dialled. Runs in the caller's transaction, which holds the locks of
    the contact and of the campaign, and has seen that nothing took the call's place. Raises ``TransitionConflict``
    for a call in any other state.
    """
    rows = fetch(
        _Requeued,
        "requeue_withdrawn",
        """
        UPDATE dialer_call SET status = 'queued', due_at = %(due_at)s, held_reason = '', lease_until = NULL,
            generation = generation + 1
        WHERE id = %(id)s AND status = 'withdrawn' AND dialing_at IS NULL RETURNING campaign_contact_id
        """,
        {"id": call_id, "due_at": due_at},
    )
    if not rows:
        raise TransitionConflict(what="the call", from_="no longer withdrawn", to=CallStatus.QUEUED)
    if rows[0].campaign_contact_id:
        # Of one that is being called, the end of that call says what follows.
        campaign_contacts.expect_callback(
            [rows[0].campaign_contact_id], from_=set(ContactState) - {ContactState.CALLING}
        )
