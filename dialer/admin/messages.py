"""Text messages, sent and received."""

from django.contrib import admin

from dialer.admin.choices import CampaignFilter
from dialer.admin.contacts import OfANumberAdmin
from dialer.models import Message
from dialer.rules.statuses import Direction, MessageStatus
from dialer.workspaces.admin.columns import column

_COLOURS = {
    MessageStatus.QUEUED.value: "info",
    MessageStatus.SENDING.value: "info",
    MessageStatus.DELIVERED.value: "success",
    MessageStatus.RECEIVED.value: "success",
    MessageStatus.FAILED.value: "danger",
    MessageStatus.UNKNOWN.value: "warning",
}
_MOST_SHOWN = 80


@admin.register(Message)
class MessageAdmin(OfANumberAdmin):
    no_campaign = "—"
    list_display = ("who", "way", "state", "text", "campaign", "created_at", "settled_at")
    list_filter = ("direction", "status", CampaignFilter)
    list_select_related = ("contact", "campaign")
    search_help_text = "Name, whole number, or id of a message, contact or campaign (msg_…, ct_…, camp_…)"
    id_prefixes = {"id": "msg", "contact_id": "ct", "campaign_id": "camp"}
    fields = (
        ("contact_linked", "campaign_linked"),
        ("way", "number", "caller_id"),
        ("state", "failure"),
        "body",
        ("segments", "carrier_message_id"),
        ("created_at", "sent_at", "settled_at"),
    )

    @column("Way")
    def way(self, row: Message) -> str:
        return "we wrote" if row.direction == Direction.OUTBOUND else "they wrote"

    @column("State", label=_COLOURS)
    def state(self, row: Message) -> str:
        return row.status

    @column("Text")
    def text(self, row: Message) -> str:
        return row.body if len(row.body) <= _MOST_SHOWN else f"{row.body[:_MOST_SHOWN]}…"
