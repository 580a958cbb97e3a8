"""Batches: items wait in a buffer per endpoint and type, and become one delivery when it is full or old enough.

A buffer is the :class:`BatchItem` rows without a delivery. Once frozen, a batch is a delivery like any other, with the
same bytes at every attempt. A failed batch can be sent item by item.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.ids import new_id
from dialer.workspaces.instants import written_with_milliseconds
from dialer.workspaces.statements import fetch, run
from dialer.workspaces.transitions import TransitionConflict
from webhooks.models import BatchItem, Delivery, Event
from webhooks.rules.json_bytes import encode
from webhooks.rules.statuses import BatchType, DeliveryStatus

MOST_OF_A_BUFFER = 1_000
"""How many items of one buffer a round reads at most."""


class NotABatch(Exception):
    """The delivery holds a single event, so it has no items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An event as a batch item for one endpoint; it joins no array before ``ready_at``."""

    event_id: UUID
    endpoint_id: UUID
    type: BatchType
    body: bytes
    ready_at: datetime


def put(items: Sequence[Item]) -> None:
    """Put items into the buffers of their endpoints, in the caller's transaction."""
    if items:
        run(
            "buffer_items",
            """
            INSERT INTO webhooks_batchitem (event_id, endpoint_id, type, body, ready_at)
            SELECT * FROM unnest(%(events)s::uuid[], %(endpoints)s::uuid[], %(types)s::text[], %(bodies)s::bytea[],
                %(ready)s::timestamptz[])
            """,
            {
                "events": [item.event_id for item in items],
                "endpoints": [item.endpoint_id for item in items],
                "types": [item.type.value for item in items],
                "bodies": [item.body for item in items],
                "ready": [item.ready_at for item in items],
            },
        )


def release(
    workspace_id: UUID, unique_key: str, render: Callable[[UUID], Mapping[str, object]], *, now: datetime
) -> bool:
    """Replace the content of an event's items that wait for ``ready_at``, and release them; return whether any did.

    The event is identified by its unique key. Runs in the caller's transaction.
    """
    held = BatchItem.objects.filter(delivery=None, ready_at__gt=now)
    found = Event.objects.in_workspace(workspace_id).filter(unique_key=unique_key).values_list("id", flat=True).first()
    if found is None or not held.filter(event_id=found).exists():
        return False
    return bool(held.filter(event_id=found).update(body=encode(render(found)), ready_at=now))


class _Lock(NamedTuple):
    is_mine: bool


class _Due(NamedTuple):
    endpoint_id: UUID
    workspace_id: UUID
    type: str
    items: list[int]
    body: bytes


def freeze_due(*, now: datetime) -> int:
    """Make deliveries of buffers that are full or whose first item has waited long enough; return how many.

    One process does it at a time, others return 0 at once. Commits; must not be called in a transaction.
    """
    with transaction.atomic(durable=True):
        alone = "SELECT pg_try_advisory_xact_lock(hashtext('webhooks.freeze')) AS is_mine"
        if not fetch(_Lock, "freeze_alone", alone)[0].is_mine:
            return 0
        due = fetch(_Due, "due_batches", _DUE_BATCHES, {"now": now, "most": MOST_OF_A_BUFFER})
        frozen = [(new_id(), row) for row in due]
        if frozen:
            run(
                "freeze_batches",
                _FREEZE,
                {
                    "now": now,
                    "ids": [batch_id for batch_id, _ in frozen],
                    "workspaces": [row.workspace_id for _, row in frozen],
                    "endpoints": [row.endpoint_id for _, row in frozen],
                    "types": [row.type for _, row in frozen],
                    "bodies": [bytes(row.body) for _, row in frozen],
                    "items": [item for _, row in frozen for item in row.items],
                    "batches": [batch_id for batch_id, row in frozen for _ in row.items],
                },
            )
    return len(frozen)


