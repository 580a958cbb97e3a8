"""The metrics of ``/metrics``, read from PostgreSQL at each scrape.

So every web process gives the same answer, a restart loses nothing, and no worker needs a port. Each statement reads a
partial index of open rows, or only the newest reports.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from config.watch import clocks_ahead, heartbeat_ages
from webhooks.rules.lanes import SLOW_MS

RECENT_SECONDS = 300

_QUEUE = """
SELECT count(*) AS waiting,
       count(*) FILTER (WHERE due_at <= clock_timestamp()) AS due,
       coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS oldest
FROM dialer_call WHERE status = 'queued' AND lease_until IS NULL
"""
_LEASES = """
SELECT count(*) AS held, count(*) FILTER (WHERE lease_until < clock_timestamp()) AS expired
FROM dialer_call WHERE lease_until IS NOT NULL
"""
_LIVE = """
SELECT status, count(*) FROM dialer_call
WHERE status IN ('dialing', 'ringing', 'in_progress') AND direction = 'outbound' GROUP BY status
"""
_PEOPLE = """
SELECT (SELECT count(*) FROM dialer_call WHERE outcome = 'unknown' AND handled_at IS NULL),
       (SELECT count(*) FROM dialer_call WHERE follow_up_pending)
"""
_REPORTS = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0)::float8
FROM dialer_carrierevent WHERE applied_at IS NULL
"""
_CALLBACKS = """
SELECT count(*),
       count(*) FILTER (WHERE scheduled_at < clock_timestamp()),
       coalesce(extract(epoch FROM clock_timestamp() - min(scheduled_at)), 0)::float8
FROM callbacks_callback WHERE status = 'pending'
"""
# Ids find the newest reports, so this needs no index on a time.
_RECENT = """
WITH newest AS (
    SELECT call_id, kind, received_at FROM dialer_carrierevent ORDER BY id DESC LIMIT 20000
), recent AS (
    SELECT DISTINCT call_id FROM newest
    WHERE kind = 'ended' AND received_at > clock_timestamp() - make_interval(secs => %(seconds)s)
)
SELECT c.outcome, count(*) FROM recent JOIN dialer_call c ON c.id = recent.call_id AND c.status = 'ended'
GROUP BY c.outcome
"""
_LATENESS = """
WITH newest AS (
    SELECT call_id, received_at FROM dialer_carrierevent ORDER BY id DESC LIMIT 20000
), recent AS (
    SELECT DISTINCT call_id FROM newest WHERE received_at > clock_timestamp() - make_interval(secs => %(seconds)s)
)
SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99, 1]) WITHIN GROUP (
    ORDER BY extract(epoch FROM c.dialing_at - b.scheduled_at)::float8
)
FROM recent
JOIN callbacks_callback b ON b.call_id = recent.call_id
JOIN dialer_call c ON c.id = b.call_id AND c.dialing_at > clock_timestamp() - make_interval(secs => %(seconds)s)
"""


_DELIVERIES = """
SELECT count(*),
       count(*) FILTER (WHERE due_at <= clock_timestamp() AND lease_until IS NULL),
       count(*) FILTER (WHERE lease_until > clock_timestamp()),
       count(*) FILTER (WHERE lease_until <= clock_timestamp()),
       coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8
FROM webhooks_delivery WHERE status = 'pending'
"""
_ENDPOINTS = """
SELECT CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN NOT is_active THEN 'off'
            WHEN paused_at IS NOT NULL THEN 'paused' WHEN trips > 0 THEN 'probed'
            WHEN latency_ms < %(slow)s THEN 'fast' ELSE 'slow' END,
       count(*)
FROM webhooks_endpoint WHERE deleted_at IS NULL GROUP BY 1
"""
_ATTEMPTS = """
WITH newest AS (
    SELECT status_code, error, first_byte_ms, started_at FROM webhooks_deliveryattempt ORDER BY id DESC LIMIT 20000
)
SELECT CASE WHEN error <> '' THEN error ELSE left(status_code::text, 1) || 'xx' END,
       count(*),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY first_byte_ms) / 1000
FROM newest WHERE started_at > clock_timestamp() - make_interval(secs => %(seconds)s) GROUP BY 1
"""


