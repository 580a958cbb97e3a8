"""Users, API keys and audit entries; members have a page of their own (``members``)."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextareaWidget

from dialer.workspaces import api_keys
from dialer.workspaces.admin.base import FilteredAdmin, ReadOnlyAdmin
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import MadeOnceAdmin, WriteForm
from dialer.workspaces.admin.shown_once import ShownOnce
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import actor_of, verb
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import ApiKey, AuditEntry

_KINDS = (
    "api_key",
    "bulk_action",
    "call",
    "callback",
    "campaign",
    "contact",
    "delivery",
    "endpoint",
    "import",
    "line",
    "member",
    "message",
    "persona",
    "retrypolicy",
    "suppression",
    "transcript",
    "user",
    "workspace",
)
"""The types of objects in audit entries; the index begins with the type."""


class ApiKeyForm(WriteForm):
    invalid = (api_keys.InvalidKey,)
    allowed_networks = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Networks that it may be used from, one per line, such as 203.0.113.0/24; empty: anywhere",
    )

    class Meta:
        model = ApiKey
        fields = ("workspace", "name", "scope", "expires_at")

    def clean_allowed_networks(self) -> list[str]:
        return str(self.cleaned_data["allowed_networks"]).split()

    def write(self, about: Mapping[str, Any]) -> ApiKey:
        given = self.cleaned_data
        key, plain = api_keys.issue(
            workspace_id=given["workspace"].pk,
            name=given["name"],
            scope=given["scope"],
            expires_at=given["expires_at"],
            allowed_networks=given["allowed_networks"],
            **about,
        )
        self.secret = ShownOnce(
            title=f"The API key {key.name}",
            text=plain,
            advice="It is shown only now and stored as a hash. Requests send it as `Authorization: Bearer <key>`.",
        )
        return key


@admin.register(ApiKey)
class ApiKeyAdmin(MadeOnceAdmin):
    form = ApiKeyForm
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("name", "starts_with", "scope", "state", "last_used_at", "expires_at")
    search_fields = ("name", "prefix")
    search_by_text = True
    id_prefixes = {"id": "key"}
    actions = None
    actions_detail = ("revoke",)
    asked = ("workspace", "name", "scope", "expires_at", "allowed_networks")
    shown = (
        ("name", "starts_with"),
        ("scope", "state"),
        "networks",
        ("created_at", "expires_at"),
        ("last_used_at", "refused_at"),
        "addresses",
        "public_id",
    )

    @verb(
        "Revoke",
        asks="Requests with this key are refused from now on. This cannot be undone.",
        does="Revoke",
        icon="key_off",
        permission="act",
        form=ReasonForm,
    )
    def revoke(self, request: HttpRequest, form: ReasonForm, row: ApiKey) -> str:
        reason = form.cleaned_data["reason"]
        was_on = api_keys.revoke(row, actor=actor_of(request), reason=reason, now=database_now())
        return f"{row.name} is revoked." if was_on else f"{row.name} was revoked already."

    @column("Starts with")
    def starts_with(self, row: ApiKey) -> str:
        return f"{row.prefix}…"

    @column("May be used from")
    def networks(self, row: ApiKey) -> str:
        return ", ".join(row.allowed_networks) or "anywhere"

    @column("State", label={"works": "success", "ends": "warning", "revoked": "danger", "expired": "danger"})
    def state(self, row: ApiKey) -> str | tuple[str, str]:
        now = database_now()
        if row.revoked_at is not None:
            return "revoked"
        if row.expires_at is None or row.expires_at > now + api_keys.EXPIRES_SOON:
            return "works"
        if row.expires_at <= now:
            return "expired"
        days = (row.expires_at - now).days
        return "ends", f"expires in {days} days" if days > 1 else "expires within two days"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("at", "actor_label", "verb", "object_type", "object_id", "reason", "address")
    search_fields = ("object_id",)
    search_help_text = "Id of what was changed, as the list shows it"
    id_prefixes = {}
    actions = None
    fields = (
        ("at", "actor_label", "actor_kind"),
        ("address", "agent"),
        ("verb", "object_type", "object_id"),
        "from_state",
        "to_state",
        "reason",
    )

    def search(self, request: HttpRequest, queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(object_type__in=_KINDS, object_id=wanted)


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, FilteredAdmin):  # type: ignore[type-arg] # Django has no [] at run time
    """The users of the installation, for superusers: no role has a permission for them."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter = ("is_superuser", "is_active")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
