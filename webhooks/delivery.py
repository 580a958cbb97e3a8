"""Deliveries on their way: claimed fairly, made into requests, and settled by what came of them.

The claim locks endpoints that have room and takes due rows of each, so that a backlog of one holds up no other. It
commits before anything is sent; a lease that runs out makes the row due again. So each event arrives at least once,
and whatever arrives twice has the same ids and bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from dialer.workspaces.encryption import SecretUnreadable, decrypt
from dialer.workspaces.ids import public_id
from dialer.workspaces.statements import run
from webhooks.models import Delivery, Event
from webhooks.outbox import CHAIN_PREFIX
from webhooks.rules.backoff import parse_retry_after, wait_before_retry
from webhooks.rules.classify import Failure, Verdict, classify, error_name
from webhooks.rules.signature import Signer, Unsignable, sign
from webhooks.rules.statuses import DeliveryStatus, SigningMethod
from webhooks.transport import Answer, Request

GRACE = timedelta(seconds=10)
"""How much longer than the deadline a lease lasts: for settling, and for a database that is away a moment."""
KEY_TROUBLE_WAIT = timedelta(minutes=1)
BURST_SECONDS = 0.1
"""What a rate lets through at once: as much as belongs to so much time, one at least."""
USER_AGENT = "Ringback/0.1 (webhooks)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """What a claim needs to know of an endpoint."""

    id: UUID
    url: str
    signing_method: SigningMethod
    secret: bytes | None = field(repr=False)
    next_secret: bytes | None = field(repr=False)
    timeout_seconds: float
    max_retries: int
    backoff: timedelta
    retry_on: Sequence[int]
    custom_headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claimed:
    """A delivery that is this process's to send until its lease ends."""

    id: UUID
    generation: int
    failures: int
    receiver: Receiver
    event_id: UUID | None
    """None for a batch, which is known by its own id."""
    event_type: str
    """Of a batch, what its items are."""
    body: bytes = field(repr=False)
    chain_id: UUID | None
    sequence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A claimed delivery, when it was sent, and what came of it."""

    claimed: Claimed
    started_at: datetime
    answer: Answer
    dice: float
    """In [0, 1): how much jitter a retry gets."""


# Endpoints with something pending, found by leaps over the index of pending rows: what waits for nobody costs nothing.
_LOCK_ENDPOINTS = """
    WITH RECURSIVE waiting (endpoint_id) AS (
        (SELECT endpoint_id FROM webhooks_delivery WHERE status = 'pending' ORDER BY endpoint_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.endpoint_id FROM webhooks_delivery d
                WHERE d.status = 'pending' AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
        FROM waiting w WHERE w.endpoint_id IS NOT NULL
    )
    SELECT p.id, p.url, p.signing_method, p.secret, p.next_secret, p.timeout_seconds, p.max_retries, p.backoff_ms,
           p.retry_on, p.custom_headers::text AS custom_headers
    FROM webhooks_endpoint p
    WHERE p.id IN (SELECT endpoint_id FROM waiting) AND p.is_active
        AND (p.next_free_at IS NULL OR p.next_free_at <= %(now)s)
        AND EXISTS (SELECT FROM webhooks_delivery d
                    WHERE d.endpoint_id = p.id AND d.status = 'pending' AND d.due_at <= %(now)s
                        AND (d.lease_until IS NULL OR d.lease_until <= %(now)s))
        AND p.max_in_flight > (SELECT count(*) FROM webhooks_delivery d
                               WHERE d.endpoint_id = p.id AND d.status = 'pending' AND d.lease_until > %(now)s)
    ORDER BY p.served_at NULLS FIRST, p.id
    LIMIT %(limit)s
    FOR NO KEY UPDATE OF p SKIP LOCKED
"""
# A statement of its own: it sees what others claimed before the locks were had, so caps and rates hold exactly.
_TAKE_DUE = """
    WITH free AS MATERIALIZED (
        SELECT p.id, p.rate_per_second AS rate, p.timeout_seconds,
               GREATEST(p.next_free_at, %(now)s - make_interval(secs => %(burst)s)) AS free_from,
               p.max_in_flight - (SELECT count(*) FROM webhooks_delivery d
                                  WHERE d.endpoint_id = p.id AND d.status = 'pending' AND d.lease_until > %(now)s)
                   AS slots
        FROM webhooks_endpoint p WHERE p.id = ANY(%(endpoints)s)
    ), room AS MATERIALIZED (
        SELECT *, GREATEST(0, LEAST(slots, %(share)s, CASE WHEN rate IS NULL THEN slots WHEN free_from > %(now)s THEN 0
            ELSE floor(extract(epoch FROM %(now)s - free_from) * rate)::int + 1 END)) AS takes
        FROM free
    ), due AS MATERIALIZED (
        SELECT d.id, room.timeout_seconds FROM room CROSS JOIN LATERAL (
            SELECT d.id FROM webhooks_delivery d
            WHERE d.endpoint_id = room.id AND d.status = 'pending' AND d.due_at <= %(now)s
                AND (d.lease_until IS NULL OR d.lease_until <= %(now)s)
            ORDER BY d.due_at, d.id LIMIT room.takes FOR NO KEY UPDATE SKIP LOCKED
        ) d
    ), taken AS (
        UPDATE webhooks_delivery d SET generation = d.generation + 1, last_attempt_at = %(now)s,
            lease_until = %(now)s + make_interval(secs => due.timeout_seconds) + %(grace)s
        FROM due WHERE d.id = due.id
        RETURNING d.id, d.endpoint_id, d.event_id, d.generation, d.failures, d.due_at, d.batch_type, d.body
    ), served AS (
        UPDATE webhooks_endpoint p SET served_at = %(now)s,
            next_free_at = room.free_from + make_interval(secs => t.taken / room.rate)
        FROM room JOIN (SELECT endpoint_id, count(*) AS taken FROM taken GROUP BY endpoint_id) t
            ON t.endpoint_id = room.id
        WHERE p.id = room.id
    )
    SELECT t.id, t.endpoint_id, t.generation, t.failures, t.event_id, e.chain_id, e.sequence,
           COALESCE(NULLIF(t.batch_type, ''), e.type) AS type, COALESCE(t.body, e.body) AS body
    FROM taken t
    LEFT JOIN LATERAL (  -- the limit keeps the planner, which cannot guess how few are taken, from reading all events
        SELECT type, body, chain_id, sequence FROM webhooks_event WHERE id = t.event_id LIMIT 1
    ) e ON true
    ORDER BY t.due_at, t.id
"""
_LOCK_SETTLED_ENDPOINTS = """
    SELECT p.id FROM webhooks_endpoint p WHERE p.id = ANY(%(endpoints)s) ORDER BY p.id FOR NO KEY UPDATE
"""
# A delivery moves on with the row of its attempt: settling the same attempt again, after a commit whose answer was
# lost, changes nothing, and neither does the late answer of an attempt whose lease ran out.
_SETTLE = """
    WITH came AS MATERIALIZED (
        SELECT * FROM unnest(
            %(deliveries)s::uuid[], %(generations)s::int[], %(statuses)s::text[], %(due)s::timestamptz[],
            %(failures)s::int[], %(started)s::timestamptz[], %(urls)s::text[], %(addresses)s::inet[],
            %(dns)s::float8[], %(connect)s::float8[], %(tls)s::float8[], %(first_byte)s::float8[],
            %(total)s::float8[], %(codes)s::smallint[], %(errors)s::text[], %(details)s::text[], %(answers)s::bytea[]
        ) AS t (delivery_id, generation, status, due_at, failures, started_at, url, address, dns_ms, connect_ms, tls_ms,
                first_byte_ms, total_ms, status_code, error, error_detail, answer)
    ), logged AS (
        INSERT INTO webhooks_deliveryattempt (delivery_id, number, started_at, url, address, dns_ms, connect_ms, tls_ms,
                                              first_byte_ms, total_ms, status_code, error, error_detail, answer)
        SELECT delivery_id, generation, started_at, url, address, dns_ms, connect_ms, tls_ms, first_byte_ms, total_ms,
               status_code, error, error_detail, answer
        FROM came
        ON CONFLICT (delivery_id, number) DO NOTHING
        RETURNING delivery_id
    ), settled AS (
        UPDATE webhooks_delivery d SET status = c.status, due_at = c.due_at, failures = c.failures, lease_until = NULL,
            last_status_code = c.status_code, last_error = c.error,
            settled_at = CASE WHEN c.status = 'pending' THEN NULL ELSE %(now)s END
        FROM came c JOIN logged USING (delivery_id)
        WHERE d.id = c.delivery_id AND d.generation = c.generation AND d.status = 'pending'
        RETURNING d.endpoint_id, d.status, c.error, c.error_detail
    ), told AS (
        SELECT endpoint_id, count(*) FILTER (WHERE status = 'delivered') AS delivered,
               count(*) FILTER (WHERE status = 'failed') AS failed,
               max(concat_ws(': ', error, NULLIF(error_detail, ''))) FILTER (WHERE status <> 'delivered') AS error
        FROM settled GROUP BY endpoint_id
    ), counted AS (
        UPDATE webhooks_endpoint p SET delivered_count = p.delivered_count + told.delivered,
            failed_count = p.failed_count + told.failed,
            last_delivery_at = CASE WHEN told.delivered > 0 THEN %(now)s ELSE p.last_delivery_at END,
            failing_since = CASE WHEN told.delivered > 0 THEN NULL ELSE COALESCE(p.failing_since, %(now)s) END,
            last_error = COALESCE(left(told.error, 300), p.last_error),
            last_error_at = CASE WHEN told.error IS NULL THEN p.last_error_at ELSE %(now)s END
        FROM told WHERE p.id = told.endpoint_id
    )
    SELECT status, count(*) AS number FROM settled GROUP BY status
"""


def claim_due(*, limit: int, now: datetime) -> list[Claimed]:
    """Lease at most ``limit`` due deliveries to the caller, fairly over the endpoints that have room.

    Endpoints served the longest ago go first, each gets an equal share, and none more than its ``max_in_flight`` and
    ``rate_per_second`` leave. Never waits for a lock. Commits; must not be called in a transaction.
    """
    with transaction.atomic(durable=True):
        locked = run("lock_endpoints", _LOCK_ENDPOINTS, {"now": now, "limit": limit})
        if not locked:
            return []
        rows = run(
            "take_due",
            _TAKE_DUE,
            {
                "now": now,
                "endpoints": [row.id for row in locked],
                "share": limit // len(locked),
                "burst": BURST_SECONDS,
                "grace": GRACE,
            },
        )
    receivers = {row.id: _receiver(row) for row in locked}
    return [
        Claimed(
            id=row.id,
            generation=row.generation,
            failures=row.failures,
            receiver=receivers[row.endpoint_id],
            event_id=row.event_id,
            event_type=row.type,
            body=bytes(row.body),
            chain_id=row.chain_id,
            sequence=row.sequence,
        )
        for row in rows
    ]


def prepare(claimed: Claimed, *, now: datetime) -> Request | Answer:
    """Make the request, signed afresh; or the answer of one that cannot be made."""
    receiver, prefix = claimed.receiver, settings.WEBHOOK_HEADER_PREFIX
    event_id = _told_id(claimed)
    headers = [
        ("Content-Type", "application/json"),
        ("User-Agent", USER_AGENT),
        (f"{prefix}-Event", claimed.event_type),
        (f"{prefix}-Event-Id", event_id),
        (f"{prefix}-Delivery-Id", public_id(Delivery.public_prefix, claimed.id)),
        (f"{prefix}-Attempt", str(claimed.generation)),
    ]
    if claimed.chain_id is not None:
        headers.append((f"{prefix}-Chain-Id", public_id(CHAIN_PREFIX, claimed.chain_id)))
        headers.append((f"{prefix}-Sequence", str(claimed.sequence)))
    try:
        signer = Signer(
            method=receiver.signing_method, secret=_opened(receiver.secret), next_secret=_opened(receiver.next_secret)
        )
        headers += sign(signer, body=claimed.body, message_id=event_id, timestamp=int(now.timestamp()), prefix=prefix)
    except Unsignable as error:
        return Answer(key=claimed, failure=Failure.UNSIGNABLE, detail=str(error))
    except SecretUnreadable as error:
        return Answer(key=claimed, failure=Failure.SECRET_UNREADABLE, detail=str(error))
    return Request(
        key=claimed,
        url=receiver.url,
        headers=[*headers, *receiver.custom_headers.items()],
        body=claimed.body,
        timeout_seconds=receiver.timeout_seconds,
    )


def settle(sent: Sequence[Sent], *, now: datetime) -> dict[str, int]:
    """Write an attempt for each, and move on the deliveries that still wait for it; return how many went where.

    Idempotent. Endpoints are locked in the order of their ids, then deliveries.
    """
    if not sent:
        return {}
    ends = [_end(each, now=now) for each in sent]
    answers = [each.answer for each in sent]
    with transaction.atomic(durable=True):
        run("lock_settled", _LOCK_SETTLED_ENDPOINTS, {"endpoints": list({each.claimed.receiver.id for each in sent})})
        rows = run(
            "settle",
            _SETTLE,
            {
                "now": now,
                "deliveries": [each.claimed.id for each in sent],
                "generations": [each.claimed.generation for each in sent],
                "statuses": [end.status.value for end in ends],
                "due": [end.due_at for end in ends],
                "failures": [end.failures for end in ends],
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
    """Where a delivery goes from an attempt."""

    status: DeliveryStatus
    failures: int
    due_at: datetime


def _end(sent: Sent, *, now: datetime) -> _End:
    claimed, answer = sent.claimed, sent.answer
    if answer.failure is Failure.SECRET_UNREADABLE:
        # Our own trouble: it uses up none of the receiver's retries.
        return _End(status=DeliveryStatus.PENDING, failures=claimed.failures, due_at=now + KEY_TROUBLE_WAIT)
    verdict = classify(status=answer.status, failure=answer.failure, retry_on=claimed.receiver.retry_on)
    if verdict is Verdict.DELIVERED:
        return _End(status=DeliveryStatus.DELIVERED, failures=claimed.failures, due_at=sent.started_at)
    failures = claimed.failures + 1
    if verdict is Verdict.FAILED or failures > claimed.receiver.max_retries:
        return _End(status=DeliveryStatus.FAILED, failures=failures, due_at=sent.started_at)
    wait = wait_before_retry(
        failures=failures,
        backoff=claimed.receiver.backoff,
        dice=sent.dice,
        retry_after=parse_retry_after(answer.retry_after, now=now),
    )
    return _End(status=DeliveryStatus.PENDING, failures=failures, due_at=now + wait)


def _told_id(claimed: Claimed) -> str:
    """Return the id that every repeat has: the event's, or the batch's."""
    if claimed.event_id is None:
        return public_id(Delivery.public_prefix, claimed.id)
    return public_id(Event.public_prefix, claimed.event_id)


def _receiver(row: Any) -> Receiver:  # noqa: ANN401 — a row of _LOCK_ENDPOINTS
    return Receiver(
        id=row.id,
        url=row.url,
        signing_method=SigningMethod(row.signing_method),
        secret=None if row.secret is None else bytes(row.secret),
        next_secret=None if row.next_secret is None else bytes(row.next_secret),
        timeout_seconds=row.timeout_seconds,
        max_retries=row.max_retries,
        backoff=timedelta(milliseconds=row.backoff_ms),
        retry_on=row.retry_on,
        custom_headers=json.loads(row.custom_headers),
    )


@lru_cache(maxsize=4096)
def _decrypted(token: bytes) -> str:
    return decrypt(token)


def _opened(token: bytes | None) -> str | None:
    return None if token is None else _decrypted(token)
