"""Personas, lines, and the workspace's own settings."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from dialer import carriers
from dialer.admin.choices import MOST_OFFERED
from dialer.admin.schedule_fields import CALLBACKS, NAMES, WINDOW, ScheduleFields, initial_of, schedule_of
from dialer.carriers.addresses import report_url
from dialer.models import Campaign, Line, Persona, RetryPolicy
from dialer.retention import closing
from dialer.retention.closing import CallsUnderWay
from dialer.rules.limit_presets import presets
from dialer.rules.schedule_settings import InvalidSettings
from dialer.setup import lines, personas, workspace_settings
from dialer.setup.retry_policies import DefaultNeeded
from dialer.workspaces.admin.base import its_own_words
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import SecretField, WriteForm, WritingAdmin
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import about, actor_of, verb
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import KEEPS_DAYS, Workspace
from dialer.workspaces.values import LONGEST_NAME


class ArchivingAdmin(WritingAdmin):
    """Rows that are archived instead of deleted, so that campaigns can go on using them."""

    ordering = ("archived_at", "name", "id")
    sortable_by = ()
    search_fields = ("name",)
    search_by_text = True
    actions = None
    actions_detail = ("archive",)
    refusals: ClassVar[Any] = {DefaultNeeded: lambda _: "make another one the default first"}
    archiving: ClassVar[Any]
    """The verb."""

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        is_archived = getattr(obj, "archived_at", None) is not None
        return not is_archived and bool(super().has_change_permission(request, obj))

    @verb(
        "Archive",
        asks="Campaigns that use it keep it; new ones cannot choose it. Its name is free again.",
        does="Archive",
        icon="archive",
        permission="act",
    )
    def archive(self, request: HttpRequest, row: Line | Persona | RetryPolicy) -> str:
        type(self).archiving(row.pk, **about(request, row))
        return f"{row} is archived."

    @column("State", label={"in use": "success"})
    def state(self, row: Line | Persona | RetryPolicy) -> str:
        return "in use" if row.archived_at is None else "archived"


class PersonaForm(WriteForm):
    invalid = (InvalidSettings,)

    class Meta:
        model = Persona
        fields = ("workspace", "name", "endpoint", "has_flow")

    def write(self, about: Mapping[str, Any]) -> Persona:
        given = {name: self.cleaned_data[name] for name in ("name", "endpoint", "has_flow")}
        if self.is_new:
            return personas.create_persona(self.cleaned_data["workspace"].pk, **about, **given)
        row = self.instance
        return personas.edit_persona(row.pk, workspace_id=row.workspace_id, **about, **given)


@admin.register(Persona)
class PersonaAdmin(ArchivingAdmin):
    form = PersonaForm
    list_display = ("name", "endpoint", "state", "created_at")
    search_help_text = "Name, or id (per_…)"
    id_prefixes = {"id": "per"}
    readonly_fields = ("public_id", "state")
    fields = ("workspace", "name", "endpoint", "has_flow", "state", "public_id")
    archiving = staticmethod(personas.archive_persona)


class LineForm(WriteForm):
    invalid = (InvalidSettings,)
    carrier = forms.ChoiceField(
        choices=lambda: [(name, name) for name in settings.CARRIERS], widget=UnfoldAdminSelectWidget
    )
    new_credentials = SecretField(
        help_text="JSON, for Twilio account_sid and auth_token; stored encrypted and never shown. Left empty, they "
        "stay as they are."
    )
    numbers = forms.CharField(
        required=False,
        label="Caller ids",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Numbers that calls may show, one per line; the first is the default",
    )
    names: ClassVar[Mapping[str, str]] = {"credentials": "new_credentials", "caller_ids": "numbers"}

    class Meta:
        model = Line
        fields = (
            "workspace",
            "name",
            "carrier",
            "ring_timeout_seconds",
            "max_duration_seconds",
            "calls_per_second",
            "max_concurrent_calls",
            "is_default",
            "inbound_campaign",
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial["numbers"] = "\n".join(self.instance.caller_ids)
        if "inbound_campaign" not in self.fields:  # for those who only look
            return
        # Offer the newest campaigns of the line's workspace; a new line has no workspace yet, so it gets none.
        mine = Campaign.objects.filter(workspace_id=self.instance.workspace_id).order_by("-id")
        newest = mine.values("pk")[:MOST_OFFERED]
        offered: Any = self.fields["inbound_campaign"]
        offered.queryset = mine.filter(
            Q(pk__in=list(newest.values_list("pk", flat=True))) | Q(pk=self.instance.inbound_campaign_id)
        )
        if self.is_new:
            self.initial.setdefault("calls_per_second", lines.CALLS_PER_SECOND)

    def clean_new_credentials(self) -> object:
        text = self.cleaned_data["new_credentials"]
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            message = "Enter a JSON object."
            raise forms.ValidationError(message) from error

    def write(self, about: Mapping[str, Any]) -> Line:
        extra = ("workspace", "new_credentials", "numbers", "inbound_campaign")
        given: Any = {name: value for name, value in self.cleaned_data.items() if name not in extra}
        campaign = self.cleaned_data["inbound_campaign"]
        given["inbound_campaign_id"] = campaign.pk if campaign else None
        given["caller_ids"] = [line.strip() for line in self.cleaned_data["numbers"].splitlines() if line.strip()]
        if self.cleaned_data["new_credentials"] is not None:
            given["credentials"] = self.cleaned_data["new_credentials"]
        if self.is_new:
            return lines.create_line(self.cleaned_data["workspace"].pk, **about, **given)
        return lines.edit_line(self.instance.pk, workspace_id=self.instance.workspace_id, **about, **given)


@admin.register(Line)
class LineAdmin(ArchivingAdmin):
    form = LineForm
    list_display = (
        "name",
        "carrier",
        "shown",
        "max_concurrent_calls",
        "is_default",
        "health",
        "state",
    )
    search_help_text = "Name, or id (line_…)"
    id_prefixes = {"id": "line"}
    readonly_fields = ("public_id", "state", "health", "reports_to")
    fieldsets = (
        (
            None,
            {"fields": ("workspace", ("name", "carrier"), "numbers", "new_credentials", "reports_to", "is_default")},
        ),
        ("Calls that come in", {"fields": ("inbound_campaign",)}),
        (
            "Limits",
            {
                "fields": (
                    ("ring_timeout_seconds", "max_duration_seconds"),
                    ("calls_per_second", "max_concurrent_calls"),
                )
            },
        ),
        (None, {"fields": (("state", "health"), "public_id")}),
    )
    archiving = staticmethod(lines.archive_line)

    @column("Caller ids")
    def shown(self, row: Line) -> str:
        return ", ".join(row.caller_ids[:3]) + (" …" if len(row.caller_ids) > 3 else "")  # noqa: PLR2004 — what fits

    @column("Report address")
    def reports_to(self, row: Line) -> str:
        has_account = row.carrier in settings.CARRIERS and carriers.has_account_per_line(row.carrier)
        return report_url(row) if has_account and not row._state.adding else "the installation's own"  # noqa: SLF001

    @column("Carrier", label={"reachable": "success", "down": "danger"})
    def health(self, row: Line) -> tuple[str, str]:
        if row.down_until is not None and row.down_until > database_now():
            return "down", f"down: {row.down_reason}"
        return "reachable", "reachable"


_WORKSPACE_FIELDS = (
    "name",
    "time_zone",
    "contact_limits",
    "stale_after_hours",
    "calls_per_second",
    "max_concurrent_calls",
    "requires_two_factor",
    *KEEPS_DAYS,
)


class WorkspaceForm(WriteForm, ScheduleFields):
    invalid = (InvalidSettings,)
    names = NAMES
    preset = forms.ChoiceField(
        required=False,
        label="Apply a legal preset",
        choices=lambda: [("", "Nothing"), *((code, preset.name) for code, preset in presets().items())],
        widget=UnfoldAdminSelectWidget,
        help_text="Its limits and its window replace those below, whatever you enter there. Not legal advice.",
    )

    class Meta:
        model = Workspace
        fields = _WORKSPACE_FIELDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.update(initial_of(self.instance.schedule))

    def write(self, about: Mapping[str, Any]) -> Workspace:
        fields: Any = {name: self.cleaned_data[name] for name in _WORKSPACE_FIELDS}
        schedule = schedule_of(self.cleaned_data)
        fields["contact_limits"] = fields["contact_limits"] or []
        if chosen := presets().get(self.cleaned_data["preset"]):
            fields["contact_limits"], schedule = chosen.contact_limits, chosen.over(schedule)
        fields["schedule"] = schedule
        if self.is_new:
            return workspace_settings.open_workspace(**about, **fields)
        return workspace_settings.edit_workspace(self.instance.pk, **about, **fields)


class CloseForm(ReasonForm):
    """Asks for the workspace's name, so that nobody closes the wrong one."""

    name = forms.CharField(
        label="Type the workspace's name", max_length=LONGEST_NAME, widget=UnfoldAdminTextInputWidget
    )
    field_order = ("name", "reason")


