"""Redacts recorded events wherever their bytes are stored: event, deliveries, items, arrays, receivers' answers.

A redacted event keeps its id, its place in the chain and its deliveries. One that is not delivered yet is delivered
with what is left, so that receivers still learn of every fact.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from dialer.workspaces.statements import Id, fetch, run
from webhooks.rules.redaction import Fields, redacted

BATCH = 100
"""Events redacted in one transaction: it holds up the freezing of arrays."""


def events_of(
    workspace_id: UUID, *, chain_ids: Sequence[UUID] = (), call_ids: Sequence[UUID] = (), keys: Sequence[str] = ()
) -> list[UUID]:
    """Return the events of these chains (with ``call_ids`` of these calls in them), and those with these keys."""
    rows = fetch(
        Id,
        "events_to_redact",
        """
        SELECT id FROM webhooks_event WHERE workspace_id = %(workspace)s AND chain_id = ANY(%(chains)s::uuid[])
            AND (%(calls)s::uuid[] = '{}' OR call_id = ANY(%(calls)s::uuid[]))
        UNION SELECT id FROM webhooks_event WHERE workspace_id = %(workspace)s AND unique_key = ANY(%(keys)s::text[])
        """,
        {"workspace": workspace_id, "chains": list(chain_ids), "calls": list(call_ids), "keys": list(keys)},
    )
    return [row.id for row in rows]


def outside_chains(workspace_id: UUID, texts: Sequence[str]) -> list[UUID]:
    """Return the events outside chains that contain one of these texts: suppressions, messages, ends of campaigns."""
    if not texts:
        return []
    rows = fetch(
        Id,
        "events_outside_chains",
        """
        SELECT id FROM webhooks_event WHERE workspace_id = %(workspace)s AND chain_id IS NULL
            AND EXISTS (SELECT 1 FROM unnest(%(texts)s::bytea[]) AS t (text) WHERE position(t.text IN body) > 0)
        """,
        {"workspace": workspace_id, "texts": [text.encode() for text in texts]},
    )
    return [row.id for row in rows]


class _Body(NamedTuple):
    id: UUID
    body: bytes


def redact(event_ids: Sequence[UUID], fields: Fields) -> None:
    """Redact these events, a batch per transaction; safe to repeat and to interrupt. Commits."""
    for start in range(0, len(event_ids), BATCH):
        with transaction.atomic(durable=True):
            # Or an array would be made of an item as it was, while the item is redacted.
            run("redact_alone", "SELECT pg_advisory_xact_lock(hashtext('webhooks.freeze'))")
            _redact_batch(event_ids[start : start + BATCH], fields)


class _Item(NamedTuple):
    id: int
    body: bytes
    delivery_id: UUID | None


def _redact_batch(event_ids: Sequence[UUID], fields: Fields) -> None:
    ids = {"ids": list(event_ids)}
    events = fetch(
        _Body,
        "lock_events_to_redact",
        "SELECT id, body FROM webhooks_event WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        ids,
    )
    _write("webhooks_event", "uuid", [(row.id, bytes(row.body), redacted(bytes(row.body), fields)) for row in events])
    items = fetch(
        _Item,
        "items_to_redact",
        "SELECT id, body, delivery_id FROM webhooks_batchitem WHERE event_id = ANY(%(ids)s::uuid[])",
        ids,
    )
    fresh = {item.id: redacted(bytes(item.body), fields) for item in items}
    _write("webhooks_batchitem", "bigint", [(item.id, bytes(item.body), fresh[item.id]) for item in items])
    own = fetch(
        _Body,
        "deliveries_to_redact",
        "SELECT id, coalesce(body, '') AS body FROM webhooks_delivery WHERE event_id = ANY(%(ids)s::uuid[]) "
        "ORDER BY id FOR NO KEY UPDATE",
        ids,
    )
    _write(
        "webhooks_delivery",
        "uuid",
        [(row.id, bytes(row.body), redacted(bytes(row.body), fields)) for row in own if row.body],
    )
    arrays = sorted({item.delivery_id for item in items if item.delivery_id})
    for array in fetch(
        _Body,
        "arrays_to_redact",
        "SELECT id, body FROM webhooks_delivery WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        {"ids": arrays},
    ):
        body = was = bytes(array.body)
        for item in items:
            if item.delivery_id == array.id:
                body = body.replace(bytes(item.body), fresh[item.id])
        _write("webhooks_delivery", "uuid", [(array.id, was, body)])
    run(
        "forget_answers_of_receivers",
        "UPDATE webhooks_deliveryattempt SET answer = ''::bytea WHERE delivery_id = ANY(%(ids)s::uuid[]) "
        "AND answer <> ''::bytea",
        {"ids": [*(row.id for row in own), *arrays]},
    )


def _write(table: str, kind: str, rows: Sequence[tuple[UUID | int, bytes, bytes]]) -> None:
    """Write the bodies that have changed; ``rows`` are ids with the body before and after."""
    changed = [(row_id, after) for row_id, before, after in rows if after != before]
    if changed:
        run(
            "redact_bodies",
            f"""
            UPDATE {table} r SET body = t.body
            FROM unnest(%(ids)s::{kind}[], %(bodies)s::bytea[]) AS t (id, body) WHERE r.id = t.id
            """,  # noqa: S608 — names of our own tables
            {"ids": [row_id for row_id, _ in changed], "bodies": [body for _, body in changed]},
        )
