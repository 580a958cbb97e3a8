"""The first page: the size of the queue, lateness of callbacks, calls, deliveries, and what needs a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from callbacks.admin.tabs import TITLES, counted, counts_of
from callbacks.deadlines import LATE_AFTER
from callbacks.queue_views import OVERDUE
from dialer.workspaces.admin.base import workspaces_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.statements import fetch

_SAMPLE = 50_000
"""The most rows that a figure is computed from; on a busy day these are the newest."""
_MINUTES = 10
_HOUR = timedelta(hours=1)

# The site calls it when it renders its index.
admin.site.index_template = "callbacks/admin/dashboard.html"


def fill_in(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures of the user's workspaces to the page's context."""
    now = database_now()
    ids = [workspace.pk for workspace in workspaces_of(request)]
    user: Any = request.user
    if not user.has_perm("callbacks.view_callback") and not user.has_perm("callbacks.change_callback"):
        return context
    counts = counts_of(request, now=now)
    listed = reverse("admin:callbacks_callback_changelist")
    context["title"] = "Ringback"
    context["figures"] = {
        "queues": [
            {
                "title": TITLES[queue],
                "count": counted(count),
                "url": f"{listed}?queue={queue}",
                "is_bad": queue == OVERDUE and count > 0,
            }
            for queue, count in counts.items()
        ],
        "lateness": _lateness(ids, now=now),
        "per_minute": _calls_per_minute(ids, now=now),
        "deliveries": _deliveries(ids, now=now),
        "person": _needs_a_person(ids, now=now),
        "minutes": _MINUTES,
    }
    return context


class _Lateness(NamedTuple):
    dialled: int
    late: list[float] | None


def _lateness(ids: Sequence[UUID], *, now: datetime) -> dict[str, Any]:
    """Return percentiles of the lateness of callbacks dialled in the last 24 hours, from promise to hand-over."""
    row = fetch(
        _Lateness,
        "lateness_of_callbacks",
        """
        SELECT count(*) AS dialled, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY late) AS late
        FROM (
            SELECT extract(epoch FROM dialled_at - scheduled_at)::float8 AS late FROM callbacks_callback
            WHERE workspace_id = ANY(%(ids)s) AND dialled_at >= %(since)s
            ORDER BY dialled_at DESC LIMIT %(sample)s
        ) newest
        """,
        {"ids": list(ids), "since": now - timedelta(hours=24), "sample": _SAMPLE},
    )[0]
    names = ("p50", "p95", "p99")
    return {
        "dialled": row.dialled,
        "values": [(name, _seconds(value)) for name, value in zip(names, row.late or (), strict=False)],
    }


class _Minute(NamedTuple):
    minute: datetime
    calls: int


def _calls_per_minute(ids: Sequence[UUID], *, now: datetime) -> list[dict[str, Any]]:
    """Count the hand-overs of each of the last minutes by their events, whose ids rise with time."""
    since = now - timedelta(minutes=_MINUTES)
    rows = fetch(
        _Minute,
        "calls_by_minute",
        """
        SELECT date_bin('1 minute', occurred_at, %(since)s) AS minute, count(*) AS calls FROM (
            SELECT type, occurred_at FROM webhooks_event
            WHERE workspace_id = ANY(%(ids)s) AND id >= %(first)s ORDER BY id DESC LIMIT %(sample)s
        ) newest WHERE type = 'call.attempted' AND occurred_at >= %(since)s GROUP BY 1 ORDER BY 1
        """,
        {"ids": list(ids), "since": since, "first": first_id_at(since), "sample": _SAMPLE},
    )
    found = {row.minute: row.calls for row in rows}
    most = max(found.values(), default=0)
    minutes = [since + timedelta(minutes=number) for number in range(_MINUTES)]
    return [
        {"at": minute, "calls": found.get(minute, 0), "height": round(100 * found.get(minute, 0) / most) if most else 0}
        for minute in minutes
    ]


class _Deliveries(NamedTuple):
    status: str
    deliveries: int


