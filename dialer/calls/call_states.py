"""The state of calls: the only module that changes a call's status, outcome, generation and lease.

Each verb is one statement for a batch. It skips rows whose status does not allow the move
(:data:`~dialer.rules.statuses.CALL_MOVES`). A verb that changes a queued call raises its generation, which makes
messages under way stale. All verbs run in the caller's transaction; the caller handles what follows from a change.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from dialer.calls.listener import CallEnd
from dialer.models import Call
from dialer.rules.statuses import CallStatus, Outcome, Rank
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.ids import new_id
from dialer.workspaces.statements import Id, fetch, run


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
    """Set when the claim creates the call: it is queued and leased in one write."""
    id: UUID = field(default_factory=new_id)


def queue(calls: Sequence[QueuedCall], *, now: datetime) -> None:
    """Insert queued calls in one statement, in the transaction that creates the reason for them."""
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


class Leased(NamedTuple):
    """A claimed call and the generation that its message carries."""

    id: UUID
    generation: int


class Postponed(NamedTuple):
    """A call that may not start yet: when it is due again, and why it waits."""

    call_id: UUID
    due_at: datetime
    reason: str


class Moved(NamedTuple):
    """The new time, and the checks that the call may pass; ``force`` is JSON."""

    call_id: UUID
    due_at: datetime
    not_after: datetime | None
    rank: int
    force: str | None


class Returned(NamedTuple):
    """A call that its carrier did not take: queued again, or withdrawn because another call replaced it."""

    id: UUID
    status: str
    campaign_contact_id: UUID | None
    chain_id: UUID


class Withdrawn(NamedTuple):
    id: UUID
    status: str
    campaign_contact_id: UUID | None
    chain_id: UUID


class Cancelled(NamedTuple):
    status: str


class Requeued(NamedTuple):
    campaign_contact_id: UUID | None


class Progress(NamedTuple):
    """The state of a live call according to its carrier's reports."""

    call_id: UUID
    status: CallStatus
    carrier_call_id: str
    ringing_at: datetime | None
    answered_at: datetime | None


def lease(starts: Mapping[UUID, datetime], *, length: timedelta) -> dict[UUID, int]:
    """Claim calls; each lease lasts ``length`` from the call's start.

    Returns the new generations of the calls that were still queued.
    """
    if not starts:
        return {}
    rows = fetch(
        Leased,
        "lease_calls",
        """
        UPDATE dialer_call c SET generation = c.generation + 1, lease_until = t.start_at + %(lease)s
        FROM unnest(%(ids)s::uuid[], %(starts)s::timestamptz[]) AS t(id, start_at)
        -- Not "=": see take_to_dialing.
        WHERE c.id = t.id AND c.status IS NOT DISTINCT FROM 'queued' RETURNING c.id, c.generation
        """,
        {"ids": list(starts), "starts": list(starts.values()), "lease": length},
    )
    return {row.id: row.generation for row in rows}


def release_expired(*, limit: int, now: datetime) -> int:
    """Make calls whose lease ran out claimable again, with a new generation, which makes old messages stale."""
    rows = fetch(
        Id,
        "release_expired_leases",
        """
        WITH expired AS (
            SELECT id FROM dialer_call WHERE lease_until <= %(now)s
            ORDER BY lease_until LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE dialer_call c SET lease_until = NULL, generation = c.generation + 1
        FROM expired WHERE c.id = expired.id AND c.status = 'queued' RETURNING c.id
        """,
        {"now": now, "limit": limit},
    )
    return len(rows)


def release_claims(campaign_id: UUID) -> int:
    """Release the claimed calls of a paused campaign; the messages that workers have become stale."""
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


def hold(holds: Sequence[Postponed]) -> None:
    """Postpone queued calls; the caller holds their locks."""
    if holds:
        run(
            "hold_calls",
            """
            UPDATE dialer_call c SET due_at = t.due_at, held_reason = t.reason, lease_until = NULL,
                generation = c.generation + 1
            FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[], %(reasons)s::text[]) AS t(id, due_at, reason)
            WHERE c.id = t.id
            """,
            {
                "ids": [held.call_id for held in holds],
                "due": [held.due_at for held in holds],
                "reasons": [held.reason for held in holds],
            },
        )


def move(moves: Sequence[Moved]) -> None:
    """Give queued calls another time and clear their hold; placing checks them again."""
    if moves:
        run(
            "move_calls",
            """
            UPDATE dialer_call c SET due_at = t.due_at, not_after = t.not_after, rank = t.rank, force = t.force::jsonb,
                held_reason = '', lease_until = NULL, generation = c.generation + 1
            FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[], %(not_after)s::timestamptz[], %(ranks)s::smallint[],
                %(forces)s::text[]) AS t(id, due_at, not_after, rank, force)
            WHERE c.id = t.id AND c.status = 'queued'
            """,
            {
                "ids": [moved.call_id for moved in moves],
                "due": [moved.due_at for moved in moves],
                "not_after": [moved.not_after for moved in moves],
                "ranks": [int(moved.rank) for moved in moves],
                "forces": [moved.force for moved in moves],
            },
        )


