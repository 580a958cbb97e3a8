"""Replays as they go on: of what, how far, and the button that ends one."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from dialer.workspaces.admin.base import about, column, verb
from webhooks import replay
from webhooks.admin.base import ReadOnlyAdmin
from webhooks.models import Replay
from webhooks.rules.statuses import ReplayStatus

_COLOURS = {
    ReplayStatus.RUNNING.value: "info",
    ReplayStatus.DONE.value: "success",
    ReplayStatus.STOPPED.value: "warning",
}


@admin.register(Replay)
class ReplayAdmin(ReadOnlyAdmin):
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("public_id", "state", "endpoint", "came_to", "who", "created_at")
    list_select_related = ("endpoint",)
    search_fields = ("id",)
    search_help_text = "Id of a replay (replay_…) or of an endpoint (wh_…)"
    id_prefixes = {"id": Replay.public_prefix, "endpoint_id": "wh"}
    actions = None
    actions_detail = ("stop",)
    fields = (("endpoint", "state"), ("since", "until"), ("statuses", "events"), ("who", "created_at", "finished_at"))
    change_form_outer_before_template = "webhooks/admin/replay_progress.html"

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        """Let everybody see them who sees deliveries."""
        user: Any = request.user
        return any(user.has_perm(f"webhooks.{verb}_delivery") for verb in ("view", "change"))

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        """Let those stop them who may ask for them."""
        user: Any = request.user
        return bool(user.has_perm("webhooks.change_endpoint"))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        row = self.get_object(request, str(object_id))
        found: list[Any] = super().get_actions_detail(request, object_id)
        return found if row is not None and row.status == ReplayStatus.RUNNING else []

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra: dict[str, Any] = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None:
            is_over = row.status == ReplayStatus.DONE
            extra["progress"] = {
                "row": row,
                "percent": 100 if is_over or not row.total else min(100, round(100 * row.replayed / row.total, 1)),
                "is_under_way": row.status == ReplayStatus.RUNNING,
                "text": self.came_to(row),
                "counts": sorted(row.counts.items()),
            }
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return answer

    @verb(
        "Stop",
        asks="What is on its way again arrives; nothing more is sent.",
        does="Stop",
        icon="stop",
        permission="act",
    )
    def stop(self, request: HttpRequest, row: Replay) -> str:
        replay.stop(row.pk, **about(request, row))
        return "It is stopped."

    @column("State", label=_COLOURS)
    def state(self, row: Replay) -> str:
        return row.status

    @column("Came to")
    def came_to(self, row: Replay) -> str:
        if row.dry_run:
            return f"{row.total:,} would be sent once more"
        said = f"{row.replayed:,} of {row.total:,} are on their way again or arrived"
        return f"{said}: {row.stopped_because}" if row.stopped_because else said

    @column("Asked for by")
    def who(self, row: Replay) -> str:
        return row.actor_label
