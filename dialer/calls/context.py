"""Everything that decides about a call, read for a batch in one statement.

Placing reads it under locks, completion to decide what follows, and the queue's pages to say why a row waits.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from dialer.calls.hashed_numbers import HASHED_PHONE, number_key
from dialer.rules.contact_limits import ContactLimit, Handed, limits_from, longest_period
from dialer.rules.openings import Terms
from dialer.rules.phone_number import country_of
from dialer.rules.statuses import Direction, Rank
from dialer.rules.time_zones import ContactZones, fallback_zone
from dialer.rules.window_settings import WEEKEND_OFF, WindowInForce, window_in_force
from dialer.workspaces.statements import fetch

Ledger = Mapping[tuple[UUID, str], Sequence[Handed]]


class CallContext(NamedTuple):
    """A call with its contact, persona, campaign, line and workspace: a row of ``contexts_of``.

    JSON columns are text, so that equal texts are parsed once (:func:`parsed`).
    """

    id: UUID
    workspace_id: UUID
    contact_id: UUID
    campaign_id: UUID | None
    campaign_contact_id: UUID | None
    persona_id: UUID
    line_id: UUID
    direction: str
    number: str
    caller_id: str
    chain_id: UUID
    attempt_number: int
    retries_used: int
    status: str
    rank: int
    due_at: datetime
    not_after: datetime | None
    generation: int
    lease_until: datetime | None
    held_reason: str
    dialing_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    force: str | None
    dnc_requested_at: datetime | None
    person_confirmed_at: datetime | None
    cancel_requested_at: datetime | None
    settled_at: datetime | None
    call_schedule: str
    config_webhooks: str | None
    metadata: str
    transcript: str | None
    recording_url: str | None
    contact_name: str
    phone: str
    contact_zones: str
    timezone_source: str
    external_id: str
    is_suppressed: bool
    persona_endpoint: str
    persona_has_flow: bool
    campaign_status: str | None
    campaign_schedule: str | None
    campaign_zone: str | None
    campaign_limits: str | None
    campaign_metadata: str | None
    campaign_end_at: datetime | None
    campaign_policy: str | None
    ring_timeout_seconds: int
    max_duration_seconds: int
    down_until: datetime | None
    line_outages: int
    workspace_zone: str
    workspace_schedule: str
    workspace_limits: str
    stale_after_hours: int
    workspace_policy: str | None

    @property
    def is_inbound(self) -> bool:
        return self.direction == Direction.INBOUND


class _Handed(NamedTuple):
    workspace_id: UUID
    number: str
    dialing_at: datetime
    campaign_id: UUID | None


# Subqueries of one or two tables each: planning one join of eight tables took three times as long as running it.
_CONTEXTS = """
    WITH calls AS MATERIALIZED (
        SELECT c.id, c.workspace_id, c.contact_id, c.campaign_id, c.campaign_contact_id, c.persona_id, c.line_id,
            c.direction, c.number, c.caller_id, c.chain_id, c.attempt_number, c.retries_used, c.status, c.rank,
            c.due_at, c.not_after, c.generation, c.lease_until, c.held_reason, c.dialing_at, c.ringing_at,
            c.answered_at, c.force::text AS force, c.dnc_requested_at, c.person_confirmed_at, c.cancel_requested_at,
            c.settled_at,
            c.schedule::text AS call_schedule, c.config_webhooks::text AS config_webhooks,
            c.metadata::text AS metadata, c.transcript, c.recording_url,
            p.name AS contact_name, p.phone, p.zones::text AS contact_zones, p.timezone_source, p.external_id,
            EXISTS (SELECT FROM dialer_suppression s WHERE s.workspace_id = c.workspace_id AND s.phone = p.phone)
                OR EXISTS (SELECT FROM dialer_suppression s WHERE s.workspace_id = c.workspace_id
                    AND s.phone = {hashed_phone}) AS is_suppressed
        FROM {calls} JOIN dialer_contact p ON p.id = c.contact_id
        WHERE {id} = ANY(%(ids)s) ORDER BY c.id {lock}
    ), campaigns AS MATERIALIZED (
        SELECT k.id, k.status, k.schedule::text AS schedule, k.time_zone, k.contact_limits::text AS limits,
            k.metadata::text AS metadata, k.end_at, r.rules::text AS policy
        FROM dialer_campaign k LEFT JOIN dialer_retrypolicy r ON r.id = k.retry_policy_id
        WHERE k.id IN (SELECT campaign_id FROM calls)
    ), workspaces AS MATERIALIZED (
        SELECT w.id, w.time_zone, w.schedule::text AS schedule, w.contact_limits::text AS limits,
            w.stale_after_hours, r.rules::text AS policy
        FROM workspaces_workspace w
        LEFT JOIN dialer_retrypolicy r ON r.workspace_id = w.id AND r.is_default AND r.archived_at IS NULL
        WHERE w.id IN (SELECT workspace_id FROM calls)
    )
    SELECT c.*, a.endpoint AS persona_endpoint, a.has_flow AS persona_has_flow,
        k.status AS campaign_status, k.schedule AS campaign_schedule, k.time_zone AS campaign_zone,
        k.limits AS campaign_limits, k.metadata AS campaign_metadata,
        k.end_at AS campaign_end_at, k.policy AS campaign_policy,
        l.ring_timeout_seconds, l.max_duration_seconds, l.down_until,
        l.outages_in_a_row AS line_outages,
        w.time_zone AS workspace_zone, w.schedule AS workspace_schedule, w.limits AS workspace_limits,
        w.stale_after_hours, w.policy AS workspace_policy
    FROM calls c
    JOIN workspaces w ON w.id = c.workspace_id
    JOIN dialer_persona a ON a.id = c.persona_id
    JOIN dialer_line l ON l.id = c.line_id
    LEFT JOIN campaigns k ON k.id = c.campaign_id
    ORDER BY c.id
