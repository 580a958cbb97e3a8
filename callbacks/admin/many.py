"""One verb on many callbacks: ticked rows are changed within the request, all matching rows by a job."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from callbacks import bulk
from callbacks.admin.tabs import HISTORY, TITLES, QueueFilter
from callbacks.bulk import Order
from callbacks.models import Callback
from callbacks.tasks import run_bulk_soon
from callbacks.verbs import VERBS
from dialer.workspaces.admin.base import ScopedAdmin
from dialer.workspaces.admin.verb_forms import VerbForm
from dialer.workspaces.admin.verbs import actor_of
from dialer.workspaces.clock import database_now

_SUFFIX = "_selected"
"""Follows the verb's name in the name of a list action."""


class ManyAtOnce(ScopedAdmin):
    """Actions of the list; the history offers only undo."""

    actions = tuple(f"{name}{_SUFFIX}" for name in VERBS)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        is_history = request.GET.get(QueueFilter.parameter_name) == HISTORY
        return {name: shown for name, shown in found.items() if (name == f"undo{_SUFFIX}") is is_history}

    def all_matching(self, request: HttpRequest, action: str) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = self.get_changelist_instance(request).get_queryset(request)
        return bulk.possible(rows, action.removesuffix(_SUFFIX))

    def do_as_job(
        self, request: HttpRequest, action: str, form: VerbForm, rows: QuerySet[Any], *, dry_run: bool
    ) -> HttpResponse:
        """Start a job in each workspace that has matching rows."""
        jobs = []
        for workspace_id in rows.order_by().values_list("workspace_id", flat=True).distinct():
            order = Order(
                action=action.removesuffix(_SUFFIX),
                fields=form.kept(),
                workspace_id=workspace_id,
                actor=actor_of(request),
                dry_run=dry_run,
            )
            jobs.append(bulk.start(order, rows, asked=_asked(request), now=database_now()))
        for job in jobs:
            run_bulk_soon(job)
        if not jobs:
            self.message_user(request, "No callback is left to which this applies.", messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        page = "admin:callbacks_bulkaction_"
        one = reverse(f"{page}change", args=[jobs[0].pk])
        return HttpResponseRedirect(one if len(jobs) == 1 else reverse(f"{page}changelist"))


def _asked(request: HttpRequest) -> dict[str, str]:
    """Return the filters of the list by name, in the words of the page."""
    asked = {name: str(value) for name, value in request.GET.items() if value and not name.startswith("_")}
    queue = asked.get(QueueFilter.parameter_name)
    return {**asked, QueueFilter.parameter_name: TITLES.get(str(queue), "All")}