class OtherName(Exception):
    """The typed name is not the workspace's."""


@admin.register(Workspace)
class WorkspaceAdmin(WritingAdmin):
    form = WorkspaceForm
    actions_detail = ("close", "reopen")
    refusals: ClassVar[Any] = {
        CallsUnderWay: its_own_words,
        OtherName: lambda _: "the name is not that of this workspace; nothing was changed",
    }
    ordering = ("name", "id")
    sortable_by = ()
    list_display = ("name", "time_zone", "stale_after_hours", "state", "created_at")
    search_fields = ("name",)
    search_by_text = True
    id_prefixes = {"id": "ws"}
    actions = None
    readonly_fields = ("public_id",)
    fieldsets = (
        (None, {"fields": (("name", "time_zone"), "public_id")}),
        ("Calling window, unless a campaign or call sets its own", {"fields": WINDOW}),
        ("Callbacks", {"fields": (*CALLBACKS, "stale_after_hours")}),
        ("Limits", {"fields": (("calls_per_second", "max_concurrent_calls"), "preset", "contact_limits")}),
        ("Signing in", {"fields": ("requires_two_factor",)}),
        (
            "What is kept for how many days",
            {"fields": (("keep_events_days", "keep_deliveries_days"), ("keep_imports_days", "keep_transcripts_days"))},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> tuple[str, ...]:  # noqa: ARG002
        return self.readonly_fields

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        is_closed = getattr(obj, "closed_at", None) is not None
        return not is_closed and bool(super().has_change_permission(request, obj))

    def has_close_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.allows(request, "delete", obj)

    def has_reopen_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        user: Any = request.user
        return bool(user.is_superuser)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        row = self.get_object(request, str(object_id))
        offered = "close" if row is not None and row.closed_at is None else "reopen"
        found: list[Any] = super().get_actions_detail(request, object_id)
        return [verb for verb in found if verb.action_name.endswith(f"_{offered}")]

    @verb(
        "Close",
        asks="Nobody is called and nothing is sent any more: campaigns are cancelled, API keys revoked, webhooks "
        "switched off, addresses of reports dead. Members do not see the workspace any more. An administrator can "
        "open it again for 30 days; then everything in it is deleted for good.",
        does="Close the workspace",
        icon="delete_forever",
        permission="close",
        form=CloseForm,
        then="changelist",
        variant=ActionVariant.DANGER,
    )
    def close(self, request: HttpRequest, form: CloseForm, row: Workspace) -> str:
        if form.cleaned_data["name"].strip() != row.name:
            raise OtherName
        closing.close(row.pk, **_who(request), reason=form.cleaned_data["reason"])
        return f"{row.name} is closed. It will be deleted in {closing.KEPT.days} days."

    @verb(
        "Open again",
        asks="Members see it again. Its keys stay revoked, its endpoints off, its campaigns cancelled.",
        does="Open again",
        icon="restore",
        permission="reopen",
        form=ReasonForm,
    )
    def reopen(self, request: HttpRequest, form: ReasonForm, row: Workspace) -> str:
        closing.reopen(row.pk, **_who(request), reason=form.cleaned_data["reason"])
        return f"{row.name} is open again."

    @column("State", label={"open": "success", "closed": "danger"})
    def state(self, row: Workspace) -> str:
        return "open" if row.closed_at is None else "closed"


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"actor": actor_of(request), "now": database_now()}
