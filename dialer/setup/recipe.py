"""The common steps for a workspace's resources: check values, name every fault, audit every change.

Nothing is deleted: campaigns go on using an archived resource, but new ones cannot choose it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from dialer.models import Line, Persona, RetryPolicy
from dialer.rules.schedule_settings import InvalidSettings
from dialer.setup.paces import forget_pace
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.models import Owned, Workspace
from dialer.workspaces.values import Unfit

Readers = Mapping[str, Callable[[object], Any]]
"""The function that checks each field; raises :class:`Unfit` or :class:`InvalidSettings`."""
_Resource = TypeVar("_Resource", Persona, Line, RetryPolicy)
_Row = TypeVar("_Row", bound=Owned)


class InvalidResource(InvalidSettings):
    """A field is invalid; ``errors`` names every field at fault."""


def read(fields: Mapping[str, Any], readers: Readers, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    errors: dict[str, list[str]] = {name: ["is required"] for name in required if name not in fields}
    columns: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            columns[name] = readers[name](value)
        except InvalidSettings as refused:
            errors |= {_path(name, path): reasons for path, reasons in refused.errors.items()}
        except Unfit as refused:
            errors[name] = [str(refused)]
    if errors:
        raise InvalidResource(errors)
    return columns


def _path(name: str, path: str) -> str:
    return path if path == name or path.startswith(f"{name}.") else f"{name}.{path}"


def create(
    model: type[_Resource], workspace_id: UUID, columns: dict[str, Any], *, actor: Actor, now: datetime
) -> _Resource:
    with transaction.atomic():
        resource = model(workspace_id=workspace_id, created_at=now, **columns)
        _save(resource, columns)
        record(actor, [change(resource, "create", columns)], now=now)
    return resource


def edit(
    model: type[_Resource],
    pk: UUID,
    workspace_id: UUID,
    columns: dict[str, Any],
    *,
    actor: Actor,
    now: datetime,
) -> _Resource:
    with transaction.atomic():
        resource: _Resource = live(model, workspace_id).select_for_update(no_key=True).get(pk=pk)
        write(resource, columns, actor=actor, now=now)
    return resource


def archive(model: type[_Resource], pk: UUID, workspace_id: UUID, *, actor: Actor, now: datetime) -> _Resource:
    """Archive a row that is not archived yet, which frees its name."""
    with transaction.atomic():
        resource: _Resource = live(model, workspace_id).select_for_update(no_key=True).get(pk=pk)
        resource.archived_at = now
        resource.save(update_fields=["archived_at"])
        record(actor, [change(resource, "archive", {})], now=now)
    return resource


def live(model: type[_Row], workspace_id: UUID) -> QuerySet[_Row]:
    objects: Any = model.objects
    rows: QuerySet[_Row] = objects.in_workspace(workspace_id).filter(archived_at=None)
    return rows


def write(
    row: Workspace | Persona | Line | RetryPolicy, columns: Mapping[str, Any], *, actor: Actor, now: datetime
) -> None:
    changes = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if not changes:
        return
    for name, value in changes.items():
        setattr(row, name, value)
    _save(row, changes)
    if "calls_per_second" in changes:
        forget_pace(row.pk if isinstance(row, Workspace) else row.workspace_id, row.pk)
    record(actor, [change(row, "edit", changes)], now=now)


def _save(row: Workspace | Persona | Line | RetryPolicy, changes: Mapping[str, Any]) -> None:
    """Save; a new default replaces the former one, and the name must be unique among rows that are not archived."""
    if changes.get("is_default") and isinstance(row, Line | RetryPolicy):
        live(type(row), row.workspace_id).filter(is_default=True).exclude(pk=row.pk).update(is_default=False)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "name_unique" not in str(error):
            raise
        raise InvalidResource({"name": ["is taken"]}) from error


def change(row: Workspace | Persona | Line | RetryPolicy, verb: str, columns: Mapping[str, Any]) -> Change:
    """Return the audit change with the changed columns and their new values, without secrets."""
    shown = {
        name: "(changed)" if name == "credentials" else str(value) if isinstance(value, UUID) else value
        for name, value in columns.items()
    }
    return Change(
        workspace_id=row.id if isinstance(row, Workspace) else row.workspace_id,
        verb=verb,
        object_type=type(row)._meta.model_name or "",  # noqa: SLF001 — Django's documented interface
        object_id=row.public_id,
        to_state=shown,
    )
