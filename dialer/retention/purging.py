"""Deletes every row of workspaces that were closed 30 days ago, in batches, children before their parents.

Which tables there are is not listed anywhere: a model is purged if a foreign key leads from it to the workspace. Three
tables name their owner without a key; they go with it.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, transaction
from django.db.models import SET_NULL, ForeignKey, Model, Q

from dialer.models import Call, Campaign, CarrierEvent, Line, Pace
from dialer.retention.closing import KEPT
from dialer.retention.tables import path_to_workspace
from dialer.workspaces.models import PurgedWorkspace, Workspace
from dialer.workspaces.statements import run
from webhooks.models import ChainSequence, Event

log = logging.getLogger(__name__)

BATCH = 2_000


def purge_next(*, limit: int = BATCH, now: datetime) -> bool:
    """Delete one batch of one workspace's rows; return whether there was anything to delete. Commits.

    The workspace's own row goes last, and leaves a :class:`PurgedWorkspace`.
    """
    with transaction.atomic():
        due = Workspace.objects.select_for_update(skip_locked=True).filter(closed_at__lte=now - KEPT)
        workspace = due.order_by("closed_at", "id").first()
        if workspace is None:
            return False
        if not any(_delete_some(model, workspace.pk, limit) for model in order()):
            PurgedWorkspace.objects.create(
                id=workspace.pk,
                name=workspace.name,
                opened_at=workspace.created_at,
                closed_at=workspace.closed_at or now,
                purged_at=now,
            )
            _delete(Workspace, [workspace.pk])
            log.info("workspace.purged workspace=%s", workspace.public_id)
    return True


def order() -> list[type[Model]]:
    """Return the models that name their workspace, those that refer to others before these."""
    mine = [model for model in apps.get_models() if path_to_workspace(model) == "workspace"]
    referring: dict[type[Model], set[type[Model]]] = {model: set() for model in mine}
    for model in mine:
        for key in _keys(model):
            if key.related_model in referring and key.related_model is not model and not _is_loose(key):
                referring[key.related_model].add(model)
    return list(TopologicalSorter(referring).static_order())


def _keys(model: type[Model]) -> Iterable[Any]:
    return (field for field in model._meta.concrete_fields if isinstance(field, ForeignKey))  # noqa: SLF001 — Django documents it


def _is_loose(key: Any) -> bool:  # noqa: ANN401 — a foreign key of any model
    return key.remote_field.on_delete is SET_NULL


def _delete_some(model: type[Model], workspace_id: UUID, limit: int) -> int:
    mine = model._base_manager.filter(workspace=workspace_id)  # noqa: SLF001
    ids = list(mine.values_list("pk", flat=True)[:limit])
    if ids:
        _delete(model, ids)
    return len(ids)


def _delete(model: type[Model], ids: Sequence[Any]) -> None:
    """Delete rows with the rows of their own that name no workspace; cut references that may be empty."""
    for other in apps.get_models():
        for key in _keys(other):
            if key.related_model is model and _is_loose(key):
                other._base_manager.filter(**{f"{key.name}__in": ids}).update(**{key.name: None})  # noqa: SLF001
            elif key.related_model is model and path_to_workspace(other) not in (None, "workspace"):
                _delete_where(other, key.column, ids)
    for named, column, owned in _named_without_key(model, ids):
        _delete_where(named, column, owned)
    _delete_where(model, str(model._meta.pk.column), ids)  # noqa: SLF001


def _named_without_key(model: type[Model], ids: Sequence[Any]) -> list[tuple[type[Model], str, Sequence[Any]]]:
    if model is Call:
        inbound = Call.objects.filter(pk__in=ids, inbound_id__isnull=False)
        for line_id, carrier, inbound_id in inbound.values_list("line_id", "line__carrier", "inbound_id"):
            # The account of another line may have used the same id.
            by_line = Q(line_id=None) | Q(line_id=line_id)
            CarrierEvent.objects.filter(
                by_line, call_id=None, line_carrier=carrier, carrier_call_id=inbound_id
            ).delete()
        return [(CarrierEvent, "call_id", ids)]
    if model is Event:
        chains = Event.objects.filter(pk__in=ids, chain_id__isnull=False).values_list("chain_id", flat=True)
        return [(ChainSequence, "chain_id", sorted(set(chains)))]
    if model is Line:
        return [(Pace, "owner_id", ids), (CarrierEvent, "line_id", ids)]
    return [(Pace, "owner_id", ids)] if model in (Campaign, Workspace) else []


def _delete_where(model: type[Model], column: str, values: Sequence[Any]) -> None:
    quote, table = connection.ops.quote_name, model._meta.db_table  # noqa: SLF001
    sql = f"DELETE FROM {quote(table)} WHERE {quote(column)} = ANY(%(values)s)"  # noqa: S608 — names of our own models
    run("purge_rows", sql, {"values": list(values)})
