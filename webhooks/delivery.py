"""Claims deliveries fairly over endpoints and turns them into requests (:mod:`webhooks.settling` writes the results).

Endpoints that have free slots take turns, and a claim takes due rows of each: the backlog of one does not delay
another. It commits before anything is sent; a row whose lease runs out is due again. So each event arrives at least
once, and repeats have the same ids and bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from dialer.workspaces.encryption import SecretUnreadable, decrypt, decrypt_mapping
from dialer.workspaces.ids import public_id
from dialer.workspaces.statements import fetch
from webhooks.models import Delivery, Event
from webhooks.outbox import CHAIN_PREFIX
from webhooks.rules.classify import Failure
from webhooks.rules.lanes import SLOW_MS, Lane, lane_of
from webhooks.rules.signature import Signer, Unsignable, sign
from webhooks.rules.statuses import SigningMethod
from webhooks.transport import Answer, Request

GRACE = timedelta(seconds=10)
"""How much longer than the deadline a lease lasts: for settling, and for a short outage of the database."""
MOST_ENDPOINTS = 100
"""How many endpoints one claim serves: each takes a lock in a table that all sessions of PostgreSQL share."""
BURST_SECONDS = 0.1
"""The burst that a rate allows: the deliveries of this much time, at least one."""
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
    custom_headers: bytes | None = field(repr=False)
    """Encrypted, as the secrets are."""
    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claimed:
    """A delivery that this process may send until its lease ends."""

    id: UUID
    generation: int
    failures: int
    receiver: Receiver
    event_id: UUID | None
    """``None`` for a batch, whose own id identifies it."""
    event_type: str
    """The item type of a batch."""
    body: bytes = field(repr=False)
    chain_id: UUID | None
    sequence: int | None
    is_test: bool = False


_RECEIVER = """
    p.id, p.url, p.signing_method, p.secret, p.next_secret, p.timeout_seconds, p.max_retries, p.backoff_ms, p.retry_on,
    p.custom_headers, p.latency_ms
