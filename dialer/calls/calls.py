"""The rows that are the queue of record: put in, moved, taken out before they are handed over.

Every verb checks the state it leaves in SQL, raises the generation, and so fences messages that are under way.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from dialer.calls import campaign_contacts, context, events
from dialer.calls.chains import NOTHING_DIALLED, chains_of
from dialer.calls.listener import CallEnd, FollowUp, listener
from dialer.models import Call
from dialer.rules.statuses import CallStatus, ContactState, Direction, Outcome
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.ids import new_id
from dialer.workspaces.statements import Id, fetch, run
from dialer.workspaces.transitions import TransitionConflict
from webhooks.outbox import NewEvent, record_events

WITHDRAWN_STATE = {
    "suppressed": ContactState.SUPPRESSED,
    "completed": ContactState.REACHED,
    "inbound_call": ContactState.REACHED,
    "expired": ContactState.EXHAUSTED,
    "no_opening": ContactState.EXHAUSTED,
}
"""End of a campaign contact whose queued call is withdrawn, by the reason; any other reason cancels it."""
_RESULT_TOLD = {
    "answered": "reached",
    "completed": "completed",
    "expired": "exhausted",
    "inbound_call": "reached",
    "no_opening": "exhausted",
    "suppressed": "suppressed",
}
"""``result`` of ``call.exhausted`` by the reason of the withdrawal; with any other reason the chain was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedCall:
    """A call to be made; ``chain_id`` is ``None`` for the first call of a chain without a campaign."""

    workspace_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    campaign_contact_id: UUID | None
    persona_id: UUID
    line_id: UUID
    number: str
    caller_id: str
    rank: int
    due_at: datetime
    chain_id: UUID | None = None
    attempt_number: int = 1
    retries_used: int = 0
    not_after: datetime | None = None
    force: Mapping[str, Any] | None = None
    schedule: Mapping[str, Any] = field(default_factory=dict)
    config_webhooks: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    generation: int = 0
    lease_until: datetime | None = None
    """Given where the claim makes the call: it is put in the queue as taken out of it, in one write."""
    id: UUID = field(default_factory=new_id)


def queue(calls: Sequence[QueuedCall], *, now: datetime) -> None:
    """Put calls in the queue in one statement; the caller's transaction holds what they are needed for."""
    if not calls:
        return
    run(
        "queue_calls",
        """
        INSERT INTO dialer_call (id, workspace_id, contact_id, campaign_id, campaign_contact_id, persona_id, line_id,
            number, caller_id, rank, due_at, chain_id, attempt_number, retries_used, not_after, force, schedule,
            config_webhooks, metadata, generation, lease_until, queued_at, direction, status, outcome, ended_reason,
            held_reason, carrier_call_id, follow_up_pending)
        SELECT id, workspace_id, contact_id, campaign_id, campaign_contact_id, persona_id, line_id, number, caller_id,
            rank, due_at, chain_id, attempt_number, retries_used, not_after, force::jsonb, schedule::jsonb,
            config_webhooks::jsonb, metadata::jsonb, generation, lease_until, %(now)s, 'outbound', 'queued', '', '', '',
            '', false
        FROM unnest(%(id)s::uuid[], %(workspace_id)s::uuid[], %(contact_id)s::uuid[], %(campaign_id)s::uuid[],
            %(campaign_contact_id)s::uuid[], %(persona_id)s::uuid[], %(line_id)s::uuid[], %(number)s::text[],
            %(caller_id)s::text[], %(rank)s::smallint[], %(due_at)s::timestamptz[], %(chain_id)s::uuid[],
            %(attempt_number)s::int[], %(retries_used)s::int[], %(not_after)s::timestamptz[], %(force)s::text[],
            %(schedule)s::text[], %(config_webhooks)s::text[], %(metadata)s::text[],
            %(generation)s::int[], %(lease_until)s::timestamptz[])
            AS t(id, workspace_id, contact_id, campaign_id, campaign_contact_id, persona_id, line_id, number,
            caller_id, rank, due_at, chain_id, attempt_number, retries_used, not_after, force, schedule,
            config_webhooks, metadata, generation, lease_until)
        """,
        {
            "now": now,
            **{
                name: [getattr(call, name) for call in calls]
                for name in (
                    "id",
                    "workspace_id",
                    "contact_id",
                    "campaign_id",
                    "campaign_contact_id",
                    "persona_id",
                    "line_id",
                    "number",
                    "caller_id",
                    "due_at",
                    "attempt_number",
                    "retries_used",
                    "not_after",
                    "generation",
                    "lease_until",
                )
            },
            "rank": [int(call.rank) for call in calls],
            "chain_id": [call.chain_id or call.campaign_contact_id or call.id for call in calls],
            "force": [_json(call.force) for call in calls],
            "schedule": [_json(call.schedule) for call in calls],
            "config_webhooks": [_json(call.config_webhooks) for call in calls],
            "metadata": [_json(call.metadata) for call in calls],
        },
    )