def replay_items(delivery_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> int:
    """Send each item of an undelivered batch separately, as an array of one; return how many items there are.

    Items that were sent separately before are sent once more, under the same ids. Raises ``TransitionConflict`` if the
    batch is pending or was delivered, :class:`NotABatch` for the delivery of a single event.
    """
    with transaction.atomic():
        batch: Delivery = Delivery.objects.in_workspace(workspace_id).select_for_update(no_key=True).get(pk=delivery_id)
        if batch.event_id is not None:
            raise NotABatch
        if batch.status not in (DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED):
            raise TransitionConflict(what="the batch", from_=batch.status, to="sent item by item")
        items = list(batch.items.order_by("id").values_list("event_id", "body"))
        run(
            "replay_items",
            _REPLAY_ITEMS,
            {
                "now": now,
                "workspace": workspace_id,
                "endpoint": batch.endpoint_id,
                "type": batch.batch_type,
                "ids": [new_id() for _ in items],
                "events": [event_id for event_id, _ in items],
                "bodies": [b"[%b]" % bytes(body) for _, body in items],
            },
        )
        change = Change.of(batch, "delivery", "replay_items", to_state={"items": len(items)})
        record(actor, [change], now=now)
    return len(items)


def test_item(event_id: UUID, event_type: str, data: Mapping[str, object], now: datetime) -> dict[str, object]:
    """Return the item of a test, with the fields of the largest item type."""
    return {
        "id": str(event_id),
        "eventType": event_type,
        "createdAt": written_with_milliseconds(now),
        "data": dict(data),
    }


# Buffers are found by a skip scan of the index of waiting items, so frozen items cost nothing; contents are read only
# for buffers that are due.
_DUE_BATCHES = r"""
    WITH RECURSIVE buffers (endpoint_id, type) AS (
        (SELECT endpoint_id, type FROM webhooks_batchitem WHERE delivery_id IS NULL ORDER BY endpoint_id, type LIMIT 1)
        UNION ALL
        SELECT n.endpoint_id, n.type FROM buffers b CROSS JOIN LATERAL (
            SELECT i.endpoint_id, i.type FROM webhooks_batchitem i
            WHERE i.delivery_id IS NULL AND (i.endpoint_id, i.type) > (b.endpoint_id, b.type)
            ORDER BY i.endpoint_id, i.type LIMIT 1
        ) n
    ), ready AS (
        SELECT i.id, i.ready_at, b.endpoint_id, b.type, p.workspace_id, p.batch_size,
            make_interval(secs => p.batch_wait_seconds) AS wait,
            row_number() OVER (PARTITION BY b.endpoint_id, b.type ORDER BY i.ready_at, i.id) - 1 AS position
        FROM buffers b
        JOIN webhooks_endpoint p ON p.id = b.endpoint_id
        CROSS JOIN LATERAL (
            SELECT id, ready_at FROM webhooks_batchitem
            WHERE endpoint_id = b.endpoint_id AND type = b.type AND delivery_id IS NULL AND ready_at <= %(now)s
            ORDER BY ready_at, id LIMIT %(most)s
        ) i
    ), due AS MATERIALIZED (
        SELECT endpoint_id, workspace_id, type, array_agg(id ORDER BY position) AS items, min(ready_at) AS first_at
        FROM ready
        GROUP BY endpoint_id, workspace_id, type, batch_size, wait, position / batch_size
        HAVING count(*) = batch_size OR min(ready_at) + wait <= %(now)s
    )
    SELECT due.endpoint_id, due.workspace_id, due.type, due.items, (
        SELECT '\x5b'::bytea || string_agg(i.body, '\x2c'::bytea ORDER BY u.position) || '\x5d'::bytea
        FROM unnest(due.items) WITH ORDINALITY AS u (id, position) JOIN webhooks_batchitem i ON i.id = u.id
    ) AS body
    FROM due ORDER BY due.first_at
"""
_FREEZE = """
    WITH frozen AS (
        INSERT INTO webhooks_delivery (id, workspace_id, endpoint_id, batch_type, body, status, due_at, generation,
                                       failures, last_error, created_at)
        SELECT t.id, t.workspace_id, t.endpoint_id, t.type, t.body, 'pending', %(now)s, 0, 0, '', %(now)s
        FROM unnest(%(ids)s::uuid[], %(workspaces)s::uuid[], %(endpoints)s::uuid[], %(types)s::text[],
                    %(bodies)s::bytea[]) AS t (id, workspace_id, endpoint_id, type, body)
    )
    UPDATE webhooks_batchitem i SET delivery_id = t.batch
    FROM unnest(%(items)s::bigint[], %(batches)s::uuid[]) AS t (item, batch) WHERE i.id = t.item
"""
_REPLAY_ITEMS = """
    INSERT INTO webhooks_delivery (id, workspace_id, event_id, endpoint_id, batch_type, body, status, due_at,
                                   generation, failures, last_error, created_at)
    SELECT t.id, %(workspace)s, t.event_id, %(endpoint)s, %(type)s, t.body, 'pending', %(now)s, 0, 0, '', %(now)s
    FROM unnest(%(ids)s::uuid[], %(events)s::uuid[], %(bodies)s::bytea[]) AS t (id, event_id, body)
    ON CONFLICT (event_id, endpoint_id) DO UPDATE SET status = 'pending', due_at = EXCLUDED.due_at, failures = 0,
        settled_at = NULL, lease_until = NULL, is_recoverable = false, recovered_at = NULL
        WHERE webhooks_delivery.status <> 'pending'
"""
