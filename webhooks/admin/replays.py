"""The pages of replays: what is replayed, its progress, and the button that stops it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.jobs import JobAdmin
from dialer.workspaces.admin.verbs import about, verb
from webhooks import replay
from webhooks.models import Replay
from webhooks.rules.statuses import ReplayStatus


@admin.register(Replay)
class ReplayAdmin(JobAdmin[Replay]):
    list_display = ("public_id", "state", "endpoint", "came_to", "who", "created_at")
    list_select_related = ("endpoint",)
    search_help_text = "Id of a replay (replay_…) or of an endpoint (wh_…)"
    id_prefixes = {"id": Replay.public_prefix, "endpoint_id": "wh"}
    fields = (("endpoint", "state"), ("since", "until"), ("statuses", "events"), ("who", "created_at", "finished_at"))

    def progress(self, row: Replay) -> dict[str, Any]:
        is_over = row.status == ReplayStatus.DONE
        return {
            "percent": 100 if is_over or not row.total else min(100, round(100 * row.replayed / row.total, 1)),
            "counts": sorted(row.counts.items()),
        }

    @verb(
        "Stop",
        asks="Deliveries that were opened again are still sent; no more are opened.",
        does="Stop",
        icon="stop",
        permission="act",
    )
    def stop(self, request: HttpRequest, row: Replay) -> str:
        replay.stop(row.pk, **about(request, row))
        return "The replay is stopped."

    @column("Came to")
    def came_to(self, row: Replay) -> str:
        if row.dry_run:
            return f"{row.total:,} would be sent once more"
        said = f"{row.replayed:,} of {row.total:,} are on their way again or arrived"
        return f"{said}: {row.stopped_because}" if row.stopped_because else said
