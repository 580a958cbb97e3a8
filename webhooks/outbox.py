"""Records events; the part of webhooks that other apps import.

An event and its deliveries are written in the transaction of the fact, so that no fact goes unreported and no event
reports something that did not happen. The bytes to send are rendered here too, because names and numbers may have
changed by the time of sending. Recording runs four statements for a batch of any size, and one more if an endpoint
takes arrays.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from dialer.workspaces.ids import new_id, public_id
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import fetch, run
from webhooks import audience, batches
from webhooks.models import Event
from webhooks.rules.envelope import Envelope, render
from webhooks.rules.json_bytes import encode
from webhooks.rules.statuses import BatchType, Profile

CHAIN_PREFIX = "chn"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An event as an item of an array."""

    type: BatchType
    render: Callable[[UUID], Mapping[str, object]]
    """Returns the item for the event's id; called only if an endpoint takes it."""
    ready_at: datetime | None = None
    """The item joins no array before then; until then :func:`batches.release` may replace its content."""


_NOTHING: Mapping[str, object] = {}


class NewEvent(NamedTuple):
    """A fact to record, with everything that decides who receives it."""

    workspace_id: UUID
    type: str
    occurred_at: datetime
    data: Mapping[str, object]
    """``data`` of the envelope, JSON-ready: public ids, times as text."""
    metadata: Mapping[str, object] = _NOTHING
    top_level: Mapping[str, object] = _NOTHING
    """Additional top-level keys of the envelope."""
    chain_id: UUID | None = None
    """The chain, for the envelope's ``chain_id`` and ``sequence``."""
    campaign_id: UUID | None = None
    persona_id: UUID | None = None
    call_id: UUID | None = None
    unique_key: str | None = None
    """Unique per workspace: recording it again changes nothing and returns the first event's id."""
    inline_webhooks: Sequence[Mapping[str, Any]] | None = None
    """The webhooks given with a call or campaign, as :mod:`webhooks.hidden_endpoints` froze them. For events of calls
    they replace the subscriptions, even if the list is empty; other events go to both."""
    batch: NewItem | None = None
    """``None`` for events that are never sent in arrays."""
    status: Callable[[], Mapping[str, object] | None] | None = None
    """Returns the payload for the campaign's status URL of this event; ``None`` if nothing is sent there."""


class NotInTransaction(Exception):
    """Events must be recorded in the transaction of their fact."""


_TAKE_SEQUENCES = """
    INSERT INTO webhooks_chainsequence AS s (chain_id, last)
    SELECT t.chain_id, t.wanted FROM unnest(%(chains)s::uuid[], %(wanted)s::int[]) AS t (chain_id, wanted)
    ORDER BY t.chain_id
    ON CONFLICT (chain_id) DO UPDATE SET last = s.last + EXCLUDED.last
    RETURNING s.chain_id, s.last
"""
_GIVE_SEQUENCES_BACK = """
    UPDATE webhooks_chainsequence s SET last = s.last - t.unused
    FROM unnest(%(chains)s::uuid[], %(unused)s::int[]) AS t (chain_id, unused) WHERE s.chain_id = t.chain_id
"""
_FIND_RECORDED = """
    SELECT e.workspace_id, e.unique_key, e.id
    FROM unnest(%(workspaces)s::uuid[], %(keys)s::text[]) AS t (workspace_id, unique_key)
    JOIN webhooks_event e ON e.workspace_id = t.workspace_id AND e.unique_key = t.unique_key
"""
# One row per new event and receiving endpoint; an event without receivers has one row without an endpoint.
_INSERT_EVENTS = """
    WITH given AS (
        SELECT * FROM unnest(
            %(ids)s::uuid[], %(workspaces)s::uuid[], %(types)s::text[], %(occurred)s::timestamptz[],
            %(bodies)s::bytea[], %(chains)s::uuid[], %(sequences)s::int[], %(campaigns)s::uuid[], %(personas)s::uuid[],
            %(calls)s::uuid[], %(keys)s::text[], %(is_subscribed)s::boolean[], %(batch_types)s::text[]
        ) AS t (id, workspace_id, type, occurred_at, body, chain_id, sequence, campaign_id, persona_id, call_id,
                unique_key, is_subscribed, batch_type)
    ), recorded AS (
        INSERT INTO webhooks_event (id, workspace_id, type, occurred_at, body, chain_id, sequence, campaign_id,
                                    persona_id, call_id, unique_key, is_test, created_at)
        SELECT id, workspace_id, type, occurred_at, body, chain_id, sequence, campaign_id, persona_id, call_id,
               unique_key, %(is_test)s, %(now)s
        FROM given
        ON CONFLICT (workspace_id, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
        RETURNING id
    ), hearing AS ({hearing})
    SELECT g.id, g.workspace_id, h.endpoint_id, h.profile,
           CASE WHEN h.ordered THEN g.chain_id END AS chain_id, CASE WHEN h.ordered THEN g.sequence END AS sequence
    FROM recorded JOIN given g USING (id) LEFT JOIN hearing h ON h.event_id = g.id
    ORDER BY g.id, h.endpoint_id
"""
_INSERT_DELIVERIES = """
    INSERT INTO webhooks_delivery (id, workspace_id, event_id, endpoint_id, batch_type, body, status, due_at,
                                   generation, failures, last_error, chain_id, sequence, created_at)
    SELECT t.id, t.workspace_id, t.event_id, t.endpoint_id, t.batch_type, t.body, 'pending', %(now)s, 0, 0, '',
           t.chain_id, t.sequence, %(now)s
    FROM unnest(%(ids)s::uuid[], %(workspaces)s::uuid[], %(events)s::uuid[], %(endpoints)s::uuid[],
                %(batch_types)s::text[], %(bodies)s::bytea[], %(chains)s::uuid[], %(sequences)s::int[])
        AS t (id, workspace_id, event_id, endpoint_id, batch_type, body, chain_id, sequence)
"""


