"""The verbs for many callbacks at once: those ticked while one waits, all that the list shows as a job."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from callbacks import bulk as bulk_jobs
from callbacks.admin import verbs
from callbacks.admin.forms import EditForm, ForceForm, ReasonForm, RescheduleForm
from callbacks.admin.tabs import HISTORY, TITLES, QueueFilter
from callbacks.bulk import Order
from callbacks.models import BulkAction, Callback
from callbacks.rules.statuses import CallbackStatus
from callbacks.tasks import run_bulk
from dialer.workspaces.admin.base import ScopedAdmin, VerbForm, actor_of, bulk
from dialer.workspaces.clock import database_now

_ACTIONS = {
    "call_selected": "call_now",
    "reschedule_selected": "reschedule",
    "skip_selected": "skip",
    "cancel_selected": "cancel",
    "complete_selected": "complete",
    "edit_selected": "edit",
    "undo_selected": "undo",
}
"""Actions of the list, and what they are called in bulk jobs."""
_UNDOABLE = (CallbackStatus.CANCELLED, CallbackStatus.SKIPPED, CallbackStatus.COMPLETED)


class ManyAtOnce(ScopedAdmin):
    """Actions of the list; in the history there is only what can be taken back."""

    actions = tuple(_ACTIONS)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        is_history = request.GET.get(QueueFilter.parameter_name) == HISTORY
        return {name: shown for name, shown in found.items() if (name == "undo_selected") is is_history}

    def all_matching(self, request: HttpRequest, action: str) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = self.get_changelist_instance(request).get_queryset(request)
        possible = _UNDOABLE if action == "undo_selected" else (CallbackStatus.PENDING,)
        return rows.filter(status__in=[status.value for status in possible])

    def do_as_job(
        self, request: HttpRequest, action: str, form: VerbForm, rows: QuerySet[Any], *, dry_run: bool
    ) -> HttpResponse:
        """Start a job in each workspace that has rows among them."""
        jobs = []
        for workspace_id in rows.order_by().values_list("workspace_id", flat=True).distinct():
            order = Order(
                action=_ACTIONS[action],
                fields=_fields(form),
                workspace_id=workspace_id,
                actor=actor_of(request),
                dry_run=dry_run,
            )
            jobs.append(bulk_jobs.start(order, rows, asked=_asked(request), now=database_now()))
        for job in jobs:
            _nudge(job)
        if not jobs:
            self.message_user(request, "There is nothing left that this could be done to.", messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        page = "admin:callbacks_bulkaction_"
        one = reverse(f"{page}change", args=[jobs[0].pk])
        return HttpResponseRedirect(one if len(jobs) == 1 else reverse(f"{page}changelist"))

    @bulk(
        "Call now", asks="Due at once, ahead of all others.", does="Call now", did="to be called next", form=ForceForm
    )
    def call_selected(self, request: HttpRequest, form: ForceForm, row: Callback) -> None:
        verbs.call_now(request, form, row)

    @bulk(
        "Reschedule",
        asks="Promises another time to all of them.",
        does="Reschedule",
        did="rescheduled",
        form=RescheduleForm,
    )
    def reschedule_selected(self, request: HttpRequest, form: RescheduleForm, row: Callback) -> None:
        verbs.reschedule(request, form, row)

    @bulk(
        "Skip",
        asks="Uses these retries up without a call; the next are scheduled by the policy.",
        does="Skip",
        did="skipped",
        form=ReasonForm,
    )
    def skip_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        verbs.skip(request, form, row)

    @bulk(
        "Cancel",
        asks="Cancels these and every future retry of their chains.",
        does="Cancel callbacks",
        did="cancelled",
        form=ReasonForm,
    )
    def cancel_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        verbs.cancel(request, form, row)

    @bulk(
        "Mark complete",
        asks="Handled by other means; their chains end as handled.",
        does="Mark complete",
        did="completed",
        form=ReasonForm,
    )
    def complete_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        verbs.complete(request, form, row)

    @bulk(
        "Assign, note",
        asks="Assigns a persona to all of them, or writes the same notes.",
        does="Save",
        did="edited",
        form=EditForm,
    )
    def edit_selected(self, request: HttpRequest, form: EditForm, row: Callback) -> None:
        verbs.edit(request, form, row)

    @bulk(
        "Undo",
        asks="Makes them pending again, where nothing took their place.",
        does="Undo",
        did="taken back",
        form=ReasonForm,
    )
    def undo_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        verbs.undo(request, form, row)


def _fields(form: VerbForm) -> dict[str, Any]:
    """Return what was filled in as a job keeps it."""
    fields: dict[str, Any] = {"reason": form.cleaned_data["reason"]}
    if isinstance(form, ForceForm) and (force := form.forced()):
        fields["force"] = {"checks": sorted(force.checks), "reason": force.reason}
    if isinstance(form, RescheduleForm):
        fields |= form.when_fields()
    if isinstance(form, EditForm):
        fields |= {name: str(value) for name, value in form.edits().items()}
    return fields


def _asked(request: HttpRequest) -> dict[str, str]:
    """Say how the list was filtered, in its own words."""
    asked = {name: str(value) for name, value in request.GET.items() if value and not name.startswith("_")}
    queue = asked.get(QueueFilter.parameter_name)
    return {**asked, QueueFilter.parameter_name: TITLES.get(str(queue), "All")}


def _nudge(job: BulkAction) -> None:
    # Where it is lost, the sweep finds the row.
    transaction.on_commit(lambda: run_bulk.delay(str(job.pk)), robust=True)
