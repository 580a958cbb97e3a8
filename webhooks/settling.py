"""Settles an attempt: its row, its delivery's next step, and its endpoint's health.

Only the attempt that holds a delivery's lease changes its status. Settling the same attempt again, after a commit whose
answer was lost, changes nothing; neither does a late answer after the lease ran out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from dialer.workspaces.statements import fetch
from webhooks.delivery import Claimed
from webhooks.rules.backoff import parse_retry_after, wait_before_retry
from webhooks.rules.circuit import OPENS_AFTER, waits
from webhooks.rules.classify import Failure, Verdict, classify, error_name
from webhooks.rules.lanes import KEPT_PER_ATTEMPT
from webhooks.rules.statuses import DeliveryStatus
from webhooks.transport import Answer

KEY_TROUBLE_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A claimed delivery, when it was sent, and its answer."""

    claimed: Claimed
    started_at: datetime
    answer: Answer
    dice: float
    """A random number in [0, 1), for the jitter of a retry."""


# One statement, so that an attempt that was settled before changes nothing anywhere:
#   locked   locks the endpoints and reads their health as it is then; endpoints before deliveries, in the order of ids
#   came     the attempts, in the order of their answers; counting makes sure that all endpoints are locked by then
#   logged   inserts a row per attempt, unless it has its row already
#   new      the attempts that had none
#   settled  updates the delivery, if this attempt holds its lease
#   told     sums up per endpoint: delivered, failed, failures since the last success
#   health   decides whether the run of failures opens the endpoint's circuit
#   counted  updates the endpoint's counters, circuit and latency; its row is locked, so no update is lost
_SETTLE = """
    WITH locked AS MATERIALIZED (
        SELECT p.id, p.trips, p.failure_run, p.open_until FROM webhooks_endpoint p
        WHERE p.id = ANY(%(endpoints)s) ORDER BY p.id FOR NO KEY UPDATE
    ), came AS MATERIALIZED (
        SELECT * FROM unnest(
            %(deliveries)s::uuid[], %(generations)s::int[], %(statuses)s::text[], %(due)s::timestamptz[],
            %(failures)s::int[], %(may_pass)s::boolean[], %(is_ours)s::boolean[], %(started)s::timestamptz[],
            %(urls)s::text[], %(addresses)s::inet[], %(dns)s::float8[], %(connect)s::float8[], %(tls)s::float8[],
            %(first_byte)s::float8[], %(total)s::float8[], %(codes)s::smallint[], %(errors)s::text[],
            %(details)s::text[], %(answers)s::bytea[]
        ) WITH ORDINALITY AS t (
            delivery_id, generation, status, due_at, failures, may_pass, is_ours, started_at, url, address, dns_ms,
            connect_ms, tls_ms, first_byte_ms, total_ms, status_code, error, error_detail, answer, place
        )
        WHERE (SELECT count(*) FROM locked) > 0
    ), logged AS (
        INSERT INTO webhooks_deliveryattempt (delivery_id, number, started_at, url, address, dns_ms, connect_ms, tls_ms,
                                              first_byte_ms, total_ms, status_code, error, error_detail, answer)
        SELECT delivery_id, generation, started_at, url, address, dns_ms, connect_ms, tls_ms, first_byte_ms, total_ms,
               status_code, error, error_detail, answer
        FROM came
        ON CONFLICT (delivery_id, number, started_at) DO NOTHING
        RETURNING delivery_id, number
    ), new AS MATERIALIZED (  -- joined by itself, because the planner would compare all with all beside the deliveries
        SELECT c.* FROM came c JOIN logged l ON l.delivery_id = c.delivery_id AND l.number = c.generation
    ), settled AS (
        UPDATE webhooks_delivery d SET status = c.status, due_at = c.due_at, failures = c.failures, lease_until = NULL,
            last_status_code = c.status_code, last_error = c.error,
            is_recoverable = c.status = 'failed' AND c.may_pass AND d.recovered_at IS NULL,
            settled_at = CASE WHEN c.status = 'pending' THEN NULL ELSE %(now)s END
        FROM new c
        WHERE d.id = c.delivery_id AND d.generation = c.generation AND d.status = 'pending'
        RETURNING d.endpoint_id, d.status, c.error, c.error_detail, c.is_ours, c.total_ms, c.place
    ), told AS (
        SELECT endpoint_id, count(*) FILTER (WHERE status = 'delivered') AS delivered,
               count(*) FILTER (WHERE status = 'failed') AS failed,
               count(*) FILTER (WHERE status <> 'delivered' AND NOT is_ours AND place > taken) AS failures_since,
               max(concat_ws(': ', error, NULLIF(error_detail, ''))) FILTER (WHERE status <> 'delivered') AS error,
               avg(total_ms) FILTER (WHERE NOT is_ours) AS took_ms,
               %(kept)s::float8 ^ count(*) FILTER (WHERE NOT is_ours) AS kept
        FROM (SELECT *, COALESCE(max(place) FILTER (WHERE status = 'delivered') OVER (PARTITION BY endpoint_id), 0)
                            AS taken FROM settled) s
        GROUP BY endpoint_id
    ), health AS (
        SELECT t.*, run, is_tripped,
               CASE WHEN t.delivered > 0 THEN 0 ELSE p.trips + is_tripped::int END AS trips
        FROM told t JOIN locked p ON p.id = t.endpoint_id
        CROSS JOIN LATERAL (
            SELECT t.failures_since + CASE WHEN t.delivered > 0 THEN 0 ELSE p.failure_run END AS run
        ) r
        CROSS JOIN LATERAL (  -- what was still under way when it opened does not open it further
            SELECT t.delivered = 0 AND t.failures_since > 0 AND run >= %(opens_after)s
                AND (p.open_until IS NULL OR p.open_until <= %(now)s) AS is_tripped
        ) o
    ), counted AS (
        UPDATE webhooks_endpoint p SET delivered_count = p.delivered_count + h.delivered,
            failed_count = p.failed_count + h.failed,
            last_delivery_at = CASE WHEN h.delivered > 0 THEN %(now)s ELSE p.last_delivery_at END,
            failure_run = h.run,
            failing_since = CASE WHEN h.run = 0 THEN NULL WHEN h.delivered > 0 THEN %(now)s
                                 ELSE COALESCE(p.failing_since, %(now)s) END,
            trips = h.trips,
            open_until = CASE WHEN h.trips = 0 THEN NULL WHEN is_tripped
                THEN %(now)s + make_interval(secs => (%(waits)s::float8[])[LEAST(h.trips, %(longest)s)])
                ELSE p.open_until END,
            latency_ms = COALESCE(h.took_ms + (COALESCE(p.latency_ms, h.took_ms) - h.took_ms) * h.kept, p.latency_ms),
            last_error = COALESCE(left(h.error, 300), p.last_error),
            last_error_at = CASE WHEN h.error IS NULL THEN p.last_error_at ELSE %(now)s END
        FROM health h WHERE p.id = h.endpoint_id
    )
    SELECT status, count(*) AS number FROM settled GROUP BY status
"""
_WAITS = [wait.total_seconds() for wait in waits()]