def record_events(events: Sequence[NewEvent], *, now: datetime) -> list[UUID]:
    """Write events and a pending delivery for each endpoint that receives them; return the events' ids in order.

    Inactive endpoints get deliveries too, which a sweep settles as ``suppressed`` and which can be replayed. Raises
    :class:`NotInTransaction` outside the transaction of the fact. The events' chains are locked until it ends, in the
    order of their ids. Sequences rise in the given order without gaps.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction
    return _record(events, now=now, endpoint_id=None)


def record_for(endpoint_id: UUID, event: NewEvent, *, now: datetime) -> UUID:
    """Write a test event for one endpoint, subscribed to or not, in the caller's transaction; return its id."""
    if not connection.in_atomic_block:
        raise NotInTransaction
    return _record([event], now=now, endpoint_id=endpoint_id)[0]


def _record(events: Sequence[NewEvent], *, now: datetime, endpoint_id: UUID | None) -> list[UUID]:
    """Lock the chains, leave out what was recorded before, insert the rest, and write what each endpoint gets."""
    if not events:
        return []
    # Lock the chains first: a transaction that waits here then sees what the other one has recorded in them.
    wanted = Counter(event.chain_id for event in events if event.chain_id)
    last = _take_sequences(wanted)
    known = _find_recorded(events)
    ids: list[UUID] = []
    new: list[tuple[UUID, NewEvent]] = []
    for event in events:
        key = (event.workspace_id, event.unique_key)
        if event.unique_key is None or key not in known:
            known[key] = new_id()
            new.append((known[key], event))
        ids.append(known[key])
    _give_back(wanted - Counter(event.chain_id for _, event in new if event.chain_id))
    if not new:
        return ids
    last_given = {chain: last[chain] - wanted[chain] for chain in wanted}
    rows = _insert_events(new, last_given, now=now, endpoint_id=endpoint_id)
    _write_deliveries(dict(new), rows, now=now, is_test=endpoint_id is not None)
    recorded = {row.id for row in rows}
    if len(recorded) < len(new):
        # Outside chains only the unique index serialises two writers of one key: here the other one was first.
        known |= _find_recorded(events)
    return [
        known[event.workspace_id, event.unique_key] if event.unique_key else event_id
        for event_id, event in zip(ids, events, strict=True)
    ]


class _Sequence(NamedTuple):
    chain_id: UUID
    last: int


def _take_sequences(wanted: Mapping[UUID, int]) -> dict[UUID, int]:
    if not wanted:
        return {}
    rows = fetch(
        _Sequence, "take_sequences", _TAKE_SEQUENCES, {"chains": list(wanted), "wanted": list(wanted.values())}
    )
    return {row.chain_id: row.last for row in rows}


def _give_back(unused: Mapping[UUID, int]) -> None:
    if unused:
        run("give_sequences_back", _GIVE_SEQUENCES_BACK, {"chains": list(unused), "unused": list(unused.values())})


class _Recorded(NamedTuple):
    workspace_id: UUID
    unique_key: str
    id: UUID


def _find_recorded(events: Iterable[NewEvent]) -> dict[tuple[UUID, str | None], UUID]:
    keyed = [event for event in events if event.unique_key is not None]
    if not keyed:
        return {}
    rows = fetch(
        _Recorded,
        "find_recorded",
        _FIND_RECORDED,
        {
            "workspaces": [event.workspace_id for event in keyed],
            "keys": [event.unique_key for event in keyed],
        },
    )
    return {(row.workspace_id, row.unique_key): row.id for row in rows}


class _Hearing(NamedTuple):
    id: UUID
    workspace_id: UUID
    endpoint_id: UUID | None
    profile: str | None
    chain_id: UUID | None
    """The chain of the event, if the endpoint takes chains in order."""
    sequence: int | None


