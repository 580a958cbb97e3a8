"""Bulk actions: one verb on many callbacks, each in a transaction of its own; refusals are counted by reason.

Callbacks named by id are changed at once. A filter starts a job: it stores the ids of the matching callbacks, and
workers change them one by one. Each change commits together with its outcome, so a killed worker, a repeated message
or two workers at once change nothing twice. A dry run does the same and rolls every change back.
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
"""Callbacks per batch; the clock and the job's status are read once per batch."""
LEASE = timedelta(seconds=60)
"""A batch takes a second or two; after this long without a new one its worker counts as dead."""
DONE = "done"
FAILED = "failed"
MOST_SHOWN = 100
"""How many refused callbacks an answer lists; the rest are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A bulk action and its actor.

    ``fields`` holds the action's arguments, ready for JSON: ``reason``, ``scheduled_at`` or ``local_time`` (on each
    contact's own clock), ``force`` {checks, reason}, ``notes``, ``persona_id``.
    """

    action: str
    fields: Mapping[str, Any]
    workspace_id: UUID
    actor: Actor
    dry_run: bool = False


def act(order: Order, callback_ids: Sequence[int], *, now: datetime) -> dict[int, Exception | None]:
    """Do the action to each callback in a transaction of its own; return the refusal of each, or ``None``, by id.

    An exception that is not a refusal is raised and stops the rest.
    """
    answers: dict[int, Exception | None] = dict.fromkeys(callback_ids)
    for callback_id in _in_turn(order, list(answers)):
        try:
            _do(order, callback_id, now=now)
            answers[callback_id] = None
        except Exception as raised:
            if code_of(raised) is None:
                raise
            answers[callback_id] = raised
    return answers


def _in_turn(order: Order, callback_ids: Sequence[int]) -> list[int]:
    """Return the ids in the order of the verb; ids of no callback come last."""
    mine = Callback.objects.in_workspace(order.workspace_id).filter(pk__in=callback_ids)
    known = dict.fromkeys(mine.order_by(*VERBS[order.action].turns).values_list("pk", flat=True))
    return [*known, *(callback_id for callback_id in callback_ids if callback_id not in known)]


def possible(callbacks: QuerySet[Callback], action: str) -> QuerySet[Callback]:
    """Return the callbacks whose status allows the action."""
    return callbacks.filter(status__in=[status.value for status in VERBS[action].from_])


def start(order: Order, callbacks: QuerySet[Callback], *, asked: Mapping[str, Any], now: datetime) -> BulkAction:
    """Create a job with a row per matching callback, in the order of the verb; ``asked`` goes into the audit entry.

    Publish ``callbacks.run_bulk`` with the id after the commit; otherwise the sweep picks the job up.
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
        chosen, parameters = mine.order_by(*VERBS[order.action].turns).values("id").query.sql_with_params()
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
    """Process the next batch of a job; return whether more may be left. Safe to call concurrently and repeatedly."""
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
    """Return up to 100 running jobs that no worker holds a lease on."""
    idle = Q(lease_until=None) | Q(lease_until__lte=now)
    running = BulkAction.objects.filter(idle, status=BulkStatus.RUNNING.value)
    return list(running.order_by("id").values_list("id", flat=True)[:100])


def stop(bulk_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> BulkAction:
    """Stop a running job; finished callbacks stay changed. Raises ``TransitionConflict`` if the job is not running."""
    with transaction.atomic():
        bulk: BulkAction = BulkAction.objects.in_workspace(workspace_id).get(pk=bulk_id)
        stopped = BulkAction.objects.filter(pk=bulk_id, status=BulkStatus.RUNNING.value)
        if not stopped.update(status=BulkStatus.STOPPED.value, finished_at=now, lease_until=None):
            raise TransitionConflict(what="the bulk action", from_=bulk.status, to=BulkStatus.STOPPED)
        record(actor, [_change(bulk, "stop_bulk", {}, reason)], now=now)
    return BulkAction.objects.get(pk=bulk_id)


def refused_rows(bulk: BulkAction) -> list[BulkRow]:
    """Return the first ``MOST_SHOWN`` refused or failed rows; ``outcome`` is the reason's code."""
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
    """Process one row and store its outcome in one transaction; skip a row that another worker holds or finished."""
    with transaction.atomic():
        row: BulkRow | None = BulkRow.objects.select_for_update(skip_locked=True).filter(pk=row_id, outcome="").first()
        if row is None:
            return
        try:
            with transaction.atomic():
                _do(order, row.callback_id, now=now)
            outcome = DONE
        except OperationalError:
            # A deadlock or a lost connection is no refusal: the row keeps its empty outcome and is tried again.
            raise
        except Exception as raised:
            outcome = code_of(raised) or FAILED
            if outcome == FAILED:
                # An unexpected error in one row must not stop the job.
                log.exception("bulk.failed bulk=%s callback=%s", row.bulk_id, row.callback_id)
        BulkRow.objects.filter(pk=row.pk).update(outcome=outcome)


def _count(bulk: BulkAction, *, now: datetime) -> None:
    """Store the counts so far; when no row is left, end the job and delete the rows that succeeded."""
    counts = Counter(
        dict(BulkRow.objects.filter(bulk=bulk).values_list("outcome").annotate(rows=Count("id")).order_by())
    )
    left = counts.pop("", 0)
    done = counts.pop(DONE, 0)
    # A finished job has no successful rows left, so a worker that counts late must not overwrite its counts.
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
    """Turn the stored fields into arguments for one callback; ``local_time`` is read on its contact's clock."""
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