"""
# The calls that the claim would queue: columns that it leaves empty are null, and {} is an empty object.
_FIRST_CALLS = """
    dialer_campaigncontact w JOIN dialer_campaign m ON m.id = w.campaign_id
        CROSS JOIN LATERAL jsonb_populate_record(NULL::dialer_call, jsonb_build_object(
            'id', w.id, 'workspace_id', w.workspace_id, 'contact_id', w.contact_id, 'campaign_id', w.campaign_id,
            'campaign_contact_id', w.id, 'chain_id', w.id, 'persona_id', m.persona_id, 'line_id', m.line_id,
            'direction', 'outbound', 'number', '', 'caller_id', '', 'attempt_number', 1, 'retries_used', 0,
            'status', 'queued', 'rank', %(rank)s::int, 'due_at', coalesce(w.due_at, %(now)s), 'generation', 0,
            'held_reason', '', 'schedule', '{}'::jsonb, 'metadata', '{}'::jsonb)) AS c
"""


def contexts_of(call_ids: Iterable[UUID]) -> list[CallContext]:
    """Read calls with their context, in the order of their ids, without locking anything."""
    return fetch(
        CallContext,
        "call_contexts",
        _contexts("dialer_call c", "c.id"),
        {"ids": list(call_ids), "number_key": number_key()},
    )


def locked_contexts_of(call_ids: Iterable[UUID]) -> list[CallContext]:
    """Lock calls in the order of their ids until the transaction ends, and read them with their context."""
    return fetch(
        CallContext,
        "lock_call_contexts",
        _contexts("dialer_call c", "c.id", lock="FOR NO KEY UPDATE OF c"),
        {"ids": list(call_ids), "number_key": number_key()},
    )


def contexts_of_first_calls(campaign_contact_ids: Iterable[UUID], *, now: datetime) -> list[CallContext]:
    """Read waiting contacts as the calls that the claim would queue for them, each with its campaign contact's id.

    A contact whose first call has no time yet counts as due now.
    """
    return fetch(
        CallContext,
        "first_call_contexts",
        _contexts(_FIRST_CALLS, "w.id"),
        {"ids": list(campaign_contact_ids), "number_key": number_key(), "rank": Rank.NEW.value, "now": now},
    )


@lru_cache(maxsize=3)
def _contexts(calls: str, id_: str, *, lock: str = "") -> str:
    return _CONTEXTS.format(calls=calls, id=id_, lock=lock, hashed_phone=HASHED_PHONE)


def terms_of(call: CallContext) -> Terms:
    """Return the rules that say when the contact of the call may be called."""
    return terms(
        phone=call.phone,
        zones=tuple(parsed(call.contact_zones)),
        timezone_source=call.timezone_source,
        call_schedule=call.call_schedule,
        campaign_schedule=call.campaign_schedule,
        workspace_schedule=call.workspace_schedule,
        campaign_zone=call.campaign_zone or "",
        workspace_zone=call.workspace_zone,
        limits=_limits(call.workspace_limits, call.campaign_limits),
        ring_timeout=timedelta(seconds=call.ring_timeout_seconds),
        campaign_id=call.campaign_id,
    )


def terms(
    *,
    phone: str,
    zones: tuple[str, ...],
    timezone_source: str,
    call_schedule: str | None,
    campaign_schedule: str | None,
    workspace_schedule: str | None,
    campaign_zone: str,
    workspace_zone: str,
    limits: tuple[ContactLimit, ...],
    ring_timeout: timedelta,
    campaign_id: UUID | None,
) -> Terms:
    """Build the terms; schedules are stored JSON as text, so that equal ones are resolved once.

    Derives the country from the number only if a level closes the weekend, which depends on it: that takes longer
    than everything else.
    """
    schedules = call_schedule or "{}", campaign_schedule or "{}", workspace_schedule or "{}"
    country = country_of(phone) if any(WEEKEND_OFF in text for text in schedules) else None
    return Terms(
        window=_window(*schedules, country),
        contact=ContactZones(zones=zones, source=timezone_source),
        fallback=fallback_zone(campaign=campaign_zone, workspace=workspace_zone),
        ring_timeout=ring_timeout,
        limits=limits,
        campaign_id=campaign_id,
    )


def ledger_of(wanted: Iterable[tuple[UUID, str, Terms]], *, now: datetime) -> Ledger:
    """Read the calls handed over to each ``(workspace, number)`` within the longest period of all limits."""
    period = timedelta()
    keys = set()
    for workspace_id, number, its_terms in wanted:
        if its_terms.limits:
            keys.add((workspace_id, number))
            period = max(period, longest_period(its_terms.limits))
    found: dict[tuple[UUID, str], list[Handed]] = defaultdict(list)
    if keys:
        workspaces, numbers = zip(*keys, strict=True)
        for row in fetch(
            _Handed,
            "contact_ledger",
            """
            SELECT c.workspace_id, c.number, c.dialing_at, c.campaign_id
            FROM unnest(%(workspaces)s::uuid[], %(numbers)s::text[]) AS wanted(workspace_id, number)
            JOIN dialer_call c ON c.workspace_id = wanted.workspace_id AND c.number = wanted.number
                AND c.dialing_at > %(since)s AND c.direction = 'outbound'
            """,
            {"workspaces": list(workspaces), "numbers": list(numbers), "since": now - period},
        ):
            found[row.workspace_id, row.number].append(Handed(at=row.dialing_at, campaign_id=row.campaign_id))
    return found


@lru_cache(maxsize=4_096)
def parsed(text: str | None) -> Any:  # noqa: ANN401 — JSON
    """Parse stored JSON; the value is cached and shared, so callers must not change it."""
    return None if text is None else json.loads(text)


@lru_cache(maxsize=4_096)
def _window(call: str, campaign: str, workspace: str, country: str | None) -> WindowInForce:
    return window_in_force(
        call=json.loads(call), campaign=json.loads(campaign), workspace=json.loads(workspace), country=country
    )


@lru_cache(maxsize=1_024)
def _limits(workspace: str | None, campaign: str | None) -> tuple[ContactLimit, ...]:
    return limits_from(parsed(workspace), parsed(campaign))
