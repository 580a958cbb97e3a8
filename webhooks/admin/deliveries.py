"""Deliveries with their attempts: what was sent, what came back, and the buttons that send it once more."""

import contextlib
import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.verbs import about, verb
from dialer.workspaces.ids import public_id
from webhooks import batches, endpoints
from webhooks.admin.base import ReadOnlyAdmin, ReadOnlyInline
from webhooks.curl import as_curl
from webhooks.models import ENCRYPTED_OF_ENDPOINT, Delivery, DeliveryAttempt, Endpoint, Event
from webhooks.rules.statuses import DeliveryStatus, Purpose

_COLOURS = {
    DeliveryStatus.PENDING.value: "info",
    DeliveryStatus.DELIVERED.value: "success",
    DeliveryStatus.FAILED.value: "danger",
    DeliveryStatus.SUPPRESSED.value: "warning",
}
_MANY_FILTERS = 200


def pretty(body: bytes | memoryview) -> str:
    """Return bytes as readable HTML: JSON is indented, other text stays as it is, invalid UTF-8 is replaced."""
    text = bytes(body).decode(errors="replace")
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return format_html('<pre class="whitespace-pre-wrap break-all">{}</pre>', text)


class EndpointFilter(admin.SimpleListFilter):
    """Endpoints that the user may see."""

    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:  # noqa: ARG002 — Django's signature
        subscribed = Endpoint.objects.visible_to(request.user).filter(purpose=Purpose.SUBSCRIPTION.value)
        rows = subscribed.order_by("name", "id")
        return [(endpoint.public_id, endpoint.name) for endpoint in rows.only("id", "name")[:_MANY_FILTERS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        chosen = {name for name, _ in self.lookup_choices} & {self.value()}
        if not chosen:
            return queryset
        rows = Endpoint.objects.visible_to(request.user).filter(purpose=Purpose.SUBSCRIPTION.value).only("id")
        ids = [endpoint.id for endpoint in rows if endpoint.public_id in chosen]
        return queryset.filter(endpoint_id__in=ids)


class AttemptInline(ReadOnlyInline):
    model = DeliveryAttempt
    verbose_name_plural = "attempts"
    ordering = ("-id",)
    fields = readonly_fields = (
        "number",
        "started_at",
        "address",
        "status_code",
        "error",
        "error_detail",
        "ms",
        "reply",
    )

    @column("ms (DNS / connect / TLS / first byte / total)")
    def ms(self, row: DeliveryAttempt) -> str:
        times = (row.dns_ms, row.connect_ms, row.tls_ms, row.first_byte_ms, row.total_ms)
        return " / ".join("-" if time is None else f"{time:.1f}" for time in times)

    @column("answer")
    def reply(self, row: DeliveryAttempt) -> str:
        return pretty(row.answer) if row.answer else ""


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    ordering = ("-id",)
    list_display = ("public_id", "state", "type", "endpoint", "due_at", "last_attempt_at", "last_status_code", "reason")
    list_filter = ("status", "endpoint__purpose", EndpointFilter)
    list_select_related = ("endpoint", "event")
    search_fields = ("id",)
    id_prefixes = {
        "id": Delivery.public_prefix,
        "event_id": Event.public_prefix,
        "endpoint_id": Endpoint.public_prefix,
        "event__call_id": "call",
    }
    search_help_text = "Id of a delivery, event, endpoint or call (dlv_…, evt_…, wh_…, call_…)"
    fields = (
        ("public_id", "state"),
        ("endpoint", "event"),
        ("due_at", "settled_at"),
        ("last_attempt_at", "failures", "reason"),
        "sent",
        "curl",
    )
    inlines = (AttemptInline,)
    actions = ("redeliver_selected",)
    actions_detail = ("redeliver", "replay_items")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request).with_waits()  # type: ignore[attr-defined]
        match = request.resolver_match
        is_list = match is not None and match.url_name is not None and match.url_name.endswith("_changelist")
        return rows.defer("body", "event__body", *ENCRYPTED_OF_ENDPOINT) if is_list else rows

    @verb(
        "Redeliver",
        asks="Sends the same event once more, under the same id, with all its retries.",
        does="Redeliver",
        icon="replay",
        permission="act",
    )
    def redeliver(self, request: HttpRequest, row: Delivery) -> str:
        endpoints.redeliver(row.id, **about(request, row))
        return "The delivery is on its way again."

    @verb(
        "Send item by item",
        asks="Sends each item of an undelivered batch separately, as an array of one.",
        does="Send",
        icon="splitscreen",
        permission="act",
    )
    def replay_items(self, request: HttpRequest, row: Delivery) -> str:
        items = batches.replay_items(row.id, **about(request, row))
        return f"Items on their way separately: {items}."

    @admin.action(description="Redeliver", permissions=["act"])
    def redeliver_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        def redeliver(row: Delivery) -> None:
            endpoints.redeliver(row.id, **about(request, row))

        self.do_to_each(request, queryset, redeliver, did="on their way again")

    @column("status", label=_COLOURS, ordering="status")
    def state(self, row: Delivery) -> str:
        return row.status

    @column("event")
    def type(self, row: Delivery) -> str:
        return row.event_type

    @column("reason")
    def reason(self, row: Delivery) -> str:
        """Say what went wrong last, or what the delivery waits for."""
        if row.waits_for is not None:  # type: ignore[attr-defined]
            return f"waits for {public_id(Delivery.public_prefix, row.waits_for)}, before it in its chain"  # type: ignore[attr-defined]
        return row.last_error

    @column("as a command for a shell")
    def curl(self, row: Delivery) -> str:
        return format_html('<pre class="whitespace-pre-wrap break-all">{}</pre>', as_curl(row.pk))

    @column("body as sent")
    def sent(self, row: Delivery) -> str:
        return pretty(row.sent_body)
