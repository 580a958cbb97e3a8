"""The timeline of a chain: calls, outcomes, callbacks with their explanations, audit entries and events."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.urls import reverse

from callbacks.models import Callback
from callbacks.rules.statuses import CallbackStatus, CallbackType
from dialer.admin import timeline
from dialer.admin.timeline import MOST, Entry
from dialer.workspaces.admin.time_zone import on_clock
from dialer.workspaces.models import AuditEntry

_ENDS = {
    CallbackStatus.SKIPPED: "Used up without a call",
    CallbackStatus.CANCELLED: "Cancelled",
    CallbackStatus.COMPLETED: "Handled",
    CallbackStatus.SUPERSEDED: "A promise took its place",
    CallbackStatus.EXPIRED: "Expired: too late to be called",
}


def of_chain(callback: Callback, *, now: datetime) -> list[Entry]:
    """Return the entries of the callback's chain, read in a fixed number of statements."""
    workspace_id, chain_id = callback.workspace_id, callback.call.chain_id
    calls = timeline.calls_of_chain(workspace_id, chain_id)
    rows = Callback.objects.in_workspace(workspace_id).filter(call__in=[call.pk for call in calls])
    callbacks = list(rows.select_related("contact").order_by("id")[:MOST])
    audit = AuditEntry.objects.in_workspace(workspace_id).filter(
        Q(object_type="callback", object_id__in=[str(row.pk) for row in callbacks])
        | Q(object_type="call", object_id__in=[call.public_id for call in calls])
    )
    return timeline.in_order(
        timeline.of_calls(calls),
        _of_callbacks(callbacks, this=callback.pk, now=now),
        timeline.of_audit(audit.order_by("id")[:MOST]),
        timeline.of_chain_events(workspace_id, chain_id),
    )


def _of_callbacks(callbacks: list[Callback], *, this: int, now: datetime) -> list[Entry]:
    entries = []
    for row in callbacks:
        url = "" if row.pk == this else reverse("admin:callbacks_callback_change", args=[row.pk])
        name = f"Retry {row.number} of {row.limit}" if row.type == CallbackType.AUTO_RETRY else "Callback"
        zone = row.time_zone or "UTC"
        entries.append(
            Entry(
                at=row.created_at,
                icon="schedule",
                title=f"{name} promised for {on_clock(row.scheduled_at, zone, now=now)}",
                badge=row.status,
                tone="info" if row.status == CallbackStatus.PENDING else "",
                url=url,
                lines=[_text_of(step) for step in row.explanation],
            )
        )
        ended = _ENDS.get(CallbackStatus(row.status))
        if ended:
            by = f" by {row.completed_by.replace('_', ' ')}" if row.completed_by else ""
            entries.append(Entry(at=row.updated_at, icon="flag", title=f"{name}: {ended}{by}", url=url))
    return entries


def _text_of(step: dict[str, Any]) -> str:
    return str(step.get("text") or step.get("code") or "")