def take_to_dialing(calls: Sequence[tuple[UUID, int, str]], *, check_at: datetime, now: datetime) -> set[UUID]:
    """Move calls, given as (id, claimed generation, number to dial), from ``queued`` to ``dialing``.

    Returns the ids that moved: only these may be handed to the carrier.
    """
    found = fetch(
        Id,
        "take_to_dialing",
        """
        UPDATE dialer_call c SET status = 'dialing', dialing_at = %(now)s, number = t.number, lease_until = NULL,
            held_reason = '', check_at = %(check_at)s
        FROM unnest(%(ids)s::uuid[], %(generations)s::int[], %(numbers)s::text[]) AS t(id, generation, number)
        -- Not "=": with old statistics, the planner would scan a whole partial index of queued rows.
        WHERE c.id = t.id AND c.generation = t.generation AND c.status IS NOT DISTINCT FROM 'queued'
        RETURNING c.id
        """,
        {
            "now": now,
            "check_at": check_at,
            "ids": [call_id for call_id, _, _ in calls],
            "generations": [generation for _, generation, _ in calls],
            "numbers": [number for _, _, number in calls],
        },
    )
    return {row.id for row in found}


def put_back(holds: Sequence[Postponed]) -> list[Returned]:
    """Put calls back into the queue because the carrier was too busy to take them: no attempt was made.

    Skips calls that are not ``dialing``, or that have reports: a report proves that the carrier took the call.
    A call is withdrawn instead if its chain got another queued call meanwhile.
    """
    return fetch(
        Returned,
        "put_back",
        """
        UPDATE dialer_call c SET dialing_at = NULL, check_at = NULL, due_at = t.due_at,
            status = CASE WHEN t.is_superseded THEN 'withdrawn' ELSE 'queued' END,
            held_reason = CASE WHEN t.is_superseded THEN 'superseded' ELSE t.reason END, generation = c.generation + 1
        FROM (
            SELECT m.*, EXISTS (
                SELECT FROM dialer_call o JOIN dialer_call q ON q.chain_id = o.chain_id AND q.status = 'queued'
                WHERE o.id = m.id
            ) AS is_superseded
            FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[], %(reasons)s::text[]) AS m(id, due_at, reason)
        ) AS t
        WHERE c.id = t.id AND c.status IS NOT DISTINCT FROM 'dialing' AND c.carrier_call_id = ''
        RETURNING c.id, c.status, c.campaign_contact_id, c.chain_id
        """,
        {
            "ids": [held.call_id for held in holds],
            "due": [held.due_at for held in holds],
            "reasons": [held.reason[:32] for held in holds],
        },
    )


def move_forward(progress: Sequence[Progress], *, check_at: datetime, now: datetime) -> None:
    """Move live calls forward to the state in their reports; the caller holds their locks."""
    if progress:
        run(
            "move_calls_forward",
            """
            UPDATE dialer_call c SET status = t.status,
                -- The row may be queued again after a refusal; the report proves that it was handed over.
                dialing_at = COALESCE(c.dialing_at, %(now)s), lease_until = NULL,
                carrier_call_id = CASE WHEN t.carrier_id = '' THEN c.carrier_call_id ELSE t.carrier_id END,
                ringing_at = COALESCE(c.ringing_at, t.ringing_at), answered_at = COALESCE(c.answered_at, t.answered_at),
                -- A carrier cannot be asked about an inbound call; the check_at of its row is its latest end.
                check_at = CASE WHEN c.direction = 'inbound' THEN c.check_at ELSE %(check_at)s END
            FROM unnest(%(ids)s::uuid[], %(status)s::text[], %(carrier_ids)s::text[], %(ringing)s::timestamptz[],
                %(answered)s::timestamptz[]) AS t(id, status, carrier_id, ringing_at, answered_at)
            WHERE c.id = t.id AND c.status NOT IN ('ended', 'withdrawn')
            """,
            {
                "now": now,
                "check_at": check_at,
                "ids": [step.call_id for step in progress],
                "status": [step.status.value for step in progress],
                "carrier_ids": [step.carrier_call_id for step in progress],
                "ringing": [step.ringing_at for step in progress],
                "answered": [step.answered_at for step in progress],
            },
        )