class _Counted(NamedTuple):
    status: str
    number: int


def settle(sent: Sequence[Sent], *, now: datetime) -> dict[str, int]:
    """Write a row per attempt and update the deliveries that still wait for it; return the number by new status.

    ``sent`` is in the order of the answers. Idempotent. Locks endpoints in the order of their ids, then deliveries.
    """
    if not sent:
        return {}
    ends = [_end(each, now=now) for each in sent]
    answers = [each.answer for each in sent]
    rows = fetch(
        _Counted,
        "settle",
        _SETTLE,
        {
            "now": now,
            "endpoints": list({each.claimed.receiver.id for each in sent}),
            "opens_after": OPENS_AFTER,
            "waits": _WAITS,
            "longest": len(_WAITS),
            "kept": KEPT_PER_ATTEMPT,
            "deliveries": [each.claimed.id for each in sent],
            "generations": [each.claimed.generation for each in sent],
            "statuses": [end.status.value for end in ends],
            "due": [end.due_at for end in ends],
            "failures": [end.failures for end in ends],
            "may_pass": [end.may_pass for end in ends],
            "is_ours": [answer.failure is Failure.SECRET_UNREADABLE for answer in answers],
            "started": [each.started_at for each in sent],
            "urls": [each.claimed.receiver.url for each in sent],
            "addresses": [answer.address for answer in answers],
            "dns": [answer.dns_ms for answer in answers],
            "connect": [answer.connect_ms for answer in answers],
            "tls": [answer.tls_ms for answer in answers],
            "first_byte": [answer.first_byte_ms for answer in answers],
            "total": [answer.total_ms for answer in answers],
            "codes": [answer.status for answer in answers],
            "errors": [error_name(status=answer.status, failure=answer.failure) for answer in answers],
            "details": [answer.detail.replace("\x00", "") for answer in answers],
            "answers": [answer.body for answer in answers],
        },
    )
    return {row.status: row.number for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """The next state of a delivery after an attempt."""

    status: DeliveryStatus
    failures: int
    due_at: datetime
    may_pass: bool = False
    """Whether the failure may be temporary."""


def _end(sent: Sent, *, now: datetime) -> _End:
    claimed, answer = sent.claimed, sent.answer
    if answer.failure is Failure.SECRET_UNREADABLE:
        # A fault on our side, so it uses up none of the delivery's retries.
        return _End(status=DeliveryStatus.PENDING, failures=claimed.failures, due_at=now + KEY_TROUBLE_WAIT)
    verdict = classify(status=answer.status, failure=answer.failure, retry_on=claimed.receiver.retry_on)
    if verdict is Verdict.DELIVERED:
        return _End(status=DeliveryStatus.DELIVERED, failures=claimed.failures, due_at=sent.started_at)
    failures = claimed.failures + 1
    if verdict is Verdict.FAILED:
        return _End(status=DeliveryStatus.FAILED, failures=failures, due_at=sent.started_at)
    if failures > claimed.receiver.max_retries:
        return _End(status=DeliveryStatus.FAILED, failures=failures, due_at=sent.started_at, may_pass=True)
    wait = wait_before_retry(
        failures=failures,
        backoff=claimed.receiver.backoff,
        dice=sent.dice,
        retry_after=parse_retry_after(answer.retry_after, now=now),
    )
    return _End(status=DeliveryStatus.PENDING, failures=failures, due_at=now + wait)