class _Withdrawn(NamedTuple):
    id: UUID
    campaign_contact_id: UUID | None
    chain_id: UUID


def withdraw(
    call_ids: Sequence[UUID], *, why: str, now: datetime, ends_chain: bool = True, only_stale: bool = False
) -> list[UUID]:
    """Take queued calls out of the queue and tell whoever promised them; return those that were still queued.

    With ``only_stale`` one that is no longer too late to be dialled by itself, an operator having moved it, stays.

    The chains they belong to come to their end, unless something else follows (``ends_chain`` false) or a call of
    theirs is live, whose end then is the chain's. Runs in the caller's transaction; live calls are locked before
    queued ones, each in the order of their ids.
    """
    if not call_ids:
        return []
    live = _lock_live_chains(call_ids) if ends_chain else set()
    rows = fetch(
        _Withdrawn,
        "withdraw_calls",
        """
        WITH mine AS (
            SELECT id FROM dialer_call
            WHERE id = ANY(%(ids)s) AND status = 'queued' AND (NOT %(only_stale)s OR not_after < %(now)s)
            ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE dialer_call c SET status = 'withdrawn', held_reason = %(why)s, lease_until = NULL,
            generation = c.generation + 1
        FROM mine WHERE c.id = mine.id AND c.status = 'queued'
        RETURNING c.id, c.campaign_contact_id, c.chain_id
        """,
        {"ids": list(call_ids), "why": why, "only_stale": only_stale, "now": now},
    )
    withdrawn = [row.id for row in rows]
    if withdrawn:
        listener().calls_withdrawn(withdrawn, why, now=now)
    if ends_chain:
        _end_chains([row for row in rows if row.chain_id not in live], why=why, now=now)
    return withdrawn


def _end_chains(rows: Sequence[_Withdrawn], *, why: str, now: datetime) -> None:
    """Bring chains whose call was withdrawn to their end; one that ran out keeps what it had reached before."""
    state = WITHDRAWN_STATE.get(why, ContactState.CANCELLED)
    ran_out = state is ContactState.EXHAUSTED
    chains = chains_of([row.chain_id for row in rows])
    reached = {chain_id for chain_id, chain in chains.items() if ran_out and chain.was_reached}
    record_events(
        [
            events.call_exhausted(
                call,
                chains.get(call.chain_id, NOTHING_DIALLED),
                result="reached" if call.chain_id in reached else _RESULT_TOLD.get(why, "cancelled"),
                reason=why,
                attempts=call.attempt_number - 1,
                at=now,
            )
            for call in context.contexts_of([row.id for row in rows])
            if call.attempt_number > 1
        ],
        now=now,
    )
    if why == "inbound_call":
        campaign_contacts.count_as_talked_to([row.campaign_contact_id for row in rows if row.campaign_contact_id])
    for end, mine in (
        (ContactState.REACHED, [row for row in rows if row.chain_id in reached]),
        (state, [row for row in rows if row.chain_id not in reached]),
    ):
        campaign_contacts.finish(
            [row.campaign_contact_id for row in mine if row.campaign_contact_id], state=end, end_reason=why, now=now
        )


