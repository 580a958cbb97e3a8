"""The pages of events: the frozen body, and its deliveries."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.filters import ChoiceFilter
from webhooks.admin.base import ReadOnlyAdmin, ReadOnlyInline
from webhooks.admin.deliveries import pretty
from webhooks.models import BatchItem, Delivery, Event
from webhooks.rules.statuses import EVENT_TYPES


class TypeFilter(ChoiceFilter):
    """Filters by event type; the choices come from the code, not from the table."""

    title = "type"
    parameter_name = path = "type"
    offered = tuple((name, name) for name in EVENT_TYPES)


class _Shown(ReadOnlyInline):
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).select_related("endpoint")
        return rows


class DeliveryInline(_Shown):
    model = Delivery
    show_change_link = True
    fields = readonly_fields = ("endpoint", "status", "last_attempt_at", "last_status_code", "last_error")


class BatchItemInline(_Shown):
    model = BatchItem
    verbose_name_plural = "in arrays"
    fields = readonly_fields = ("endpoint", "type", "ready_at", "delivery")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    ordering = ("-id",)
    list_display = ("public_id", "type", "occurred_at", "sequence")
    list_filter = (TypeFilter,)
    search_fields = ("id",)
    id_prefixes = {"id": Event.public_prefix, "call_id": "call", "chain_id": "chn", "campaign_id": "camp"}
    search_help_text = "Id of an event, call, chain or campaign (evt_…, call_…, chn_…, camp_…)"
    fields = (("public_id", "type"), ("occurred_at", "sequence"), "body_as_sent")
    inlines = (DeliveryInline, BatchItemInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        rows: QuerySet[Event] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and match.url_name is not None and match.url_name.endswith("_changelist")
        return rows.defer("body") if is_list else rows

    @column("body")
    def body_as_sent(self, row: Event) -> str:
        return pretty(row.body)