"""
_RECEIVER_OF = "SELECT {receiver}, 1 AS waiting FROM webhooks_endpoint p WHERE p.id = %(id)s".replace(
    "{receiver}", _RECEIVER
)
# Of a chain that is sent in order, only the first pending delivery has its turn. Scalar subqueries with a limit: for
# EXISTS the planner would read the whole table.
_HAS_ITS_TURN = """(NOT {endpoint}.ordered OR d.chain_id IS NULL OR (
                    SELECT true FROM webhooks_delivery b
                    WHERE b.endpoint_id = d.endpoint_id AND b.status = 'pending' AND b.chain_id = d.chain_id
                        AND b.sequence < d.sequence LIMIT 1) IS NULL)"""
# Endpoints with pending deliveries, found by a skip scan of the index of pending rows; settled rows cost nothing.
# The lock is between claims only: it writes nothing, and neither settling nor recording waits for it (ADR 14).
_LOCK_ENDPOINTS = """
    WITH RECURSIVE waiting (endpoint_id) AS (
        (SELECT endpoint_id FROM webhooks_delivery WHERE status = 'pending' ORDER BY endpoint_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.endpoint_id FROM webhooks_delivery d
                WHERE d.status = 'pending' AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
        FROM waiting w WHERE w.endpoint_id IS NOT NULL
    ), ready AS MATERIALIZED (
        SELECT p.*
        FROM waiting w CROSS JOIN LATERAL (  -- the limit keeps the planner from visiting all endpoints
            SELECT {receiver} FROM webhooks_endpoint p
            WHERE p.id = w.endpoint_id AND p.is_active AND p.paused_at IS NULL
                AND CASE %(lane)s::text WHEN 'fast' THEN p.latency_ms < %(slow_ms)s
                                  WHEN 'slow' THEN p.latency_ms IS NULL OR p.latency_ms >= %(slow_ms)s ELSE true END
                AND (p.open_until IS NULL OR p.open_until <= %(now)s)
                AND (p.next_free_at IS NULL OR p.next_free_at <= %(now)s)
                AND (SELECT true FROM webhooks_delivery d
                     WHERE d.endpoint_id = p.id AND d.status = 'pending' AND d.due_at <= %(now)s AND {has_its_turn}
                         AND (d.lease_until IS NULL OR d.lease_until <= %(now)s)
                     ORDER BY d.due_at, d.id LIMIT 1)
                AND CASE WHEN p.trips = 0 THEN p.max_in_flight ELSE 1 END
                    > (SELECT count(*) FROM webhooks_delivery d
                       WHERE d.endpoint_id = p.id AND d.status = 'pending' AND d.lease_until > %(now)s)
            LIMIT 1
        ) p
        ORDER BY p.id <= %(after)s, p.id
        LIMIT %(most)s
    )
    SELECT *, (SELECT count(*) FROM ready)::int AS waiting FROM ready
    WHERE pg_try_advisory_xact_lock(uuid_hash_extended(id, 0))
""".replace("{receiver}", _RECEIVER).replace("{has_its_turn}", _HAS_ITS_TURN.format(endpoint="p"))
# A statement of its own: it sees what others claimed before it got the locks, so caps and rates hold exactly. Of the
# endpoints it writes only those with a rate.
_TAKE_DUE = """
    WITH rated AS MATERIALIZED (  -- settling and an operator's change lock the row too; claims do not wait for them
        SELECT p.id FROM webhooks_endpoint p
        WHERE p.id = ANY(%(endpoints)s) AND p.rate_per_second IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED
    ), free AS MATERIALIZED (
        SELECT p.id, p.rate_per_second AS rate, p.timeout_seconds, p.ordered,
               GREATEST(p.next_free_at, %(now)s - make_interval(secs => %(burst)s)) AS free_from,
               CASE WHEN p.trips = 0 THEN p.max_in_flight WHEN p.open_until <= %(now)s THEN 1 ELSE 0 END
                   - (SELECT count(*) FROM webhooks_delivery d
                      WHERE d.endpoint_id = p.id AND d.status = 'pending' AND d.lease_until > %(now)s) AS slots
        FROM webhooks_endpoint p WHERE p.id = ANY(%(endpoints)s)
            AND (p.rate_per_second IS NULL OR p.id IN (SELECT id FROM rated))
    ), room AS MATERIALIZED (
        SELECT *, GREATEST(0, LEAST(slots, %(share)s, CASE WHEN rate IS NULL THEN slots WHEN free_from > %(now)s THEN 0
            ELSE floor(extract(epoch FROM %(now)s - free_from) * rate)::int + 1 END)) AS takes
        FROM free
    ), due AS MATERIALIZED (
        SELECT d.id, room.timeout_seconds FROM room CROSS JOIN LATERAL (
            SELECT d.id FROM webhooks_delivery d
            WHERE d.endpoint_id = room.id AND d.status = 'pending' AND d.due_at <= %(now)s AND {has_its_turn}
                AND (d.lease_until IS NULL OR d.lease_until <= %(now)s)
            ORDER BY d.due_at, d.id LIMIT room.takes FOR NO KEY UPDATE SKIP LOCKED
        ) d
    ), taken AS (
        UPDATE webhooks_delivery d SET generation = d.generation + 1, last_attempt_at = %(now)s,
            lease_until = %(now)s + make_interval(secs => due.timeout_seconds) + %(grace)s
        FROM due WHERE d.id = due.id
        RETURNING d.id, d.endpoint_id, d.event_id, d.generation, d.failures, d.due_at, d.batch_type, d.body
    ), pressed AS (
        UPDATE webhooks_endpoint p SET next_free_at = room.free_from + make_interval(secs => t.taken / room.rate)
        FROM room JOIN (SELECT endpoint_id, count(*) AS taken FROM taken GROUP BY endpoint_id) t
            ON t.endpoint_id = room.id
        WHERE p.id = room.id AND room.rate IS NOT NULL
    )
    SELECT t.id, t.endpoint_id, t.generation, t.failures, t.event_id, e.chain_id, e.sequence, e.is_test,
           COALESCE(NULLIF(t.batch_type, ''), e.type) AS type, COALESCE(t.body, e.body) AS body
    FROM taken t
    LEFT JOIN LATERAL (  -- the limit keeps the planner, which cannot guess how few are taken, from reading all events
        SELECT type, body, chain_id, sequence, is_test FROM webhooks_event WHERE id = t.event_id LIMIT 1
    ) e ON true
    ORDER BY t.endpoint_id <= %(after)s, t.endpoint_id, t.due_at, t.id
""".replace("{has_its_turn}", _HAS_ITS_TURN.format(endpoint="room"))
_FIRST = UUID(int=0)


class _Endpoint(NamedTuple):
    """Columns of _RECEIVER, and of the claim."""

    id: UUID
    url: str
    signing_method: str
    secret: bytes | None
    next_secret: bytes | None
    timeout_seconds: float
    max_retries: int
    backoff_ms: int
    retry_on: list[int]
    custom_headers: bytes | None
    latency_ms: float | None
    waiting: int
    """How many endpoints may have a share of this claim, itself and those that another claim holds too."""


class _Taken(NamedTuple):
    id: UUID
    endpoint_id: UUID
    generation: int
    failures: int
    event_id: UUID | None
    chain_id: UUID | None
    sequence: int | None
    is_test: bool | None
    type: str
    body: bytes


def claim_due(
    *,
    limit: int,
    most_endpoints: int = MOST_ENDPOINTS,
    lane: Lane | None = None,
    after: UUID = _FIRST,
    now: datetime,
) -> list[Claimed]:
    """Lease at most ``limit`` due deliveries to the caller, fairly over the endpoints of a lane that have free slots.

    Endpoints take turns in the order of their ids, beginning after the one named ``after``, and the result is in the
    order of their turns. Each gets an equal share, limited by its ``max_in_flight`` and ``rate_per_second``; one whose
    circuit was open gets one delivery at a time, and an ordered one gets one of each chain. Without a ``lane`` all
    endpoints take part, at most ``most_endpoints`` of them. Never waits for a lock. Commits; must not be
    called in a transaction.
    """
    with transaction.atomic(durable=True):
        locked = fetch(
            _Endpoint,
            "lock_endpoints",
            _LOCK_ENDPOINTS,
            {
                "now": now,
                "most": min(limit, most_endpoints),
                "lane": lane and lane.value,
                "slow_ms": SLOW_MS,
                "after": after,
            },
        )
        if not locked:
            return []
        rows = fetch(
            _Taken,
            "take_due",
            _TAKE_DUE,
            {
                "now": now,
                "endpoints": [row.id for row in locked],
                "share": limit // locked[0].waiting,
                "burst": BURST_SECONDS,
                "grace": GRACE,
                "after": after,
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
            is_test=bool(row.is_test),
        )
        for row in rows
    ]


def prepare(claimed: Claimed, *, now: datetime) -> Request | Answer:
    """Return the freshly signed request, or a failed answer if it cannot be made."""
    receiver, prefix = claimed.receiver, settings.WEBHOOK_HEADER_PREFIX
    event_id = _message_id(claimed)
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
    if claimed.is_test:
        headers.append((f"{prefix}-Test", "true"))
    try:
        signer = Signer(
            method=receiver.signing_method, secret=_opened(receiver.secret), next_secret=_opened(receiver.next_secret)
        )
        headers += sign(signer, body=claimed.body, message_id=event_id, timestamp=int(now.timestamp()), prefix=prefix)
        headers += custom_headers(receiver).items()
    except Unsignable as error:
        return Answer(key=claimed, failure=Failure.UNSIGNABLE, detail=str(error))
    except SecretUnreadable as error:
        return Answer(key=claimed, failure=Failure.SECRET_UNREADABLE, detail=str(error))
    return Request(
        key=claimed,
        url=receiver.url,
        headers=headers,
        body=claimed.body,
        timeout_seconds=receiver.timeout_seconds,
    )


def custom_headers(receiver: Receiver) -> Mapping[str, str]:
    """Return the headers that the endpoint adds to its requests; raises :class:`SecretUnreadable`."""
    return _decrypted_mapping(receiver.custom_headers)


def newest_attempt(row: Delivery) -> Claimed:
    """Return a delivery as its newest or first attempt claims it, for :func:`prepare`; nothing is leased."""
    (endpoint,) = fetch(_Endpoint, "receiver_of", _RECEIVER_OF, {"id": row.endpoint_id})
    event = row.event
    return Claimed(
        id=row.id,
        generation=max(1, row.generation),
        failures=row.failures,
        receiver=_receiver(endpoint),
        event_id=row.event_id,
        event_type=row.event_type,
        body=row.sent_body,
        chain_id=event.chain_id if event else None,
        sequence=event.sequence if event else None,
        is_test=event.is_test if event else False,
    )


def _message_id(claimed: Claimed) -> str:
    """Return the id that every repeat carries: the event's, or the batch's."""
    if claimed.event_id is None:
        return public_id(Delivery.public_prefix, claimed.id)
    return public_id(Event.public_prefix, claimed.event_id)


def _receiver(row: _Endpoint) -> Receiver:
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
        custom_headers=None if row.custom_headers is None else bytes(row.custom_headers),
        lane=lane_of(row.latency_ms),
    )


@lru_cache(maxsize=4096)
def _decrypted(token: bytes) -> str:
    return decrypt(token)


@lru_cache(maxsize=4096)
def _decrypted_mapping(token: bytes | None) -> Mapping[str, str]:
    return decrypt_mapping(token)


def _opened(token: bytes | None) -> str | None:
    return None if token is None else _decrypted(token)
