"""The columns of the queue: contact, reason, time on both clocks, lateness, campaign, and why a callback waits."""

from datetime import datetime

from django.utils.html import format_html

from callbacks.admin.forms import zone_of
from callbacks.admin.tabs import TYPES, how_late
from callbacks.models import Callback
from callbacks.queue_views import GRACE
from callbacks.rules.statuses import CallbackStatus
from dialer.workspaces.admin.base import linked
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.time_zone import on_clock, operator_zone

STATUS_COLOURS = {
    CallbackStatus.PENDING.value: "info",
    CallbackStatus.DIALING.value: "warning",
    CallbackStatus.DONE.value: "success",
    CallbackStatus.COMPLETED.value: "success",
    CallbackStatus.EXPIRED.value: "danger",
}
_LONGEST_NOTE = 80


class QueueColumns:
    """Columns of the list and fields of the page; :func:`tabs.explain` sets ``seen_at`` and ``waits`` on the rows."""

    @column("Contact", header=True)
    def who(self, row: Callback) -> list[str]:
        return [row.contact.name or "No name", row.contact.phone]

    @column("Contact")
    def who_linked(self, row: Callback) -> str:
        return linked("dialer_contact", row.contact_id, f"{row.contact.name} {row.contact.phone}".strip())

    @column("Why", header=True)
    def why_again(self, row: Callback) -> list[str]:
        kind = TYPES[row.type]
        if row.number is not None:
            kind = f"Retry {row.number} of {row.limit}".replace(" ", "\N{NO-BREAK SPACE}")
        return [kind, f"after {row.original_outcome.replace('_', ' ')}" if row.original_outcome else ""]

    @column("Promised", header=True)
    def promised(self, row: Callback) -> list[str]:
        now: datetime = row.seen_at  # type: ignore[attr-defined]
        theirs = on_clock(row.scheduled_at, zone_of(row), now=now)
        yours = on_clock(row.scheduled_at, operator_zone(), now=now)
        return [theirs, "" if yours == theirs else f"yours:\N{NO-BREAK SPACE}{yours}"]

    @column("How late", label={"late": "danger", "now": "warning", "ahead": "info"})
    def lateness(self, row: Callback) -> tuple[str, str] | str:
        if row.status != CallbackStatus.PENDING:
            return ""
        return how_late(row.scheduled_at, now=row.seen_at)  # type: ignore[attr-defined]

    @column("State", label=STATUS_COLOURS)
    def state(self, row: Callback) -> str:
        return row.status

    @column("Campaign", header=True)
    def where(self, row: Callback) -> list[str]:
        return [row.campaign.name if row.campaign else "No campaign", self._persona(row)]

    @column("Campaign")
    def where_linked(self, row: Callback) -> str:
        if row.campaign is None:
            return f"No campaign · {self._persona(row)}"
        return format_html("{} · {}", linked("dialer_campaign", row.campaign_id, row.campaign.name), self._persona(row))

    @column("Remarks", header=True)
    def remarks(self, row: Callback) -> list[str]:
        """Return why the callback waits, and its notes."""
        text = row.notes
        note = f"{text[:_LONGEST_NOTE].rstrip()}…" if len(text) > _LONGEST_NOTE else text
        return [" ".join(line for line in self.waits(row) if line), note]

    @column("Waits because", header=True)
    def waits(self, row: Callback) -> list[str]:
        waiting = row.waits  # type: ignore[attr-defined]
        if waiting is None:
            return ["", ""]
        now: datetime = row.seen_at  # type: ignore[attr-defined]
        at = waiting.next_possible_at
        # "Now" tells nothing new about a row that is due.
        later = at and at > now + GRACE and f"Next possible: {on_clock(at, zone_of(row), now=now)}"
        return [waiting.text, f"{later}." if later else ""]

    def _persona(self, row: Callback) -> str:
        assigned = row.assigned_persona
        return assigned.name if assigned else row.caller or ""  # type: ignore[attr-defined]