def render() -> bytes:
    """Return the metrics in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Record())
    return generate_latest(registry)


class _Record:
    """Reads the metrics with a short statement timeout, so that scrapes do not slow down calls."""

    def collect(self) -> Iterator[Metric]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '3s'")
            yield from _calls()
            yield from _callbacks()
            yield from _deliveries()
            yield from _recent()
            yield _heartbeats()
            yield _family("ringback_worker_clock_ahead_seconds", "Time of PostgreSQL's clock", "queue", clocks_ahead())


def _row(sql: str, **parameters: float) -> tuple[Any, ...]:
    return _rows(sql, **parameters)[0]


def _rows(sql: str, **parameters: float) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _calls() -> Iterator[Metric]:
    waiting, due, oldest = _row(_QUEUE)
    held, expired = _row(_LEASES)
    states = {"waiting": waiting, "claimed": held, "dialing": 0, "ringing": 0, "in_progress": 0}
    states |= dict(_rows(_LIVE))
    unknown, undecided = _row(_PEOPLE)
    unapplied, oldest_report = _row(_REPORTS)

    yield _family("ringback_calls", "Calls that are not over, by state", "state", states)
    yield GaugeMetricFamily("ringback_calls_due", "Queued calls whose time has come", due)
    yield GaugeMetricFamily("ringback_calls_oldest_due_seconds", "Age of the oldest due call", max(0.0, oldest))
    yield GaugeMetricFamily("ringback_leases_expired", "Claims whose worker was lost", expired)
    yield GaugeMetricFamily("ringback_calls_unknown", "Calls of unknown outcome that need a person", unknown)
    yield GaugeMetricFamily("ringback_follow_ups_undecided", "Ended calls whose follow-up failed", undecided)
    yield GaugeMetricFamily("ringback_carrier_reports_unapplied", "Reports stored and not applied", unapplied)
    yield GaugeMetricFamily("ringback_carrier_reports_oldest_seconds", "Age of the oldest of them", oldest_report)


def _callbacks() -> Iterator[Metric]:
    pending, overdue, oldest = _row(_CALLBACKS)
    yield GaugeMetricFamily("ringback_callbacks_pending", "Promises not yet kept", pending)
    yield GaugeMetricFamily("ringback_callbacks_overdue", "Promises whose time has passed", overdue)
    yield GaugeMetricFamily("ringback_callbacks_oldest_overdue_seconds", "Age of the oldest", max(0.0, oldest))


def _deliveries() -> Iterator[Metric]:
    pending, due, sending, expired, oldest = _row(_DELIVERIES)
    yield GaugeMetricFamily("ringback_deliveries_pending", "Deliveries neither delivered nor failed", pending)
    yield GaugeMetricFamily("ringback_deliveries_due", "Pending deliveries that are due", due)
    yield GaugeMetricFamily("ringback_deliveries_sending", "Pending deliveries that are being sent", sending)
    yield GaugeMetricFamily("ringback_deliveries_leases_expired", "Pending deliveries whose worker was lost", expired)
    yield GaugeMetricFamily("ringback_deliveries_oldest_due_seconds", "Age of the oldest due one", max(0.0, oldest))
    endpoints = dict(_rows(_ENDPOINTS, slow=SLOW_MS))
    yield _family("ringback_endpoints", "Endpoints, by lane or by the reason why nothing is sent", "state", endpoints)
    attempts = _rows(_ATTEMPTS, seconds=RECENT_SECONDS)
    counts = {kind: count for kind, count, _ in attempts}
    waits = {kind: wait for kind, _, wait in attempts if wait is not None}
    yield _family("ringback_delivery_attempts_5m", "Attempts of the last 5 minutes, by answer", "answer", counts)
    yield _family("ringback_delivery_first_byte_p99_5m_seconds", "Time until receivers answered", "answer", waits)


def _recent() -> Iterator[Metric]:
    ended = dict(_rows(_RECENT, seconds=RECENT_SECONDS))
    quantiles = _row(_LATENESS, seconds=RECENT_SECONDS)[0] or []
    yield _family("ringback_calls_ended_5m", "Calls ended in the last 5 minutes, by outcome", "outcome", ended)
    lateness = dict(zip(("0.5", "0.95", "0.99", "1"), quantiles, strict=False))
    yield _family(
        "ringback_callback_lateness_5m_seconds", "Handed to the carrier minus scheduled_at", "quantile", lateness
    )


def _heartbeats() -> Metric:
    ages = {queue: age for queue, age in heartbeat_ages().items() if age is not None}
    return _family(
        "ringback_heartbeat_age_seconds", "Since the last heartbeat of beat, broker and worker", "queue", ages
    )


def _family(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