class _ChainId(NamedTuple):
    chain_id: UUID


def _lock_live_chains(call_ids: Sequence[UUID]) -> set[UUID]:
    """Return those chains of these calls that have a live call, which stays live until the transaction ends."""
    rows = fetch(
        _ChainId,
        "lock_live_of_chains",
        """
        SELECT l.chain_id FROM dialer_call l
        WHERE l.chain_id IN (SELECT chain_id FROM dialer_call WHERE id = ANY(%(ids)s))
            AND l.status IN ('dialing', 'ringing', 'in_progress')
        ORDER BY l.id FOR NO KEY UPDATE OF l
        """,
        {"ids": list(call_ids)},
    )
    return {row.chain_id for row in rows}


def renumber(chain_ids: Sequence[UUID]) -> None:
    """Count promises that were made beside a call which then was not made after all: their numbers are one lower."""
    run(
        "renumber_promises",
        """
        UPDATE dialer_call q SET attempt_number = so_far.attempts + 1, retries_used = so_far.used
        FROM (
            SELECT chain_id, COALESCE(max(attempt_number) FILTER (WHERE dialing_at IS NOT NULL), 0) AS attempts,
                COALESCE(max(retries_used) FILTER (WHERE dialing_at IS NOT NULL OR held_reason = 'skipped'), 0) AS used
            FROM dialer_call WHERE chain_id = ANY(%(chains)s) GROUP BY chain_id
        ) so_far
        WHERE q.chain_id = so_far.chain_id AND q.status = 'queued' AND q.not_after IS NULL
        """,
        {"chains": list(chain_ids)},
    )


def settle_live(chain_id: UUID, *, now: datetime) -> None:
    """Let nothing follow a live call of the chain by itself, because a person ended the chain; a promise still may."""
    run(
        "settle_live",
        """
        UPDATE dialer_call SET settled_at = %(now)s
        WHERE chain_id = %(chain)s AND status IN ('dialing', 'ringing', 'in_progress')
        """,
        {"chain": chain_id, "now": now},
    )


def withdraw_numbers(workspace_id: UUID, numbers: Sequence[str], *, why: str, now: datetime) -> list[UUID]:
    """Withdraw every queued call to contacts that have one of these numbers now."""
    rows = fetch(
        Id,
        "queued_calls_by_number",
        """
        SELECT c.id FROM dialer_contact p JOIN dialer_call c ON c.contact_id = p.id AND c.status = 'queued'
        WHERE p.workspace_id = %(workspace)s AND p.phone = ANY(%(numbers)s)
        """,
        {"workspace": workspace_id, "numbers": list(numbers)},
    )
    return withdraw([row.id for row in rows], why=why, now=now)


def withdraw_campaign(campaign_id: UUID, *, why: str, limit: int, now: datetime) -> list[UUID]:
    """Withdraw up to ``limit`` queued calls of a campaign that refuses claims already; call until none is left."""
    rows = fetch(
        Id,
        "queued_calls_of_campaign",
        "SELECT id FROM dialer_call WHERE campaign_id = %(campaign)s AND status = 'queued' LIMIT %(limit)s",
        {"campaign": campaign_id, "limit": limit},
    )
    return withdraw([row.id for row in rows], why=why, now=now)


def release_claims(campaign_id: UUID) -> int:
    """Take claimed calls of a paused campaign back from the workers: their messages become stale."""
    rows = fetch(
        Id,
        "release_claims",
        """
        UPDATE dialer_call SET lease_until = NULL, generation = generation + 1
        WHERE campaign_id = %(campaign)s AND status = 'queued' AND lease_until IS NOT NULL
        RETURNING id
        """,
        {"campaign": campaign_id},
    )
    return len(rows)


class _Cancelled(NamedTuple):
    status: str


