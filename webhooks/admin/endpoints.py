"""The pages of endpoints: settings, health, and buttons for their verbs."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from dialer.workspaces.admin.base import ScopedAdmin, go_to
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import SecretField, WriteForm, WritingAdmin
from dialer.workspaces.admin.shown_once import ShownOnce
from dialer.workspaces.admin.verbs import about, button, verb
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import MalformedId, parse_public_id, public_id
from webhooks import endpoints, replay
from webhooks.admin.base import REFUSALS
from webhooks.admin.forms import ReplayForm, RotateForm, TestForm
from webhooks.destinations import url_error
from webhooks.endpoint_settings import SCOPE_PREFIXES, EndpointFields, InvalidEndpoint
from webhooks.models import Endpoint, Replay
from webhooks.rules.classify import RETRYABLE_STATUSES
from webhooks.rules.custom_headers import MASK, masked
from webhooks.rules.signature import standard_form
from webhooks.rules.statuses import ALL_EVENTS, CHOSEN_PROFILES, EVENT_TYPES, BatchType, SigningMethod
from webhooks.tasks import replay as go_on

_MOST_REMINDERS = 5
_ANY = (ALL_EVENTS, "every event")


class EndpointForm(WriteForm):
    """Reads an endpoint's settings; the verb validates them."""

    invalid = (InvalidEndpoint,)
    names: ClassVar[Mapping[str, str]] = {"secret": "new_secret", "scope_id": "scope", "custom_headers": "headers"}
    events = forms.MultipleChoiceField(
        choices=[_ANY, *((name, name) for name in (*EVENT_TYPES, *(each.value for each in BatchType)))],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="The last five come in arrays, with the profile batch",
    )
    profile = forms.ChoiceField(
        choices=[(each.value, each.value) for each in CHOSEN_PROFILES],
        widget=UnfoldAdminSelectWidget,
        help_text="envelope: one event a request; batch: arrays of items of one type",
    )
    scope = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Id of the persona (per_…) or campaign (camp_…) it is limited to",
    )
    retry_on = forms.TypedMultipleChoiceField(
        choices=[(status, str(status)) for status in sorted(RETRYABLE_STATUSES)],
        coerce=int,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Retried in addition to 5xx and timeouts",
    )
    headers = forms.JSONField(
        label="Custom headers",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f"A JSON object of names and values. Stored values are not shown: {MASK} keeps one.",
    )
    new_secret = SecretField(
        help_text="If empty, a new endpoint gets one, an existing one keeps its own. Rotate to change it without a gap."
    )

    class Meta:
        model = Endpoint
        fields = (
            "workspace",
            "name",
            "url",
            "description",
            "events",
            "profile",
            "batch_size",
            "batch_wait_seconds",
            "scope_type",
            "signing_method",
            "timeout_seconds",
            "max_retries",
            "backoff_ms",
            "max_in_flight",
            "rate_per_second",
            "retry_on",
            "auto_recover",
            "ordered",
        )
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        row = self.instance
        if row.scope_id is not None and row.scope_type in SCOPE_PREFIXES:
            self.fields["scope"].initial = public_id(SCOPE_PREFIXES[row.scope_type], row.scope_id)
        self.fields["headers"].initial = masked(row.custom_headers)

    def clean_url(self) -> str:
        fault: str | None = getattr(self.request, "fault_of_url", None)
        if fault is not None:
            raise forms.ValidationError(fault)
        url: str = self.cleaned_data["url"]
        return url

    def clean_scope(self) -> str:
        text: str = self.cleaned_data["scope"].strip()
        prefix = SCOPE_PREFIXES.get(self.cleaned_data.get("scope_type", ""))
        if text and prefix:
            try:
                parse_public_id(prefix, text)
            except MalformedId as malformed:
                raise forms.ValidationError(str(malformed)) from malformed
        return text

    def said(self) -> EndpointFields:
        """Return the form's values as arguments of the verbs."""
        given = {name: value for name, value in self.cleaned_data.items() if name not in _NOT_SAID}
        prefix = SCOPE_PREFIXES.get(self.cleaned_data["scope_type"])
        scope = self.cleaned_data["scope"]
        headers = self.cleaned_data["headers"]
        given["custom_headers"] = {} if headers is None else headers
        given["scope_id"] = parse_public_id(prefix, scope) if prefix and scope else None
        if self.cleaned_data["new_secret"]:
            given["secret"] = self.cleaned_data["new_secret"]
        return cast(EndpointFields, given)

    def write(self, about: Mapping[str, Any]) -> Endpoint:
        if self.is_new:
            saved = endpoints.create(self.cleaned_data["workspace"].pk, **about, **self.said())
        else:
            row = self.instance
            saved = endpoints.edit(row.pk, workspace_id=row.workspace_id, **about, **self.said())
        if saved.secret and not self.cleaned_data["new_secret"]:
            self.secret = _shown_once(saved)
        return saved.endpoint


