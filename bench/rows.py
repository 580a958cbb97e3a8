"""The rows that a measurement of the engine begins with, written in bulk."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from dialer.models import Campaign, Line, Persona
from dialer.rules.statuses import Rank
from dialer.setup import workspace_settings
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.statements import fetch, run
from webhooks.models import Endpoint

ROUND_THE_CLOCK = {"calling_hours": {"start": "00:00", "end": "24:00"}, "callback_retry_schedule": [43_200]}
"""Minutes: every callback that a measured call makes is due in a month, after the measurement."""
IS_BUSY = "0003"
"""The last digits of a number that the simulated carrier reports busy."""
_AT_ONCE = 100_000
_CALLBACK_TYPES = {Rank.CALL_NOW: "manual", Rank.PROMISED: "customer_requested", Rank.RETRY: "auto_retry"}


class Due(NamedTuple):
    """A queued call, and when it is due in seconds of the epoch."""

    id: UUID
    due: float


class _Counted(NamedTuple):
    n: int


def a_campaign() -> Campaign:
    """Make a running campaign in a workspace with the product's defaults, its contact limit too, and an endpoint.

    The endpoint takes every event, signed. The line has no pace, so that the engine is measured and not the pace.
    """
    run("bench_numbers", "CREATE SEQUENCE IF NOT EXISTS bench_numbers")
    now = database_now()
    workspace = workspace_settings.open_workspace(name="Bench", schedule=ROUND_THE_CLOCK, actor=SYSTEM, now=now)
    assert workspace.contact_limits, "contact limits are part of what is measured"
    Endpoint.objects.create(
        workspace=workspace,
        name="Bench",
        url="https://receiver.invalid/",
        events=["*"],
        secret="bench",  # noqa: S106 — nothing is sent
    )
    campaign: Campaign = Campaign.objects.create(
        workspace=workspace,
        name="Bench",
        persona=Persona.objects.create(workspace=workspace, name="Bench"),
        line=Line.objects.create(workspace=workspace, name="Bench", caller_ids=["+15550000000"]),
        schedule=ROUND_THE_CLOCK,
        status="running",
    )
    return campaign


_CONTACTS = """
    INSERT INTO dialer_contact (id, workspace_id, name, phone, time_zone, zones, timezone_source, warnings, status,
        metadata)
    SELECT gen_random_uuid(), %(workspace)s, 'Bench', '+49' || (300000000 + nextval('bench_numbers')) || %(busy)s,
        'Europe/Berlin', '["Europe/Berlin"]', 'contact', '[]', '', '{}'
    FROM generate_series(1, %(count)s) RETURNING id, phone
"""


def waiting_contacts(campaign: Campaign, count: int) -> None:
    """Add contacts to a campaign whose first calls are due now."""
    run(
        "bench_waiting_contacts",
        f"""
        WITH made AS ({_CONTACTS})
        INSERT INTO dialer_campaigncontact
            (id, workspace_id, campaign_id, contact_id, state, due_at, end_reason, result)
        SELECT gen_random_uuid(), %(workspace)s, %(campaign)s, id, 'waiting', clock_timestamp(), '', '' FROM made
        """,  # noqa: S608 — a constant of this module
        {"workspace": campaign.workspace_id, "campaign": campaign.pk, "count": count, "busy": IS_BUSY},
    )


def callbacks(campaign: Campaign, count: int, *, first: datetime, step: timedelta, rank: Rank) -> list[Due]:
    """Promise a callback outside campaigns to each of ``count`` new contacts, ``step`` apart, with its queued call.

    A call of rank ``NEW`` is a first call and has no callback.
    """
    made: list[Due] = []
    for begun in range(0, count, _AT_ONCE):
        made += fetch(
            Due,
            "bench_callbacks",
            f"""
            WITH contacts AS ({_CONTACTS}),
            numbered AS (SELECT id, phone, gen_random_uuid() AS call_id, row_number() OVER () - 1 AS n FROM contacts),
            calls AS (
                INSERT INTO dialer_call (id, workspace_id, contact_id, persona_id, line_id, number, caller_id, rank,
                    due_at, chain_id, attempt_number, retries_used, schedule, metadata, direction, status, outcome,
                    ended_reason, held_reason, generation, carrier_call_id, follow_up_pending)
                SELECT call_id, %(workspace)s, id, %(persona)s, %(line)s, phone, '', %(rank)s::int,
                    %(first)s + n * %(step)s, call_id, 1, 0, %(schedule)s::jsonb, '{{}}', 'outbound', 'queued', '', '',
                    '', 0, '', false
                FROM numbered RETURNING id, contact_id, due_at
            ), promised AS (
                INSERT INTO callbacks_callback (workspace_id, type, status, contact_id, call_id, original_outcome,
                    scheduled_at, local_time, time_zone, timezone_source, adjusted_reason, notes, explanation,
                    completed_by)
                SELECT %(workspace)s, %(type)s::text, 'pending', contact_id, id, '', due_at, '', '', '', '', '', '[]',
                    ''
                FROM calls WHERE %(type)s::text <> ''
            )
            SELECT id, extract(epoch FROM due_at)::float8 AS due FROM calls
            """,  # noqa: S608 — a constant of this module
            {
                "workspace": campaign.workspace_id,
                "persona": campaign.persona_id,
                "line": campaign.line_id,
                "rank": rank.value,
                "type": _CALLBACK_TYPES.get(rank, ""),
                "count": min(_AT_ONCE, count - begun),
                "busy": IS_BUSY,
                "first": first + begun * step,
                "step": step,
                "schedule": '{"calling_hours": {"start": "00:00", "end": "24:00"}}',
            },
        )
    return made


def hold(campaign: Campaign, count: int) -> None:
    """Promise so many callbacks that are due from a month on, and leave the tables as autovacuum would in time."""
    first = database_now() + timedelta(days=30)
    with in_bulk():
        callbacks(campaign, count, first=first, step=timedelta(seconds=1), rank=Rank.PROMISED)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {', '.join(_HOLDING)}")


_HOLDING = ("dialer_contact", "dialer_call", "callbacks_callback")


class _Index(NamedTuple):
    name: str
    made_by: str


@contextmanager
def in_bulk() -> Iterator[None]:
    """Check no foreign keys and write no indexes meanwhile; the indexes are made afterwards, a fifth of the work."""
    indexes = fetch(
        _Index,
        "bench_indexes",
        """
        SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS made_by
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = ANY(%(tables)s::regclass[])
            AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
        """,
        {"tables": list(_HOLDING)},
    )
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for index in indexes:
            cursor.execute(f'DROP INDEX "{index.name}"')
        yield
        for index in indexes:
            cursor.execute(index.made_by)
        cursor.execute("RESET session_replication_role")


def callbacks_made() -> int:
    return fetch(_Counted, "bench_callbacks_made", "SELECT count(*) AS n FROM callbacks_callback")[0].n
