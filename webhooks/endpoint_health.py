"""Endpoint health: a failing endpoint is switched off after days, and gets what it missed when it answers again.

This module holds the sweeps. Circuits open and close where attempts are settled (:mod:`webhooks.settling`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F

from dialer.workspaces.audit import SYSTEM, Change, record
from dialer.workspaces.instants import written
from dialer.workspaces.statements import Id, fetch
from webhooks.models import Endpoint
from webhooks.outbox import NewEvent, record_events
from webhooks.rules.circuit import HOPELESS_AFTER, HOPELESS_FAILURES
from webhooks.rules.statuses import Purpose

RECOVERED_FOR = timedelta(hours=24)
DISABLED_EVENT = "endpoint.disabled"

# Endpoints with deliveries to recover, found by a skip scan of their partial index; usually there are none.
_RECOVER = """
    WITH RECURSIVE failed (endpoint_id) AS (
        (SELECT endpoint_id FROM webhooks_delivery WHERE is_recoverable ORDER BY endpoint_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.endpoint_id FROM webhooks_delivery d
                WHERE d.is_recoverable AND d.endpoint_id > f.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
        FROM failed f WHERE f.endpoint_id IS NOT NULL
    ), again AS MATERIALIZED (
        SELECT d.id FROM webhooks_endpoint p
        CROSS JOIN LATERAL (
            SELECT d.id FROM webhooks_delivery d
            WHERE d.endpoint_id = p.id AND d.is_recoverable AND d.settled_at > %(since)s
                AND d.settled_at <= p.last_delivery_at
            ORDER BY d.settled_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
        ) d
        WHERE p.id IN (SELECT endpoint_id FROM failed) AND p.is_active AND p.auto_recover AND p.trips = 0
        LIMIT %(limit)s
    )
    UPDATE webhooks_delivery d SET status = 'pending', due_at = %(now)s, failures = 0, settled_at = NULL,
        is_recoverable = false, recovered_at = %(now)s
    FROM again WHERE d.id = again.id AND d.is_recoverable
    RETURNING d.id
"""


def recover(*, now: datetime, limit: int) -> list[UUID]:
    """Reopen temporarily failed deliveries of the last 24 hours whose endpoints have answered since; return their ids.

    They keep their bytes and ids and get all their retries. Each is recovered once; afterwards only a person can
    redeliver it.
    """
    rows = fetch(Id, "recover_deliveries", _RECOVER, {"now": now, "since": now - RECOVERED_FOR, "limit": limit})
    return [row.id for row in rows]


def disable_hopeless(*, now: datetime, limit: int) -> list[UUID]:
    """Switch off endpoints that have failed for days without a success, and record the events; return their ids.

    Attempts must have failed throughout that time: an endpoint without deliveries is never switched off. What it
    misses is kept ``suppressed``.
    """
    span = ExpressionWrapper(F("last_error_at") - F("failing_since"), output_field=DurationField())
    hopeless = (
        Endpoint.objects.annotate(span=span)
        .filter(is_active=True, failing_since__isnull=False, failure_run__gte=HOPELESS_FAILURES)
        .filter(span__gte=HOPELESS_AFTER)
    )
    with transaction.atomic():
        found = list(hopeless.order_by("id").select_for_update(no_key=True, skip_locked=True)[:limit])
        for endpoint in found:
            endpoint.is_active, endpoint.disabled_at = False, now
        Endpoint.objects.bulk_update(found, ["is_active", "disabled_at"])
        record(SYSTEM, [_change(endpoint) for endpoint in found], now=now)
        record_events([_event(endpoint, now=now) for endpoint in _seen(found)], now=now)
    return [endpoint.id for endpoint in found]


def _seen(found: Sequence[Endpoint]) -> list[Endpoint]:
    """Leave out hidden endpoints of calls and campaigns, whose ids nobody knows."""
    return [endpoint for endpoint in found if endpoint.purpose == Purpose.SUBSCRIPTION.value]


def _event(endpoint: Endpoint, *, now: datetime) -> NewEvent:
    assert endpoint.failing_since is not None
    return NewEvent(
        workspace_id=endpoint.workspace_id,
        type=DISABLED_EVENT,
        occurred_at=now,
        data={
            "webhook_id": endpoint.public_id,
            "name": endpoint.name,
            "url": endpoint.url,
            "disabled_at": written(now),
            "failing_since": written(endpoint.failing_since),
            "failures": endpoint.failure_run,
            "last_error": endpoint.last_error,
        },
        unique_key=f"{DISABLED_EVENT}:{endpoint.id}:{now.isoformat()}",
    )


def _change(endpoint: Endpoint) -> Change:
    return Change.of(
        endpoint,
        "endpoint",
        "disable",
        from_state={"state": "active"},
        to_state={"state": "disabled"},
        reason=f"nothing was taken since {written(endpoint.failing_since)}" if endpoint.failing_since else "",
    )