def end(ends: Sequence[CallEnd]) -> None:
    """End calls; the caller holds their locks and has checked that they have not ended."""
    run(
        "end_calls",
        """
        UPDATE dialer_call c SET status = 'ended', outcome = t.outcome, ended_reason = t.reason, ended_at = t.at,
            duration_seconds = t.duration, transcript = t.transcript, recording_url = t.recording, check_at = NULL,
            lease_until = NULL,
            -- A report proves that the call was handed over, even if the carrier's answer was a refusal.
            dialing_at = CASE WHEN t.carrier_id = '' THEN c.dialing_at ELSE COALESCE(c.dialing_at, t.at) END,
            ringing_at = COALESCE(c.ringing_at, t.ringing),
            answered_at = COALESCE(c.answered_at, t.answered),
            carrier_call_id = CASE WHEN t.carrier_id = '' THEN c.carrier_call_id ELSE t.carrier_id END
        FROM unnest(%(id)s::uuid[], %(outcome)s::text[], %(reason)s::text[], %(at)s::timestamptz[],
            %(duration)s::int[], %(transcript)s::text[], %(recording)s::text[], %(ringing)s::timestamptz[],
            %(answered)s::timestamptz[], %(carrier_id)s::text[])
            AS t(id, outcome, reason, at, duration, transcript, recording, ringing, answered, carrier_id)
        WHERE c.id = t.id AND c.status NOT IN ('ended', 'withdrawn')
        """,
        {
            "id": [end.call_id for end in ends],
            "outcome": [end.outcome for end in ends],
            "reason": [end.ended_reason for end in ends],
            "at": [end.at for end in ends],
            "duration": [end.duration_seconds for end in ends],
            "transcript": [end.transcript for end in ends],
            "recording": [end.recording_url for end in ends],
            "ringing": [end.ringing_at for end in ends],
            "answered": [end.answered_at for end in ends],
            "carrier_id": [end.carrier_call_id for end in ends],
        },
    )


def cancel(call_id: UUID, *, now: datetime) -> list[Cancelled]:
    """End a queued call ``cancelled``, mark a live one; returns nothing for an ended or an inbound call."""
    return fetch(
        Cancelled,
        "cancel_call",
        """
        UPDATE dialer_call SET
            status = CASE WHEN status = 'queued' THEN 'ended' ELSE status END,
            outcome = CASE WHEN status = 'queued' THEN 'cancelled' ELSE outcome END,
            ended_reason = CASE WHEN status = 'queued' THEN 'cancelled' ELSE ended_reason END,
            ended_at = CASE WHEN status = 'queued' THEN %(now)s ELSE ended_at END,
            hang_up_at = CASE WHEN status = 'queued' THEN NULL ELSE %(now)s END,
            cancel_requested_at = %(now)s, lease_until = NULL, generation = generation + 1
        WHERE id = %(id)s AND status IN ('queued', 'dialing', 'ringing', 'in_progress') AND direction = 'outbound'
        RETURNING status
        """,
        {"id": call_id, "now": now},
    )


def end_cancelled(call_ids: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """End queued calls that somebody cancelled while they were live."""
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
    return [row.id for row in rows]


def withdraw(call_ids: Sequence[UUID], *, why: Withdrawal, only_stale: bool, now: datetime) -> list[Withdrawn]:
    """Take queued calls out of the queue; with ``only_stale``, only those that are too late to be dialled.

    A call that a client made ends ``cancelled``, because it was accepted as a call; any other row is ``withdrawn``.
    """
    return fetch(
        Withdrawn,
        "withdraw_calls",
        """
        WITH mine AS (
            SELECT id, campaign_id IS NULL AND rank = %(new)s AS was_accepted FROM dialer_call
            WHERE id = ANY(%(ids)s) AND status = 'queued' AND (NOT %(only_stale)s OR not_after < %(now)s)
            ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE dialer_call c SET status = CASE WHEN was_accepted THEN 'ended' ELSE 'withdrawn' END,
            outcome = CASE WHEN was_accepted THEN 'cancelled' ELSE '' END,
            ended_reason = CASE WHEN was_accepted THEN 'cancelled' ELSE '' END,
            ended_at = CASE WHEN was_accepted THEN %(now)s END,
            held_reason = %(why)s, lease_until = NULL, generation = c.generation + 1
        FROM mine WHERE c.id = mine.id AND c.status = 'queued'
        RETURNING c.id, c.status, c.campaign_contact_id, c.chain_id
        """,
        {"ids": list(call_ids), "why": why, "only_stale": only_stale, "new": int(Rank.NEW), "now": now},
    )


def requeue(call_id: UUID, *, due_at: datetime) -> list[Requeued]:
    """Put a withdrawn call that was never handed over back into the queue; returns nothing for any other call."""
    return fetch(
        Requeued,
        "requeue_withdrawn",
        """
        UPDATE dialer_call SET status = 'queued', due_at = %(due_at)s, held_reason = '', lease_until = NULL,
            generation = generation + 1
        WHERE id = %(id)s AND status = 'withdrawn' AND dialing_at IS NULL RETURNING campaign_contact_id
        """,
        {"id": call_id, "due_at": due_at},
    )


def correct_to_answered(call_id: UUID, *, ended_reason: str, now: datetime) -> None:
    """Change the outcome of a call from ``voicemail`` to ``answered``, because a person said so."""
    Call.objects.filter(pk=call_id, outcome=Outcome.VOICEMAIL.value).update(
        outcome=Outcome.ANSWERED.value, ended_reason=ended_reason, person_confirmed_at=now
    )


def _json(value: object) -> str | None:
    if not value:
        return None if value is None else "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)