_NOT_SAID = ("workspace", "scope", "headers", "new_secret")


@admin.register(Endpoint)
class EndpointAdmin(WritingAdmin):
    form = EndpointForm
    ordering = ("name", "id")
    list_display = (
        "name",
        "url",
        "state",
        "hears",
        "delivered_count",
        "failed_count",
        "success",
        "last_delivery_at",
        "health",
    )
    list_filter = ("is_active", "signing_method")
    search_fields = ("name", "url")
    search_by_text = True
    id_prefixes = {"id": Endpoint.public_prefix}
    search_help_text = "Name, URL or id (wh_…)"
    readonly_fields = (
        "state",
        "public_id",
        "delivered_count",
        "failed_count",
        "success",
        "last_delivery_at",
        "last_error",
        "last_error_at",
        "health",
        "rotation",
    )
    fieldsets = (
        (None, {"fields": ("workspace", "name", "url", "description", "state", "public_id")}),
        (
            "Events it receives",
            {"fields": ("profile", "events", ("batch_size", "batch_wait_seconds"), "scope_type", "scope")},
        ),
        ("Signing", {"fields": ("signing_method", "new_secret", "rotation")}),
        (
            "Delivery",
            {
                "classes": ("collapse",),
                "fields": (
                    ("timeout_seconds", "max_retries", "backoff_ms"),
                    ("max_in_flight", "rate_per_second"),
                    "retry_on",
                    "auto_recover",
                    "ordered",
                    "headers",
                ),
            },
        ),
        (
            "Health",
            {
                "fields": (
                    ("health", "last_delivery_at"),
                    ("delivered_count", "failed_count", "success"),
                    ("last_error", "last_error_at"),
                )
            },
        ),
    )
    actions_detail = (
        "send_test",
        "replay",
        "pause",
        "resume",
        "switch_on",
        "switch_off",
        "rotate_secret",
        "promote_secret",
    )
    actions = None
    refusals: ClassVar[Any] = REFUSALS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        rows: QuerySet[Endpoint] = super().get_queryset(request).kept()  # type: ignore[attr-defined]
        return rows

    def before_transaction(self, request: HttpRequest) -> None:
        request.fault_of_url = url_error(request.POST.get("url", ""))  # type: ignore[attr-defined]

    has_delete_permission = ScopedAdmin.has_delete_permission

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        endpoints.delete(obj.id, **about(request, obj))

    def get_deleted_objects(
        self,
        objs: Iterable[object],
        request: HttpRequest,  # noqa: ARG002 — Django's signature
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """List only the endpoint as deleted: its deliveries stay."""
        return [str(row) for row in objs], {}, set(), []

    @verb(
        "Send test",
        asks="Posts a sample event to this endpoint only, signed and retried like any other.",
        does="Send",
        icon="send",
        form=TestForm,
    )
    def send_test(self, request: HttpRequest, form: TestForm, row: Endpoint) -> str:
        event = form.cleaned_data["event"]
        delivery = endpoints.send_test(row.id, event_type=event, **about(request, row))
        return f"A test is on its way: {delivery.public_id}."

    @button(
        "Replay",
        asks="Sends all deliveries of a period once more: the same bytes under the same ids.",
        does="Replay",
        icon="replay",
        form=ReplayForm,
    )
    def replay(self, request: HttpRequest, form: ReplayForm, object_id: str) -> HttpResponse:
        job: list[Replay] = []

        def do(row: Endpoint) -> str:
            started = replay.start(
                row.id,
                form.wanted(),
                dry_run=form.cleaned_data["dry_run"],
                **about(request, row),
            )
            job.append(started)
            return f"{started.total:,} {'would be' if started.dry_run else 'are'} sent once more."

        answer = self.act(request, object_id, do, form=form)
        if not job:
            return answer
        go_on.delay()
        return go_to(request, reverse("admin:webhooks_replay_change", args=[job[0].pk]))

    @verb(
        "Pause",
        asks="Pending and new deliveries wait until the endpoint is resumed. Nothing is lost.",
        does="Pause",
        icon="pause",
    )
    def pause(self, request: HttpRequest, row: Endpoint) -> str:
        endpoints.pause(row.id, **about(request, row))
        return "The endpoint is paused."

    @verb("Resume", asks="Sends the deliveries that were held, the oldest first.", does="Resume", icon="play_arrow")
    def resume(self, request: HttpRequest, row: Endpoint) -> str:
        endpoints.resume(row.id, **about(request, row))
        return "The deliveries that were held are on their way."

    @verb("Switch on", asks="It receives events from now on.", does="Switch on", icon="toggle_on")
    def switch_on(self, request: HttpRequest, row: Endpoint) -> str:
        endpoints.activate(row.id, **about(request, row))
        return "The endpoint is on."

    @verb(
        "Switch off",
        asks="Nothing more is sent to it. Its pending deliveries are kept as suppressed and can be redelivered.",
        does="Switch off",
        icon="toggle_off",
    )
    def switch_off(self, request: HttpRequest, row: Endpoint) -> str:
        endpoints.deactivate(row.id, **about(request, row))
        return "The endpoint is off."

    @verb(
        "Rotate secret",
        asks="The new secret signs at once in addition to the old one, and replaces it when promoted.",
        does="Rotate",
        icon="key",
        form=RotateForm,
    )
    def rotate_secret(self, request: HttpRequest, form: RotateForm, row: Endpoint) -> str | ShownOnce:
        brought = form.cleaned_data["secret"] or None
        rotated = endpoints.rotate_secret(row.id, secret=brought, **about(request, row))
        return "The new secret waits to be promoted." if brought else _shown_once(rotated)

    @verb(
        "Promote secret",
        asks="The rotated secret replaces the old one, which is deleted.",
        does="Promote",
        icon="published_with_changes",
    )
    def promote_secret(self, request: HttpRequest, row: Endpoint) -> str:
        endpoints.promote_secret(row.id, **about(request, row))
        return "The new secret has replaced the old one."

    @column("State", label={"on": "success", "paused": "info", "off": "warning", "disabled": "danger"})
    def state(self, row: Endpoint) -> str:
        if row.is_active:
            return "paused" if row.paused_at else "on"
        return "disabled" if row.disabled_at else "off"

    @column("Events")
    def hears(self, row: Endpoint) -> str:
        return ", ".join(row.events)

    @column("Custom headers")
    def headers(self, row: Endpoint) -> str:
        """Name the headers to users who may not change them; the form has a field of the same name."""
        return ", ".join(row.custom_headers)

    @column("Health", label={"well": "success", "failing": "danger"})
    def health(self, row: Endpoint) -> str:
        if row.disabled_at:
            return f"Switched off on {row.disabled_at:%Y-%m-%d %H:%M} UTC after five days without a delivery"
        if row.open_until:
            return f"failing since {row.failing_since:%Y-%m-%d %H:%M} UTC, next probe {row.open_until:%H:%M:%S}"
        return "failing" if row.failing_since else "well" if row.last_delivery_at else ""

    @column("Rotation")
    def rotation(self, row: Endpoint) -> str:
        if row.rotated_at is None:
            return "None in progress"
        waits = f"A new secret has waited since {row.rotated_at:%Y-%m-%d %H:%M} UTC"
        return f"{waits}: promote it" if endpoints.wants_promotion(row, now=database_now()) else waits

    @column("Success")
    def success(self, row: Endpoint) -> str:
        return "" if row.success_percent is None else f"{row.success_percent:.1f} %"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show a reminder for secrets that were rotated and not promoted yet, which leaves the rotation unfinished."""
        if request.method == "GET":
            forgotten = endpoints.wanting_promotion(self.get_queryset(request), now=database_now())
            for name, at in forgotten.values_list("name", "rotated_at")[:_MOST_REMINDERS]:
                said = f"{name}: the secret rotated on {at:%Y-%m-%d %H:%M} UTC waits to be promoted."
                self.message_user(request, said, messages.WARNING)
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page


def _shown_once(made: endpoints.WithSecret) -> ShownOnce:
    secret = made.secret or ""
    is_standard = not SigningMethod(made.endpoint.signing_method).is_hmac or secret == standard_form(secret)
    more = "" if is_standard else f" Libraries of Standard Webhooks take it as {standard_form(secret)}"
    return ShownOnce(
        title=f"The secret of {made.endpoint.name}",
        text=secret,
        advice=f"It is shown only now. The receiver verifies with it that requests come from here.{more}",
    )
