"""How far a campaign has come with each contact: attempts, last outcome, next call, and why that is not dialled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from dialer.dialing.waiting import Waiting, why_waiting
from dialer.models import Campaign, CampaignContact
from dialer.rules.statuses import CampaignStatus, ContactState, Rank
from dialer.rules.waits import Waits
from dialer.workspaces.statements import fetch


class Kind(StrEnum):
    """What a next call is."""

    CALL_NOW = "call_now"
    PROMISE = "promise"
    RETRY = "retry"
    FIRST_CALL = "first_call"


_KINDS = {
    Rank.CALL_NOW: Kind.CALL_NOW,
    Rank.PROMISED: Kind.PROMISE,
    Rank.RETRY: Kind.RETRY,
    Rank.NEW: Kind.FIRST_CALL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCall:
    """The call to come; a first call has no row, and for a moment no time, before it is claimed."""

    call_id: UUID | None
    kind: Kind
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A contact of a campaign; ``waiting`` says why its next call, which is due, is not being dialled."""

    row: CampaignContact
    attempts: int
    last_attempt_at: datetime | None
    last_outcome: str
    next_call: NextCall | None
    waiting: Waiting | None


class _Chain(NamedTuple):
    id: UUID
    attempts: int
    last_attempt_at: datetime | None
    last_outcome: str
    call_id: UUID | None
    rank: int | None
    due_at: datetime | None
    held_reason: str | None


def progress_of(campaign: Campaign, rows: Sequence[CampaignContact], *, now: datetime) -> list[Progress]:
    """Tell the progress of contacts of a campaign; runs a constant number of statements.

    In a draft nothing is due, so nothing waits.
    """
    chains = {chain.id: chain for chain in _chains([row.pk for row in rows])} if rows else {}
    calls = {row.pk: _next_call(row, chains[row.pk]) for row in rows}
    first = {pk for pk, call in calls.items() if call is not None and call.call_id is None}
    waiting = why_waiting(
        [chain.call_id for chain in chains.values() if chain.call_id is not None and _is_due(chain, now=now)],
        first_calls_of=[row.pk for row in rows if row.pk in first and _is_first_due(campaign, row, now=now)],
        now=now,
    )
    return [
        Progress(
            row=row,
            attempts=chains[row.pk].attempts,
            last_attempt_at=chains[row.pk].last_attempt_at,
            last_outcome=chains[row.pk].last_outcome,
            next_call=calls[row.pk],
            waiting=waiting.get(chains[row.pk].call_id or row.pk),
        )
        for row in rows
    ]


def _next_call(row: CampaignContact, chain: _Chain) -> NextCall | None:
    if chain.call_id is not None:
        return NextCall(call_id=chain.call_id, kind=_KINDS[Rank(chain.rank or 0)], due_at=chain.due_at)
    if row.state == ContactState.WAITING:
        return NextCall(call_id=None, kind=Kind.FIRST_CALL, due_at=row.due_at)
    return None


def _is_due(chain: _Chain, *, now: datetime) -> bool:
    """Tell whether a call has come due; one that was held since has a later time."""
    return chain.held_reason in set(Waits) or (chain.due_at is not None and chain.due_at <= now)


def _is_first_due(campaign: Campaign, row: CampaignContact, *, now: datetime) -> bool:
    return campaign.status != CampaignStatus.DRAFT and (row.due_at is None or row.due_at <= now)


def _chains(ids: Sequence[UUID]) -> list[_Chain]:
    return fetch(
        _Chain,
        "chains_of_contacts",
        """
        SELECT t.id, a.attempts, a.last_attempt_at, coalesce(a.last_outcome, '') AS last_outcome,
            q.id AS call_id, q.rank, q.due_at, q.held_reason
        FROM unnest(%(ids)s::uuid[]) AS t(id)
        CROSS JOIN LATERAL (
            SELECT count(*)::int AS attempts, max(c.dialing_at) AS last_attempt_at,
                (array_agg(c.outcome ORDER BY c.dialing_at DESC) FILTER (WHERE c.status = 'ended'))[1] AS last_outcome
            FROM dialer_call c
            WHERE c.chain_id = t.id AND c.direction = 'outbound' AND c.dialing_at IS NOT NULL
        ) AS a
        LEFT JOIN LATERAL (
            SELECT c.id, c.rank, c.due_at, c.held_reason FROM dialer_call c
            WHERE c.campaign_contact_id = t.id AND c.status = 'queued' LIMIT 1
        ) AS q ON true
        """,
        {"ids": list(ids)},
    )
