"""Replays: everything an endpoint missed in a period, by status and type, sent once more.

A replay opens deliveries again: the same rows, so the same ids and bytes, signed afresh, with their attempts kept.
It is a job: its row stores its progress, each batch is one transaction, and any worker can do the next. A replay opens
only a little more than the endpoint takes at once, because new deliveries wait behind the opened ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple, Unpack
from uuid import UUID

from django.db import transaction

from dialer.workspaces.audit import Actor, Change, Said, record
from dialer.workspaces.instants import written
from dialer.workspaces.statements import Id, fetch
from dialer.workspaces.transitions import TransitionConflict
from webhooks.endpoints import check_active, locked
from webhooks.models import Delivery, Endpoint, Replay
from webhooks.rules.statuses import DeliveryStatus, ReplayStatus

BATCH = 1_000
MOST_AHEAD = 10_000
"""A replay waits while its endpoint has this many pending deliveries: a few seconds' work of a fast receiver."""
MISSED = (DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED)
"""Statuses that are replayed by default."""
SETTLED = (*MISSED, DeliveryStatus.DELIVERED)
"""Statuses that can be replayed: other deliveries are on their way already."""


class Turn(Enum):
    """The result of one batch of a replay."""

    MORE = auto()
    """More deliveries are left to open now."""
    WAITING = auto()
    """More are left, once the endpoint has taken some."""
    OVER = auto()
    """Nothing is left, or another worker holds the replay."""


class NoSuchTime(ValueError):
    """The period ends before it begins, or begins in the future."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The deliveries to replay: made at ``since`` or later and before ``until``; without ``events`` of every type."""

    since: datetime
    until: datetime | None = None
    statuses: Sequence[DeliveryStatus] = MISSED
    events: Sequence[str] = ()


_MEANT = """
    d.endpoint_id = %(endpoint)s AND d.created_at >= %(since)s AND d.created_at < %(until)s
        AND d.status = ANY(%(statuses)s::text[])
        AND (%(events)s::text[] = '{}' OR COALESCE(NULLIF(d.batch_type, ''), e.type) = ANY(%(events)s::text[]))
"""
_COUNT = f"""
    SELECT d.status, count(*) AS number
    FROM webhooks_delivery d LEFT JOIN webhooks_event e ON e.id = d.event_id
    WHERE {_MEANT} GROUP BY d.status
"""  # noqa: S608 — our own condition
# Ordered by id, which rises with time, along the index of the endpoint's deliveries.
_OPEN_AGAIN = f"""
    WITH chosen AS MATERIALIZED (
        SELECT d.id FROM webhooks_delivery d LEFT JOIN webhooks_event e ON e.id = d.event_id
        WHERE {_MEANT} AND (%(reached)s::uuid IS NULL OR d.id > %(reached)s::uuid)
        ORDER BY d.id LIMIT %(limit)s FOR NO KEY UPDATE OF d
    )
    UPDATE webhooks_delivery d SET status = 'pending', due_at = %(now)s, failures = 0, settled_at = NULL,
        lease_until = NULL, is_recoverable = false, recovered_at = NULL
    FROM chosen WHERE d.id = chosen.id
    RETURNING d.id
"""  # noqa: S608


class _Counted(NamedTuple):
    status: str
    number: int


