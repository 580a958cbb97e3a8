"""The queue's verbs as forms fill them in: translated and called, once each."""

from typing import Any

from django.http import HttpRequest

from callbacks import actions, editing, undoing
from callbacks.admin.forms import EditForm, ForceForm, ReasonForm, RescheduleForm
from callbacks.models import Callback
from dialer.workspaces.admin.base import actor_of
from dialer.workspaces.clock import database_now


def call_now(request: HttpRequest, form: ForceForm, row: Callback) -> None:
    actions.call_now(row.pk, force=form.forced(), **_about(request, form, row))


def reschedule(request: HttpRequest, form: RescheduleForm, row: Callback) -> Callback:
    return actions.reschedule(row.pk, scheduled_at=form.instant(row), force=form.forced(), **_about(request, form, row))


def skip(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    actions.skip(row.pk, **_about(request, form, row))


def cancel(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    actions.cancel(row.pk, **_about(request, form, row))


def complete(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    actions.complete(row.pk, **_about(request, form, row))


def undo(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    undoing.undo(row.pk, **_about(request, form, row))


def edit(request: HttpRequest, form: EditForm, row: Callback) -> None:
    editing.edit(row.pk, **_about(request, form, row), **form.edits())


def _about(request: HttpRequest, form: ReasonForm, row: Callback) -> dict[str, Any]:
    return {
        "workspace_id": row.workspace_id,
        "actor": actor_of(request),
        "reason": form.cleaned_data["reason"],
        "now": database_now(),
    }