def _deliveries(ids: Sequence[UUID], *, now: datetime) -> dict[str, Any]:
    """Count the deliveries of the last hour by status."""
    rows = fetch(
        _Deliveries,
        "deliveries_by_status",
        """
        SELECT status, count(*) AS deliveries FROM (
            SELECT status FROM webhooks_delivery
            WHERE workspace_id = ANY(%(ids)s) AND id >= %(first)s ORDER BY id DESC LIMIT %(sample)s
        ) newest GROUP BY status
        """,
        {"ids": list(ids), "first": first_id_at(now - _HOUR), "sample": _SAMPLE},
    )
    found = {row.status: row.deliveries for row in rows}
    settled = found.get("delivered", 0) + found.get("failed", 0)
    return {
        "percent": round(100 * found.get("delivered", 0) / settled, 1) if settled else None,
        "statuses": [(name, found.get(name, 0)) for name in ("delivered", "pending", "failed", "suppressed")],
    }


class _Troubles(NamedTuple):
    unknown: int
    stale: int
    promises: int
    endpoints: int
    disabled: int
    lines: int


def _needs_a_person(ids: Sequence[UUID], *, now: datetime) -> list[dict[str, Any]]:
    row = fetch(
        _Troubles,
        "what_needs_a_person",
        """
        SELECT
            (SELECT count(*) FROM (SELECT 1 FROM dialer_call WHERE workspace_id = ANY(%(ids)s)
                AND outcome = 'unknown' AND handled_at IS NULL LIMIT %(most)s) a) AS unknown,
            (SELECT count(*) FROM (SELECT 1 FROM callbacks_callback b JOIN dialer_call c ON c.id = b.call_id
                WHERE b.workspace_id = ANY(%(ids)s) AND b.status = 'pending' AND b.scheduled_at < %(now)s
                AND c.not_after < %(now)s LIMIT %(most)s) a) AS stale,
            (SELECT count(*) FROM (SELECT 1 FROM callbacks_callback WHERE workspace_id = ANY(%(ids)s)
                AND status = 'pending' AND scheduled_at < %(promise_late)s AND type <> 'auto_retry'
                LIMIT %(most)s) a) AS promises,
            (SELECT count(*) FROM webhooks_endpoint WHERE workspace_id = ANY(%(ids)s) AND deleted_at IS NULL
                AND is_active AND failing_since IS NOT NULL) AS endpoints,
            (SELECT count(*) FROM webhooks_endpoint WHERE workspace_id = ANY(%(ids)s) AND deleted_at IS NULL
                AND disabled_at IS NOT NULL) AS disabled,
            (SELECT count(*) FROM dialer_line WHERE workspace_id = ANY(%(ids)s) AND archived_at IS NULL
                AND down_until > %(now)s) AS lines
        """,
        {"ids": list(ids), "now": now, "promise_late": now - LATE_AFTER, "most": 1_000},
    )[0]
    queue = f"{reverse('admin:callbacks_callback_changelist')}?queue=overdue"
    endpoints = reverse("admin:webhooks_endpoint_changelist")
    told = (
        (row.unknown, "calls of unknown outcome", f"{reverse('admin:dialer_call_changelist')}?needs_a_person=yes"),
        (row.promises, "promises more than 15 minutes late", queue),
        (row.stale, "stale retries that wait for a decision", queue),
        (row.endpoints, "endpoints that are failing", endpoints),
        (
            row.disabled,
            "endpoints that were switched off after days without a delivery",
            f"{endpoints}?is_active__exact=0",
        ),
        (row.lines, "lines whose carrier cannot be reached", reverse("admin:dialer_line_changelist")),
    )
    return [{"count": count, "text": text, "url": url} for count, text, url in told if count]


def first_id_at(at: datetime) -> UUID:
    """Return the smallest UUIDv7 of a time; rows made since then have greater ids."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _seconds(value: float) -> str:
    if abs(value) < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if abs(value) < 120 else f"{value / 60:.0f} min"  # noqa: PLR2004 — where minutes read better
