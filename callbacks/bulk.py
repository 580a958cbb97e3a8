"""Bulk actions: one verb on many callbacks, each in a transaction of its own; refusals are counted by reason.

A few are done at once. What a filter names becomes a job: its callbacks are written down when it is asked for, and
workers take them one by one, each in one transaction with the note that it was done; so a killed worker, a repeated
message or two workers at once do nothing twice. A dry run does the same and takes every change back.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Q, QuerySet

from callbacks.models import BulkAction, BulkRow, Callback
from callbacks.refusals import code_of
from callbacks.rules.statuses import BulkStatus
from callbacks.scheduling import Force, instant_of
from callbacks.verbs import VERBS
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.transitions import TransitionConflict

log = logging.getLogger(__name__)

BATCH = 100
"""Callbacks that share one reading of the clock, and one look at whether somebody stopped the job."""
LEASE = timedelta(seconds=60)
"""A batch takes a second or two; after this its worker is taken for dead."""
DONE = "done"
FAILED = "failed"
MOST_SHOWN = 100
"""Refused callbacks that an answer names; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done to each callback, by whom; ``fields`` are JSON-ready.

    ``reason``, ``scheduled_at`` or ``local_time`` (on each contact's own clock), ``force`` {checks, reason},
    ``notes``, ``persona_id``: those that the action takes.
    """

    action: str
    fields: Mapping[str, Any]
    workspace_id: UUID
    actor: Actor
    dry_run: bool = False


def act(order: Order, callback_ids: Sequence[int], *, now: datetime) -> dict[int, Exception | None]:
    """Do the action to each callback in a transaction of its own; return what refused, by id.

    Raises what is no refusal.
    """
    answers: dict[int, Exception | None] = {}
    for callback_id in dict.fromkeys(callback_ids):
        try:
            _do(order, callback_id, now=now)
            answers[callback_id] = None
        except Exception as raised:
            if code_of(raised) is None:
                raise
            answers[callback_id] = raised
    return answers


def possible(callbacks: QuerySet[Callback], action: str) -> QuerySet[Callback]:
    """Keep the callbacks whose status allows the action."""
    return callbacks.filter(status__in=[status.value for status in VERBS[action].from_])


def start(order: Order, callbacks: QuerySet[Callback], *, asked: Mapping[str, Any], now: datetime) -> BulkAction:
    """Write down which callbacks the action is to be done to, in the order of the queryset, and by whom.

    Publish ``callbacks.run_bulk`` with the id afterwards; the sweep does if nobody does.
    """
    with transaction.atomic():
        bulk: BulkAction = BulkAction.objects.create(
            workspace_id=order.workspace_id,
            action=order.action,
            fields=dict(order.fields),
            asked=dict(asked),
            dry_run=order.dry_run,
            actor_kind=order.actor.kind,
            actor_id=order.actor.id,
            actor_label=order.actor.label,
            created_at=now,
        )
        mine = possible(callbacks, order.action).filter(workspace_id=order.workspace_id)
        chosen, parameters = mine.order_by("scheduled_at", "id").values("id").query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(
                "/* choose_bulk_rows */ INSERT INTO callbacks_bulkrow (bulk_id, callback_id, outcome) "  # noqa: S608 — Django's SQL
                f"SELECT %s, chosen.id, '' FROM ({chosen}) AS chosen",
                [bulk.pk, *parameters],
            )
            bulk.total = cursor.rowcount
        bulk.save(update_fields=["total"])
        verb = f"bulk_{order.action}" + ("_dry_run" if order.dry_run else "")
        record(order.actor, [_change(bulk, verb, {"callbacks": bulk.total, **asked})], now=now)
    return bulk


def run_batch(bulk_id: UUID, *, now: datetime) -> bool:
    """Do the next callbacks of a job; tell whether there are more. Safe to call from anywhere at any time."""
    running = BulkAction.objects.filter(pk=bulk_id, status=BulkStatus.RUNNING.value)
    if not running.update(lease_until=now + LEASE):
        return False
    bulk = running.get()
    order = _order(bulk)
    left = BulkRow.objects.filter(bulk=bulk, outcome="").order_by("id").values_list("pk", flat=True)
    batch = list(left[:BATCH])
    for row_id in batch:
        _do_row(row_id, order, now=now)
    _count(bulk, now=now)
    return len(batch) == BATCH


def resume_open(*, now: datetime) -> list[UUID]:
    """Return jobs whose worker died, to resume."""
    idle = Q(lease_until=None) | Q(lease_until__lte=now)
    running = BulkAction.objects.filter(idle, status=BulkStatus.RUNNING.value)
    return list(running.order_by("id").values_list("id", flat=True)[:100])


def stop(bulk_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> BulkAction:
    """Leave the callbacks alone that were not asked yet; raises ``TransitionConflict`` where none are left."""
    with transaction.atomic():
        bulk: BulkAction = BulkAction.objects.in_workspace(workspace_id).get(pk=bulk_id)
        stopped = BulkAction.objects.filter(pk=bulk_id, status=BulkStatus.RUNNING.value)
        if not stopped.update(status=BulkStatus.STOPPED.value, finished_at=now, lease_until=None):
            raise TransitionConflict(what="the bulk action", from_=bulk.status, to=BulkStatus.STOPPED)
        record(actor, [_change(bulk, "stop_bulk", {}, reason)], now=now)
    return BulkAction.objects.get(pk=bulk_id)


def refused_rows(bulk: BulkAction) -> list[BulkRow]:
    """Return the first callbacks that refused, each with the reason's code."""
    return list(BulkRow.objects.filter(bulk=bulk).exclude(outcome__in=("", DONE)).order_by("id")[:MOST_SHOWN])


def _do(order: Order, callback_id: int, *, now: datetime) -> None:
    with transaction.atomic():
        VERBS[order.action].do(
            callback_id,
            workspace_id=order.workspace_id,
            actor=order.actor,
            now=now,
            **_fields(order, callback_id),
        )
        if order.dry_run:
            transaction.set_rollback(True)


def _do_row(row_id: int, order: Order, *, now: datetime) -> None:
    """Do one callback and note what came of it in one transaction, unless another worker is at it or was."""
    with transaction.atomic():
        row: BulkRow | None = BulkRow.objects.select_for_update(skip_locked=True).filter(pk=row_id, outcome="").first()
        if row is None:
            return
        try:
            with transaction.atomic():
                _do(order, row.callback_id, now=now)
            outcome = DONE
        except OperationalError:
            # A deadlock or a lost connection is no refusal: the row stays as it is and is asked again.
            raise
        except Exception as raised:
            outcome = code_of(raised) or FAILED
            if outcome == FAILED:
                # One row that breaks something must not keep the others from their turn.
                log.exception("bulk.failed bulk=%s callback=%s", row.bulk_id, row.callback_id)
        BulkRow.objects.filter(pk=row.pk).update(outcome=outcome)


def _count(bulk: BulkAction, *, now: datetime) -> None:
    """Write what came of the rows so far, and the job's end where none is left: then only what refused is kept."""
    counts = Counter(
        dict(BulkRow.objects.filter(bulk=bulk).values_list("outcome").annotate(rows=Count("id")).order_by())
    )
    left = counts.pop("", 0)
    done = counts.pop(DONE, 0)
    # Of a job that is done the rows are gone: another worker that counts them late must not write that.
    BulkAction.objects.filter(pk=bulk.pk).exclude(status=BulkStatus.DONE.value).update(done=done, refused=dict(counts))
    ended = BulkAction.objects.filter(pk=bulk.pk, status=BulkStatus.RUNNING.value)
    if not left and ended.update(status=BulkStatus.DONE.value, finished_at=now, lease_until=None):
        BulkRow.objects.filter(bulk=bulk, outcome=DONE).delete()


def _order(bulk: BulkAction) -> Order:
    return Order(
        action=bulk.action,
        fields=bulk.fields,
        workspace_id=bulk.workspace_id,
        actor=Actor(kind=bulk.actor_kind, id=bulk.actor_id, label=bulk.actor_label),  # type: ignore[arg-type] # as it was given
        dry_run=bulk.dry_run,
    )


def _fields(order: Order, callback_id: int) -> dict[str, Any]:
    """Read the fields for one callback: a local time is an instant on its contact's own clock."""
    read = dict(order.fields)
    if "scheduled_at" in read:
        read["scheduled_at"] = datetime.fromisoformat(read["scheduled_at"])
    if local := read.pop("local_time", None):
        zone = Callback.objects.in_workspace(order.workspace_id).values_list("time_zone", flat=True).get(pk=callback_id)
        read["scheduled_at"] = instant_of(datetime.fromisoformat(local), zone or "UTC")
    if force := read.pop("force", None):
        read["force"] = Force(checks=frozenset(force["checks"]), reason=force["reason"])
    if read.get("persona_id"):
        read["persona_id"] = UUID(read["persona_id"])
    return read


def _change(bulk: BulkAction, verb: str, to_state: Mapping[str, Any], reason: str = "") -> Change:
    return Change.of(bulk, "bulk_action", verb, to_state=to_state, reason=reason or bulk.fields.get("reason", ""))
