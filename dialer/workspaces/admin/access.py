"""Users, members, API keys and audit entries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from dialer.workspaces import api_keys
from dialer.workspaces.admin.base import FilteredAdmin, ReadOnlyAdmin
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import MadeOnceAdmin, WriteForm
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import actor_of, verb
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import ApiKey, AuditEntry, Member

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
    class Meta:
        model = ApiKey
        fields = ("workspace", "name", "scope", "expires_at")

    def write(self, about: Mapping[str, Any]) -> ApiKey:
        given = self.cleaned_data
        key, self.plain = api_keys.issue(
            workspace_id=given["workspace"].pk,
            name=given["name"],
            scope=given["scope"],
            expires_at=given["expires_at"],
            **about,
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
    asked = ("workspace", "name", "scope", "expires_at")
    shown = (
        "name",
        "starts_with",
        "scope",
        "state",
        "created_at",
        "expires_at",
        "last_used_at",
        "addresses",
        "public_id",
    )

    def save_model(self, request: HttpRequest, obj: object, form: object, change: object) -> None:  # noqa: ARG002
        assert isinstance(form, ApiKeyForm)
        self.message_user(request, f"The key, shown only now: {form.plain}", messages.WARNING)

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

    @column("State", label={"works": "success", "revoked": "danger", "expired": "warning"})
    def state(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "revoked"
        expires: datetime | None = row.expires_at
        return "expired" if expires is not None and expires <= database_now() else "works"


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


class MemberInline(TabularInline):  # type: ignore[misc] # unfold has no types
    model = Member
    extra = 0


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, FilteredAdmin):  # type: ignore[type-arg] # Django has no [] at run time
    """Users, with the workspaces that they belong to."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (MemberInline,)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, FilteredAdmin):
    """The permissions of members; a migration creates viewer, operator and manager."""
