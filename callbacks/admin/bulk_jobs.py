"""The pages of bulk actions: their progress, what was done, what was refused and why."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

from callbacks import bulk
from callbacks.admin.forms import ReasonForm
from callbacks.models import BulkAction
from callbacks.refusals import words_of
from callbacks.verbs import counted
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.jobs import JobAdmin
from dialer.workspaces.admin.verbs import about, verb


@admin.register(BulkAction)
class BulkActionAdmin(JobAdmin[BulkAction]):
    list_display = ("what", "state", "came_to", "total", "who", "created_at")
    search_help_text = "Id of a bulk action (bulk_…)"
    id_prefixes = {"id": "bulk"}
    fields = (("what", "state"), ("chosen", "who"), ("created_at", "finished_at"))

    def beside(self, request: HttpRequest, row: BulkAction) -> dict[str, Any]:
        return {"title": self.what(row), **super().beside(request, row)}

    def progress(self, row: BulkAction) -> dict[str, Any]:
        asked = row.done + sum(row.refused.values())
        return {
            "text": f"{capfirst(self.came_to(row))}.",
            "percent": round(100 * asked / row.total, 1) if row.total else 100,
            "counts": [
                ("Would change" if row.dry_run else "Changed", row.done),
                ("Refused", sum(row.refused.values())),
                ("Left", row.total - asked),
            ],
            "refused": [
                (
                    f"Callback {refused.callback_id}",
                    words_of(refused.outcome),
                    reverse("admin:callbacks_callback_change", args=[refused.callback_id]),
                )
                for refused in bulk.refused_rows(row)
            ],
        }

    @verb(
        "Stop",
        asks="What was done stays done; the remaining callbacks are not changed.",
        does="Stop",
        icon="stop_circle",
        permission="act",
        form=ReasonForm,
    )
    def stop(self, request: HttpRequest, form: ReasonForm, row: BulkAction) -> str:
        bulk.stop(row.pk, **about(request, row, form))
        return "The bulk action is stopped."

    @column("Action")
    def what(self, row: BulkAction) -> str:
        name = row.action.replace("_", " ").capitalize()
        return f"{name} (dry run)" if row.dry_run else name

    @column("Came to")
    def came_to(self, row: BulkAction) -> str:
        return counted(row.action, done=row.done, refused=row.refused, dry_run=row.dry_run)

    @column("Callbacks chosen by")
    def chosen(self, row: BulkAction) -> str:
        return "; ".join(f"{name}: {value}" for name, value in row.asked.items())
