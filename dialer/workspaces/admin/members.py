"""The members of a workspace, for its owners: add, change role, remove, and the link by which a new user signs in."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import PasswordResetConfirmView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from dialer.workspaces import members
from dialer.workspaces.admin.base import StatefulAdmin
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import MadeOnceAdmin, WriteForm
from dialer.workspaces.admin.shown_once import ShownOnce
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import about, actor_of, verb
from dialer.workspaces.audit import Actor
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Member
from dialer.workspaces.roles import Role

_ROLES = (
    (Role.VIEWER.value, "viewer: sees everything but keys and members"),
    (Role.OPERATOR.value, "operator: also acts on callbacks, calls and contacts"),
    (Role.MANAGER.value, "manager: also campaigns, imports, lines, policies, webhooks, lifting, forcing"),
    (Role.OWNER.value, "owner: also members, API keys and the workspace's settings"),
)


def invitation(member: Member, *, actor: Actor, now: datetime) -> ShownOnce:
    """Make the link by which the member's user sets the first password; good for three days and one use."""
    user = member.user
    arguments = [urlsafe_base64_encode(force_bytes(user.pk)), members.invite(member, actor=actor, now=now)]
    return ShownOnce(
        title=f"The link for {user.username}",
        text=f"{settings.PUBLIC_URL}{reverse('invitation', args=arguments)}",
        advice="It is shown only now. Give it to this person alone: whoever opens it sets the password. It works once, "
        "for three days.",
    )


class MemberForm(WriteForm):
    invalid = (members.InvalidMember,)
    user_name = forms.CharField(
        max_length=150,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="The exact name with which the person signs in; a name that is not known yet becomes a new user",
    )
    role = forms.ChoiceField(choices=_ROLES, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Member
        fields = ("workspace", "role")

    def write(self, about: Mapping[str, Any]) -> Member:
        given = self.cleaned_data
        member = members.add(given["workspace"].pk, user_name=given["user_name"], role=Role(given["role"]), **about)
        if members.may_be_invited(member):
            self.secret = invitation(member, **about)
        return member


class RoleForm(ReasonForm):
    role = forms.ChoiceField(choices=_ROLES, widget=UnfoldAdminSelectWidget)
    field_order = ("role", "reason")


@admin.register(Member)
class MemberAdmin(StatefulAdmin, MadeOnceAdmin):
    form = MemberForm
    ordering = ("workspace__name", "user__username", "id")
    sortable_by = ()
    list_display = ("user", "role", "workspace", "state", "last_seen")
    list_filter = ("role",)
    list_select_related = ("user", "workspace")
    search_fields = ("user__username",)
    search_by_text = True
    search_help_text = "Name of the user"
    id_prefixes = {}
    actions = None
    actions_detail = ("change_role", "invite", "remove")
    asked = ("workspace", "user_name", "role")
    shown = (("user", "role"), "workspace", ("state", "last_seen"))
    refusals: ClassVar[Mapping[type[Exception], Callable[[Any], str]]] = {
        members.LastOwner: lambda _: "a workspace keeps an owner: make somebody else an owner first",
        members.OwnRole: lambda _: "nobody raises their own role",
        members.NotInvitable: lambda _: "the user has a password already, or belongs to another workspace too",
    }

    def verbs_for(self, row: Member) -> tuple[str, ...]:
        return ("change_role", "invite", "remove") if members.may_be_invited(row) else ("change_role", "remove")

    @verb(
        "Change role",
        asks="The new role counts from the next page on.",
        does="Change",
        icon="badge",
        permission="act",
        form=RoleForm,
    )
    def change_role(self, request: HttpRequest, form: RoleForm, row: Member) -> str:
        members.change_role(row.pk, role=Role(form.cleaned_data["role"]), **about(request, row, form))
        return f"{row.user} is {form.cleaned_data['role']} now."

    @verb(
        "New link",
        asks="Makes a link by which this new user sets the first password.",
        does="Make a link",
        icon="link",
        permission="act",
    )
    def invite(self, request: HttpRequest, row: Member) -> str | ShownOnce:
        return invitation(row, actor=actor_of(request), now=database_now())

    @verb(
        "Remove",
        asks="The user sees nothing of the workspace any more, and stays a member of others.",
        does="Remove",
        icon="person_remove",
        permission="act",
        form=ReasonForm,
        variant=ActionVariant.DANGER,
        then="changelist",
    )
    def remove(self, request: HttpRequest, form: ReasonForm, row: Member) -> str:
        members.remove(row.pk, **about(request, row, form))
        return f"{row.user} is no member any more."

    @column("State", label={"active": "success", "invited": "info", "deactivated": "danger"})
    def state(self, row: Member) -> str:
        if not row.user.is_active:
            return "deactivated"
        return "active" if row.user.has_usable_password() else "invited"

    @column("Last sign-in")
    def last_seen(self, row: Member) -> Any:  # noqa: ANN401 — a time, which the page formats
        return row.user.last_login


class _FirstPasswordForm(SetPasswordForm):  # type: ignore[type-arg] # Django has no [] at run time
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


class Invitation(PasswordResetConfirmView):
    """The page behind an invitation's link, on which a new user sets the first password."""

    form_class = _FirstPasswordForm
    token_generator = members.INVITATIONS
    template_name = "workspaces/admin/invitation.html"
    success_url = reverse_lazy("admin:login")

    def form_valid(self, form: Any) -> HttpResponse:  # noqa: ANN401 — the form above
        with transaction.atomic():
            answer = super().form_valid(form)
            members.accepted(form.user, now=database_now())
        return answer

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        return {**admin.site.each_context(self.request), **super().get_context_data(**given)}
