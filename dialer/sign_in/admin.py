"""Sessions, one's own or, for superusers, everybody's; and second factors, which superusers reset."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from dialer.sign_in import second_factor, sessions
from dialer.sign_in.forms import SignInForm
from dialer.sign_in.models import SecondFactor, Session
from dialer.sign_in.store import hashed
from dialer.workspaces.admin.base import ReadOnlyAdmin, go_to
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import actor_of, bulk, verb
from dialer.workspaces.clock import database_now

# Not by unfold's setting: unfold reads it while it makes the site, before pages can register with it.
admin.site.login_form = SignInForm


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    ordering = ("-seen_at", "session_key")
    sortable_by = ()
    list_display = ("who", "began_at", "seen_at", "address", "agent")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    search_help_text = "Name of a user"
    search_by_text = True
    id_prefixes = {}
    actions: tuple[str, ...] = ("end_selected",)
    actions_list = ("end_others",)
    actions_row = actions_detail = ("end",)
    fields = ("who", ("began_at", "seen_at"), ("address", "agent"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows: QuerySet[Session] = super().get_queryset(request)
        is_this = ExpressionWrapper(Q(pk=hashed(request.session.session_key or "")), output_field=BooleanField())
        return rows.filter(expire_date__gt=database_now()).annotate(is_this=is_this)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        return bool(request.user.is_authenticated)

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_view_permission(request, obj)

    @verb(
        "End session",
        asks="Whoever uses it must sign in again.",
        does="End session",
        icon="logout",
        permission="act",
        form=ReasonForm,
        then="changelist",
    )
    def end(self, request: HttpRequest, form: ReasonForm, row: Session) -> str:
        return self._end(request, form, row)

    @bulk(
        "End sessions", asks="Whoever uses them must sign in again.", does="End sessions", did="ended", form=ReasonForm
    )
    def end_selected(self, request: HttpRequest, form: ReasonForm, row: Session) -> str:
        return self._end(request, form, row)

    @action(  # type: ignore[untyped-decorator]
        description="End my other sessions",
        icon="logout",
        permissions=["act"],
        dialog={
            "title": "End my other sessions",
            "description": "All browsers in which you are signed in, except this one, must sign in again.",
            "form_submit_text": "End my other sessions",
        },
    )
    def end_others(self, request: HttpRequest, form: object) -> HttpResponse:  # noqa: ARG002 — unfold's signature
        assert isinstance(request.user, User)
        mine = request.session.session_key or ""
        count = sessions.end_others(request.user, but=mine, actor=actor_of(request), now=database_now())
        self.message_user(request, f"Other sessions ended: {count}.")
        return go_to(request, self.url_of("changelist"))

    @column("User")
    def who(self, row: Any) -> str:  # noqa: ANN401 — a session with the annotation of get_queryset
        return f"{row.user} (this session)" if row.is_this else str(row.user)

    def _end(self, request: HttpRequest, form: ReasonForm, row: Session) -> str:
        sessions.end(row, actor=actor_of(request), reason=form.cleaned_data["reason"], now=database_now())
        return f"The session of {row.user} is ended."


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin):
    """For superusers: who has a second factor, and a button for people who lost theirs."""

    ordering = ("user__username", "id")
    sortable_by = ()
    list_display = ("user", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    search_help_text = "Name of a user"
    search_by_text = True
    id_prefixes = {}
    actions = None
    actions_row = actions_detail = ("reset",)
    fields = ("user", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecondFactor]:  # noqa: ARG002 — Django's signature
        return SecondFactor.objects.order_by(*self.ordering)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        return bool(getattr(request.user, "is_superuser", False))

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.has_view_permission(request, obj)

    @verb(
        "Reset",
        asks="Removes app and recovery codes, and ends all sessions of this person. Make sure that it is really this "
        "person who asks: from now on the password is enough, until a second factor is set up again.",
        does="Reset",
        icon="lock_reset",
        permission="act",
        form=ReasonForm,
        then="changelist",
    )
    def reset(self, request: HttpRequest, form: ReasonForm, row: SecondFactor) -> str:
        second_factor.reset(row.user, actor=actor_of(request), reason=form.cleaned_data["reason"], now=database_now())
        return f"The second factor of {row.user} is reset."
