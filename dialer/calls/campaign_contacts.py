"""The state of campaign contacts: the only module that writes ``CampaignContact.state``.

Each verb is one statement for a batch and names its target state. It skips rows whose state does not allow the move
(:data:`~dialer.rules.statuses.CONTACT_MOVES`). All run in the caller's transaction.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from dialer.models import CampaignContact
from dialer.rules.statuses import BEST_FIRST, OPEN_STATES, ContactState, Outcome
from dialer.workspaces.ids import new_id
from dialer.workspaces.statements import fetch, run


class AfterCall(NamedTuple):
    """The state of a campaign contact after a call; ``end_reason`` is empty while another call follows."""

    id: UUID
    state: ContactState
    end_reason: str
    result: Outcome


class _Added(NamedTuple):
    contact_id: UUID


def add(workspace_id: UUID, campaign_id: UUID, contact_ids: Sequence[UUID], *, now: datetime) -> set[UUID]:
    """Add contacts, waiting for their first call; returns the ids of those that were not in the campaign yet."""
    rows = fetch(
        _Added,
        "add_campaign_contacts",
        """
        INSERT INTO dialer_campaigncontact (id, workspace_id, campaign_id, contact_id, state, end_reason, result,
            created_at)
        SELECT t.id, %(workspace)s, %(campaign)s, t.contact_id, 'waiting', '', '', %(now)s
        FROM unnest(%(ids)s::uuid[], %(contacts)s::uuid[]) AS t(id, contact_id)
        ON CONFLICT (campaign_id, contact_id) DO NOTHING RETURNING contact_id
        """,
        {
            "workspace": workspace_id,
            "campaign": campaign_id,
            "now": now,
            "ids": [new_id() for _ in contact_ids],
            "contacts": list(contact_ids),
        },
    )
    return {row.contact_id for row in rows}


def add_promised(workspace_id: UUID, campaign_id: UUID, contact_id: UUID) -> UUID:
    """Return the campaign contact, created if it does not exist; no first call is claimed for it after this.

    Waits for a claim that is under way, so that the caller can see and supersede the call that the claim queued.
    """
    row, _ = CampaignContact.objects.get_or_create(
        workspace_id=workspace_id,
        campaign_id=campaign_id,
        contact_id=contact_id,
        defaults={"id": new_id(), "state": ContactState.CALLBACK_PENDING},
    )
    expect_callback([row.pk], from_=[ContactState.WAITING])
    found: UUID = row.pk
    return found


def claim(ids: Sequence[UUID]) -> None:
    """Set contacts whose first call was claimed to ``calling``; the claim holds their locks."""
    _call("first_calls_claimed", ids, from_=[ContactState.WAITING])


def call(ids: Sequence[UUID]) -> None:
    """Set contacts whose call is handed to its carrier to ``calling``."""
    _call("contacts_calling", ids, from_=[ContactState.WAITING, ContactState.CALLBACK_PENDING])


def expect_callback(ids: Sequence[UUID], *, from_: Collection[ContactState]) -> None:
    """Set contacts to ``callback_pending``, also those whose chain was over."""
    if ids:
        run(
            "expect_callback",
            """
            UPDATE dialer_campaigncontact SET state = 'callback_pending', end_reason = '', ended_at = NULL,
                due_at = NULL
            WHERE id = ANY(%(ids)s::uuid[]) AND state = ANY(%(from)s::text[])
            """,
            {"ids": list(ids), "from": list(from_)},
        )


def finish(ids: Sequence[UUID], *, state: ContactState, end_reason: str, now: datetime) -> None:
    """Finish contacts that are still open."""
    if ids:
        run(
            "finish_campaign_contacts",
            """
            UPDATE dialer_campaigncontact SET state = %(state)s, end_reason = %(reason)s, ended_at = %(now)s,
                due_at = NULL
            WHERE id = ANY(%(ids)s::uuid[]) AND state = ANY(%(from)s::text[])
            """,
            {"ids": list(ids), "state": state, "reason": end_reason, "now": now, "from": list(OPEN_STATES)},
        )


def finish_waiting(campaign_id: UUID, *, end_reason: str, limit: int, now: datetime) -> None:
    """Cancel up to ``limit`` contacts of a campaign that still wait for their first call."""
    run(
        "cancel_waiting_contacts",
        """
        UPDATE dialer_campaigncontact SET state = 'cancelled', end_reason = %(reason)s, ended_at = %(now)s,
            due_at = NULL
        WHERE id IN (
            SELECT id FROM dialer_campaigncontact WHERE campaign_id = %(campaign)s AND state = 'waiting'
            LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
        )
        """,
        {"campaign": campaign_id, "reason": end_reason, "now": now, "limit": limit},
    )


def move_after_calls(moved: Sequence[AfterCall], *, now: datetime) -> None:
    """Set the state of contacts after their calls, and keep the best result of each."""
    if moved:
        run(
            "move_campaign_contacts",
            """
            UPDATE dialer_campaigncontact k SET state = t.state, end_reason = t.reason, due_at = NULL,
                result = CASE WHEN array_position(%(best)s::text[], k.result::text)
                    < array_position(%(best)s::text[], t.result) THEN k.result ELSE t.result END,
                ended_at = CASE WHEN t.state = 'callback_pending' THEN NULL ELSE %(now)s END
            FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(results)s::text[])
                AS t(id, state, reason, result)
            WHERE k.id = t.id AND k.state = ANY(%(from)s::text[])
            """,
            {
                "ids": [contact.id for contact in moved],
                "states": [contact.state for contact in moved],
                "reasons": [contact.end_reason for contact in moved],
                "results": [contact.result for contact in moved],
                "best": list(BEST_FIRST),
                "from": list(OPEN_STATES),
                "now": now,
            },
        )


def count_as_reached(id_: UUID, *, is_over: bool, now: datetime) -> None:
    """Set the result to ``answered`` because a person said so; finish the contact if its chain is over."""
    run(
        "campaign_contact_reached",
        """
        UPDATE dialer_campaigncontact SET result = 'answered',
            state = CASE WHEN t.is_over THEN 'reached' ELSE state END,
            end_reason = CASE WHEN t.is_over THEN 'answered' ELSE end_reason END,
            ended_at = CASE WHEN t.is_over THEN COALESCE(ended_at, %(now)s) ELSE ended_at END
        FROM (SELECT %(is_over)s::boolean AS is_over) t
        WHERE id = %(id)s
        """,
        {"id": id_, "is_over": is_over, "now": now},
    )


def count_as_talked_to(ids: Sequence[UUID]) -> None:
    """Record the result of contacts who talked to us in a call that they made."""
    run(
        "contacts_talked_to",
        "UPDATE dialer_campaigncontact SET result = 'answered' WHERE id = ANY(%(ids)s::uuid[])",
        {"ids": list(ids)},
    )


def _call(name: str, ids: Sequence[UUID], *, from_: Collection[ContactState]) -> None:
    if ids:
        run(
            name,
            """
            UPDATE dialer_campaigncontact SET state = 'calling', due_at = NULL
            WHERE id = ANY(%(ids)s::uuid[]) AND state = ANY(%(from)s::text[])
            """,
            {"ids": list(ids), "from": list(from_)},
        )
