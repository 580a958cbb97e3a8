"""Bulk actions as they go on: how far, what was done, what was refused and why."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from callbacks import bulk
from callbacks.admin.forms import ReasonForm
from callbacks.models import BulkAction
from callbacks.refusals import counted, words_of
from callbacks.rules.statuses import BulkStatus
from dialer.workspaces.admin.base import ReadOnlyAdmin, about, column, verb

_COLOURS = {BulkStatus.RUNNING.value: "info", BulkStatus.DONE.value: "success", BulkStatus.STOPPED.value: "warning"}


@admin.register(BulkAction)
class BulkActionAdmin(ReadOnlyAdmin):
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("what", "state", "came_to", "total", "who", "created_at")
    search_fields = ("id",)
    search_help_text = "Id of a bulk action (bulk_…)"
    id_prefixes = {"id": "bulk"}
    actions = None
    actions_detail = ("stop",)
    fields = (("what", "state"), ("chosen", "who"), ("created_at", "finished_at"))
    change_form_outer_before_template = "callbacks/admin/bulk_progress.html"
    refusals: ClassVar[Any] = {}

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        """Let everybody see them who sees the queue."""
        user: Any = request.user
        return any(user.has_perm(f"callbacks.{verb}_callback") for verb in ("view", "change"))

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        user: Any = request.user
        return bool(user.has_perm("callbacks.change_callback"))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        row = self.get_object(request, str(object_id))
        found: list[Any] = super().get_actions_detail(request, object_id)
        return found if row is not None and row.status == BulkStatus.RUNNING else []

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra: dict[str, Any] = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None:
            asked = row.done + sum(row.refused.values())
            extra["title"] = self.what(row)
            extra["progress"] = {
                "row": row,
                "percent": round(100 * asked / row.total, 1) if row.total else 100,
                "is_under_way": row.status == BulkStatus.RUNNING,
                "text": self.came_to(row),
                "counts": [
                    ("Would change" if row.dry_run else "Changed", row.done),
                    ("Refused", sum(row.refused.values())),
                    ("Left", row.total - asked),
                ],
                "refused": [
                    (
                        refused.callback_id,
                        words_of(refused.outcome),
                        reverse("admin:callbacks_callback_change", args=[refused.callback_id]),
                    )
                    for refused in bulk.refused_rows(row)
                ],
            }
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return answer

    @verb(
        "Stop",
        asks="What was done stays done; the rest is left alone.",
        does="Stop",
        icon="stop_circle",
        permission="act",
        form=ReasonForm,
    )
    def stop(self, request: HttpRequest, form: ReasonForm, row: BulkAction) -> str:
        bulk.stop(row.pk, **about(request, row, form))
        return "It is stopped."

    @column("Action")
    def what(self, row: BulkAction) -> str:
        name = row.action.replace("_", " ").capitalize()
        return f"{name} (dry run)" if row.dry_run else name

    @column("State", label=_COLOURS)
    def state(self, row: BulkAction) -> str:
        return row.status

    @column("Came to")
    def came_to(self, row: BulkAction) -> str:
        return counted(row.action, done=row.done, refused=row.refused, dry_run=row.dry_run)

    @column("Asked for by")
    def who(self, row: BulkAction) -> str:
        return row.actor_label

    @column("Callbacks chosen by")
    def chosen(self, row: BulkAction) -> str:
        return "; ".join(f"{name}: {value}" for name, value in row.asked.items())
