"""What Ringback claims: its rows as they are, by plain SQL. Nothing is known of the world by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

_CALLS = """
    SELECT id::text, workspace_id::text AS workspace, contact_id::text AS contact, campaign_id::text AS campaign,
        campaign_contact_id::text AS member, chain_id::text AS chain, direction, status, outcome, due_at, dialing_at,
        answered_at, ended_at, lease_until, check_at, held_reason, rank, not_after, retries_used, attempt_number,
        schedule, force, follow_up_pending, number, queued_at, carrier_call_id
    FROM dialer_call
"""
_CALLBACKS = """
    SELECT b.id, b.workspace_id::text AS workspace, b.type, b.status, b.contact_id::text AS contact,
        b.campaign_id::text AS campaign, b.call_id::text AS call, b.origin_call_id::text AS origin,
        b.original_outcome, b.scheduled_at, b.dialled_at, b.created_at, b.updated_at, c.chain_id::text AS chain
    FROM callbacks_callback b JOIN dialer_call c ON c.id = b.call_id ORDER BY b.id
"""
_MEMBERS = """
    SELECT id::text, workspace_id::text AS workspace, campaign_id::text AS campaign, contact_id::text AS contact,
        state, due_at FROM dialer_campaigncontact
"""
_CAMPAIGNS = "SELECT id::text, workspace_id::text AS workspace, status, ended_at FROM dialer_campaign"
_EVENTS = """
    SELECT workspace_id::text AS workspace, type, call_id::text AS call, chain_id::text AS chain,
        campaign_id::text AS campaign, sequence, created_at, data->>'result' AS result, data->>'reason' AS reason
    FROM webhooks_event, LATERAL (SELECT convert_from(body, 'UTF8')::jsonb->'data' AS data) AS told
    WHERE type IN ('call.ended', 'call.exhausted', 'campaign.ended') ORDER BY sequence
"""
_LINES = "SELECT id::text, ring_timeout_seconds, max_duration_seconds FROM dialer_line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the database holds; ``at`` is when it was read."""

    at: datetime
    calls: Sequence[Any]
    callbacks: Sequence[Any]
    members: Sequence[Any]
    campaigns: Sequence[Any]
    events: Sequence[Any] = ()
    lines: Sequence[Any] = ()


def read(dsn: str, *, at: datetime) -> Rows:
    """Read everything in one snapshot."""
    with psycopg.connect(dsn, row_factory=namedtuple_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def rows(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        return Rows(
            at=at,
            calls=rows(_CALLS),
            callbacks=rows(_CALLBACKS),
            members=rows(_MEMBERS),
            campaigns=rows(_CAMPAIGNS),
            events=rows(_EVENTS),
            lines=rows(_LINES),
        )