def start(
    endpoint_id: UUID, wanted: Wanted, *, workspace_id: UUID, actor: Actor, dry_run: bool = False, now: datetime
) -> Replay:
    """Create a replay and count its deliveries; the task ``webhooks.replay`` then sends them.

    A dry run only counts. Deliveries made after the start are left out, even before ``until``. Raises
    :class:`NoSuchTime`, :class:`EndpointInactive`.
    """
    until = min(wanted.until or now, now)
    if wanted.since >= until:
        raise NoSuchTime
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        if not dry_run:
            check_active(endpoint)
        replay = Replay(
            workspace_id=workspace_id,
            endpoint=endpoint,
            since=wanted.since,
            until=until,
            statuses=[status.value for status in wanted.statuses],
            events=list(wanted.events),
            dry_run=dry_run,
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_label=actor.label,
            created_at=now,
        )
        replay.counts = {row.status: row.number for row in fetch(_Counted, "count_replay", _COUNT, _meant_by(replay))}
        replay.total = sum(replay.counts.values())
        if dry_run or not replay.total:
            replay.status, replay.finished_at = ReplayStatus.DONE.value, now
        replay.save(force_insert=True)
        record(actor, [_change(replay, "replay_dry_run" if dry_run else "replay", to_state=_state_of(replay))], now=now)
    return replay


def running() -> list[UUID]:
    """Return the ids of running replays."""
    return list(Replay.objects.filter(status=ReplayStatus.RUNNING.value).order_by("id").values_list("id", flat=True))


def run_batch(replay_id: UUID, *, now: datetime, limit: int = BATCH) -> Turn:
    """Open the next deliveries again and store the progress, in one transaction.

    Safe to call concurrently: one worker holds the replay, others skip it. A replay stops if its endpoint was switched
    off. Locks the endpoint before its deliveries.
    """
    with transaction.atomic():
        mine = Replay.objects.select_for_update(skip_locked=True).filter(
            pk=replay_id, status=ReplayStatus.RUNNING.value
        )
        replay = mine.first()
        if replay is None:
            return Turn.OVER
        endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=replay.endpoint_id)
        if not endpoint.is_active:
            _finish(replay, ReplayStatus.STOPPED, because="the endpoint was switched off", now=now)
            return Turn.OVER
        pending = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING.value)
        room = min(limit, MOST_AHEAD - pending[:MOST_AHEAD].count())
        if room <= 0:
            return Turn.WAITING
        opened = fetch(
            Id, "open_again", _OPEN_AGAIN, {**_meant_by(replay), "reached": replay.reached, "limit": room, "now": now}
        )
        replay.replayed += len(opened)
        replay.reached = max((row.id for row in opened), default=replay.reached)
        replay.save(update_fields=["replayed", "reached"])
        if len(opened) < room:
            _finish(replay, ReplayStatus.DONE, now=now)
            return Turn.OVER
    return Turn.MORE


def stop(replay_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Replay:
    """Stop a replay; deliveries that it opened are still sent. Raises ``TransitionConflict`` if it has ended."""
    with transaction.atomic():
        replay: Replay = Replay.objects.in_workspace(workspace_id).select_for_update().get(pk=replay_id)
        if replay.status != ReplayStatus.RUNNING:
            raise TransitionConflict(what="the replay", from_=replay.status, to=ReplayStatus.STOPPED)
        _finish(replay, ReplayStatus.STOPPED, because=reason, now=now)
        record(actor, [_change(replay, "stop_replay", to_state={"replayed": replay.replayed}, reason=reason)], now=now)
    return replay


def _finish(replay: Replay, status: ReplayStatus, *, because: str = "", now: datetime) -> None:
    replay.status, replay.finished_at, replay.stopped_because = status.value, now, because[:200]
    replay.save(update_fields=["status", "finished_at", "stopped_because"])


def _meant_by(replay: Replay) -> dict[str, object]:
    return {
        "endpoint": replay.endpoint_id,
        "since": replay.since,
        "until": replay.until,
        "statuses": list(replay.statuses),
        "events": list(replay.events),
    }


def _state_of(replay: Replay) -> dict[str, object]:
    return {
        "replay": replay.public_id,
        "since": written(replay.since),
        "until": written(replay.until),
        "statuses": list(replay.statuses),
        "events": list(replay.events),
        "deliveries": replay.total,
    }


def _change(replay: Replay, verb: str, **said: Unpack[Said]) -> Change:
    return Change.of(replay.endpoint, "endpoint", verb, **said)
