"""Fills a workspace with the rows that a scenario needs to be there beforehand, a table by a statement or two."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection

from dialer.models import Campaign
from dialer.workspaces.statements import Id, fetch, run

_AT_ONCE = 50_000
"""Rows of a statement: more would take longer than statements may."""
_CONTACTS = """
    INSERT INTO dialer_contact (id, workspace_id, name, phone, time_zone, zones, timezone_source, warnings, status,
        metadata)
    SELECT gen_random_uuid(), %(workspace)s, 'Bench', '+1' || (4000000000 + nextval('bench_numbers'))::text,
        'Europe/Berlin', '["Europe/Berlin"]', 'contact', '[]', '', '{}'
    FROM generate_series(1, %(count)s) RETURNING id
"""
_CALLS = """
    INSERT INTO dialer_call (id, workspace_id, campaign_id, campaign_contact_id, contact_id, persona_id, line_id,
        number, caller_id, rank, due_at, chain_id, attempt_number, retries_used, schedule, metadata, direction, status,
        outcome, ended_reason, held_reason, generation, carrier_call_id, follow_up_pending, dialing_at, ended_at)
"""
_CONTACTS_OF_CAMPAIGN = """
    FROM dialer_campaigncontact k
    JOIN dialer_campaign c ON c.id = k.campaign_id
    JOIN dialer_contact p ON p.id = k.contact_id
    WHERE k.campaign_id = %(campaign)s AND NOT EXISTS (SELECT FROM dialer_call o WHERE o.campaign_contact_id = k.id)
"""


def a_contact(workspace_id: UUID) -> UUID:
    return fetch(Id, "bench_contact", _CONTACTS, {"workspace": workspace_id, "count": 1})[0].id


def campaign_contacts(campaign: Campaign, count: int, *, state: str = "waiting") -> None:
    """Make contacts and put them into a campaign; waiting ones are not scheduled yet."""
    for begun in range(0, count, _AT_ONCE):
        run(
            "bench_campaign_contacts",
            f"""
            WITH made AS ({_CONTACTS})
            INSERT INTO dialer_campaigncontact (id, workspace_id, campaign_id, contact_id, state, end_reason, result)
            SELECT gen_random_uuid(), %(workspace)s, %(campaign)s, id, %(state)s, '', '' FROM made
            """,  # noqa: S608 — a constant of this module
            {
                "workspace": campaign.workspace_id,
                "campaign": campaign.pk,
                "state": state,
                "count": min(_AT_ONCE, count - begun),
            },
        )


def live_calls(campaign: Campaign, count: int) -> list[UUID]:
    """Make contacts who are being called; returns the ids of their calls."""
    campaign_contacts(campaign, count, state="calling")
    rows = fetch(
        Id,
        "bench_live_calls",
        f"""
        {_CALLS}
        SELECT gen_random_uuid(), k.workspace_id, k.campaign_id, k.id, k.contact_id, c.persona_id, c.line_id,
            p.phone, '', 3, now(), k.id, 1, 0, '{{}}', '{{}}', 'outbound', 'dialing',
            '', '', '', 1, '', false, now(), NULL
        {_CONTACTS_OF_CAMPAIGN} RETURNING id
        """,
        {"campaign": campaign.pk},
    )
    return [row.id for row in rows]


def ended_calls(campaign: Campaign, count: int) -> None:
    """Make contacts whose only call was not answered."""
    for begun in range(0, count, _AT_ONCE):
        campaign_contacts(campaign, min(_AT_ONCE, count - begun), state="exhausted")
        run(
            "bench_ended_calls",
            f"""
            {_CALLS}
            SELECT gen_random_uuid(), k.workspace_id, k.campaign_id, k.id, k.contact_id, c.persona_id, c.line_id,
                p.phone, '', 3, now(), k.id, 1, 0, '{{}}', '{{}}', 'outbound', 'ended',
                'no_answer', 'no_answer', '', 1, '', false, now(), now()
            {_CONTACTS_OF_CAMPAIGN}
            """,
            {"campaign": campaign.pk},
        )


def callbacks(campaign: Campaign, count: int) -> None:
    """Make contacts with a pending retry each, due from tomorrow on, a second apart."""
    campaign_contacts(campaign, count, state="callback_pending")
    run(
        "bench_callbacks",
        f"""
        WITH made AS (
            {_CALLS}
            SELECT gen_random_uuid(), k.workspace_id, k.campaign_id, k.id, k.contact_id, c.persona_id, c.line_id,
                p.phone, '', 2, now() + interval '1 day' + row_number() OVER () * interval '1 second',
                k.id, 2, 1, '{{}}', '{{}}', 'outbound', 'queued', '', '', '', 0, '', false, NULL, NULL
            {_CONTACTS_OF_CAMPAIGN} RETURNING id, workspace_id, campaign_id, contact_id, due_at
        )
        INSERT INTO callbacks_callback (workspace_id, campaign_id, contact_id, call_id, type, status, original_outcome,
            number, "limit", scheduled_at, local_time, time_zone, timezone_source, adjusted_reason, notes, explanation,
            completed_by)
        SELECT workspace_id, campaign_id, contact_id, id, 'auto_retry', 'pending', 'no_answer',
            1, 3, due_at, '', 'Europe/Berlin', 'contact', '', '', '[]',
            ''
        FROM made
        """,  # noqa: S608 — constants of this module
        {"campaign": campaign.pk},
    )


def queued_calls(
    campaigns: Sequence[Campaign], contact_id: UUID, count: int, *, first: timedelta, step: timedelta
) -> None:
    """Queue retries of one contact, in turn over campaigns of one workspace: the first is due so long from now."""
    for begun in range(0, count, _AT_ONCE):
        run(
            "bench_queued_calls",
            f"""
            {_CALLS}
            SELECT id, %(workspace)s, (%(campaigns)s::uuid[])[1 + n %% %(turns)s], NULL, %(contact)s, %(persona)s,
                %(line)s, '+14000000000', '', 2, clock_timestamp() + %(first)s + n * %(step)s, id, 1, 0, '{{}}', '{{}}',
                'outbound', 'queued', '', '', '', 0, '', false, NULL, NULL
            FROM (SELECT gen_random_uuid() AS id, n FROM generate_series(1, %(count)s) AS n) AS made
            """,  # noqa: S608 — a constant of this module
            {
                "workspace": campaigns[0].workspace_id,
                "campaigns": [campaign.pk for campaign in campaigns],
                "turns": len(campaigns),
                "contact": contact_id,
                "persona": campaigns[0].persona_id,
                "line": campaigns[0].line_id,
                "first": first + begun * step,
                "step": step,
                "count": min(_AT_ONCE, count - begun),
            },
        )


def analyse() -> None:
    """Let the planner know what is there, as autovacuum does soon after."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