def _insert_events(
    new: Sequence[tuple[UUID, NewEvent]],
    last_given: dict[UUID, int],
    *,
    now: datetime,
    endpoint_id: UUID | None,
) -> list[_Hearing]:
    sequences: list[int | None] = []
    bodies: list[bytes] = []
    for event_id, event in new:
        sequence = None
        if event.chain_id is not None:
            sequence = last_given[event.chain_id] = last_given[event.chain_id] + 1
        sequences.append(sequence)
        bodies.append(_render(event_id, event, sequence))
    if endpoint_id is None:
        named = [
            (event_id, each)
            for event_id, event in new
            for each in audience.given_with_it(
                event.inline_webhooks or (), event=event.type, batch_type=event.batch.type if event.batch else None
            )
        ]
    else:
        named = [(event_id, endpoint_id) for event_id, _ in new]
    has_status = endpoint_id is None and any(event.status for _, event in new)
    return fetch(
        _Hearing,
        "insert_events",
        _INSERT_EVENTS.format(hearing=audience.hearing(has_status=has_status, has_named=bool(named))),
        {
            "ids": [event_id for event_id, _ in new],
            "workspaces": [event.workspace_id for _, event in new],
            "types": [event.type for _, event in new],
            "occurred": [event.occurred_at for _, event in new],
            "bodies": bodies,
            "chains": [event.chain_id for _, event in new],
            "sequences": sequences,
            "campaigns": [event.campaign_id for _, event in new],
            "personas": [event.persona_id for _, event in new],
            "calls": [event.call_id for _, event in new],
            "keys": [event.unique_key for _, event in new],
            "is_subscribed": [
                endpoint_id is None and audience.is_for_subscriptions(event.type, event.inline_webhooks)
                for _, event in new
            ],
            "batch_types": [event.batch.type.value if event.batch else "" for _, event in new],
            "is_test": endpoint_id is not None,
            "named_events": [event_id for event_id, _ in named],
            "named_endpoints": [each for _, each in named],
            "now": now,
        },
    )


def _render(event_id: UUID, event: NewEvent, sequence: int | None) -> bytes:
    return render(
        Envelope(
            event=event.type,
            event_id=public_id(Event.public_prefix, event_id),
            workspace_id=public_id(Workspace.public_prefix, event.workspace_id),
            occurred_at=event.occurred_at,
            data=event.data,
            metadata=event.metadata,
            top_level=event.top_level,
            chain_id=public_id(CHAIN_PREFIX, event.chain_id) if event.chain_id else None,
            sequence=sequence,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    """A delivery to be written; without a body it sends the event's envelope."""

    event_id: UUID
    workspace_id: UUID
    endpoint_id: UUID
    chain_id: UUID | None
    sequence: int | None
    batch_type: str = ""
    body: bytes | None = None


def _write_deliveries(
    events: Mapping[UUID, NewEvent], rows: Iterable[_Hearing], *, now: datetime, is_test: bool
) -> None:
    """Write a delivery for each endpoint, or an item for its buffer unless the event is a test."""
    parcels: list[_Parcel] = []
    items: list[batches.Item] = []
    rendered: dict[UUID, bytes] = {}
    for row in rows:
        if row.endpoint_id is None or row.profile is None:
            continue
        event = events[row.id]
        parcel = partial(
            _Parcel,
            event_id=row.id,
            workspace_id=row.workspace_id,
            endpoint_id=row.endpoint_id,
            chain_id=row.chain_id,
            sequence=row.sequence,
        )
        match Profile(row.profile):
            case Profile.ENVELOPE:
                parcels.append(parcel())
            case Profile.STATUS:
                content = event.status() if event.status else None
                if content is not None:
                    parcels.append(parcel(body=encode(content)))
            case Profile.BATCH if event.batch is None:
                # Only tests get here: real events without an item type are never sent in arrays.
                parcels.append(parcel(body=encode([batches.test_item(row.id, event.type, event.data, now)])))
            case Profile.BATCH:
                body = rendered.get(row.id) or encode(event.batch.render(row.id))
                rendered[row.id] = body
                if is_test:
                    parcels.append(parcel(batch_type=event.batch.type.value, body=b"[%b]" % body))
                else:
                    items.append(
                        batches.Item(
                            event_id=row.id,
                            endpoint_id=row.endpoint_id,
                            type=event.batch.type,
                            body=body,
                            ready_at=event.batch.ready_at or now,
                        )
                    )
    _insert_deliveries(parcels, now=now)
    batches.put(items)


def _insert_deliveries(parcels: Sequence[_Parcel], *, now: datetime) -> None:
    if parcels:
        run(
            "insert_deliveries",
            _INSERT_DELIVERIES,
            {
                "ids": [new_id() for _ in parcels],
                "events": [parcel.event_id for parcel in parcels],
                "workspaces": [parcel.workspace_id for parcel in parcels],
                "endpoints": [parcel.endpoint_id for parcel in parcels],
                "batch_types": [parcel.batch_type for parcel in parcels],
                "bodies": [parcel.body for parcel in parcels],
                "chains": [parcel.chain_id for parcel in parcels],
                "sequences": [parcel.sequence for parcel in parcels],
                "now": now,
            },
        )