def cancel(call_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str, now: datetime) -> Call:
    """Stop one call: a queued one ends ``cancelled``, a live one is marked for its carrier to hang up.

    Returns the call as it is then; raises ``TransitionConflict`` where it has ended. The caller asks the carrier to
    hang up after the commit (:func:`dialer.dialing.placing.hang_up`).
    """
    from_ = Call.objects.in_workspace(workspace_id).get(pk=call_id).status
    with transaction.atomic():
        rows = fetch(
            _Cancelled,
            "cancel_call",
            """
            UPDATE dialer_call SET
                status = CASE WHEN status = 'queued' THEN 'ended' ELSE status END,
                outcome = CASE WHEN status = 'queued' THEN 'cancelled' ELSE outcome END,
                ended_reason = CASE WHEN status = 'queued' THEN 'cancelled' ELSE ended_reason END,
                ended_at = CASE WHEN status = 'queued' THEN %(now)s ELSE ended_at END,
                cancel_requested_at = %(now)s, lease_until = NULL, generation = generation + 1
            WHERE id = %(id)s AND status IN ('queued', 'dialing', 'ringing', 'in_progress') AND direction = 'outbound'
            RETURNING status
            """,
            {"id": call_id, "now": now},
        )
        call = Call.objects.select_related("contact", "campaign").get(pk=call_id)
        if not rows:
            # Whoever called us ends the call, or whoever talks to them.
            from_ = call.status if call.direction == Direction.OUTBOUND else f"{call.direction} {call.status}"
            raise TransitionConflict(what="the call", from_=from_, to=Outcome.CANCELLED)
        if call.status == CallStatus.ENDED:
            _cancelled_before_dialling(call, now=now)
        record(
            actor,
            [
                Change(
                    workspace_id=call.workspace_id,
                    verb="cancel",
                    object_type="call",
                    object_id=call.public_id,
                    from_state={"status": from_},
                    to_state={"status": call.status},
                    reason=reason,
                )
            ],
            now=now,
        )
    return call


def end_cancelled(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """End queued calls whose cancelling was asked for while they were live; in the caller's transaction."""
    rows = fetch(
        Id,
        "end_cancelled",
        """
        UPDATE dialer_call SET status = 'ended', outcome = 'cancelled', ended_reason = 'cancelled',
            ended_at = %(now)s, lease_until = NULL, generation = generation + 1
        WHERE id = ANY(%(ids)s) AND status = 'queued' AND cancel_requested_at IS NOT NULL
        RETURNING id
        """,
        {"ids": list(call_ids), "now": now},
    )
    for call in Call.objects.select_related("contact", "campaign").filter(pk__in=[row.id for row in rows]):
        _cancelled_before_dialling(call, now=now)


def _cancelled_before_dialling(call: Call, *, now: datetime) -> None:
    """End the promise of a call that was never handed over, and its chain unless another call of it is live."""
    is_over = not _lock_live_chains([call.id])
    listener().calls_withdrawn([call.id], "cancelled", now=now)
    if call.campaign_contact_id and is_over:
        campaign_contacts.finish(
            [call.campaign_contact_id], state=ContactState.CANCELLED, end_reason="cancelled", now=now
        )
    record_events(_cancelled_events(call, is_over=is_over), now=now)


def _cancelled_events(call: Call, *, is_over: bool) -> list[NewEvent]:
    assert call.ended_at is not None
    (row,) = context.contexts_of([call.id])
    end = CallEnd(call_id=call.id, outcome=Outcome.CANCELLED, ended_reason="cancelled", at=call.ended_at)
    told = [events.call_ended(row, end, FollowUp(stop="cancelled"))]
    if is_over:
        chain = chains_of([call.chain_id]).get(call.chain_id, NOTHING_DIALLED)
        attempts = call.attempt_number - 1
        told.append(
            events.call_exhausted(
                row, chain, result="cancelled", reason="cancelled", attempts=attempts, at=call.ended_at
            )
        )
    return told


def _json(value: object) -> str | None:
    if not value:
        return None if value is None else "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)
