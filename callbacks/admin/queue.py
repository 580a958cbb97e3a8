"""The callback queue: the screen that an operator keeps open."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant

from callbacks import scheduling
from callbacks.actions import NotARetry
from callbacks.admin import verbs
from callbacks.admin.columns import QueueColumns
from callbacks.admin.forms import EditForm, ForceForm, NewCallbackForm, ReasonForm, RescheduleForm, zone_of
from callbacks.admin.many import ManyAtOnce
from callbacks.admin.tabs import (
    HISTORY,
    TITLES,
    OriginalOutcomeFilter,
    QueueFilter,
    QueueList,
    TypeFilter,
    counted,
    counts_of,
    explain,
)
from callbacks.admin.timeline import of_chain
from callbacks.models import Callback
from callbacks.queue_views import ALL_PENDING, OVERDUE, QUEUES
from callbacks.refusals import code_of, words_of
from callbacks.rules.statuses import CallbackStatus, CallbackType
from callbacks.scheduling import (
    AlreadyPending,
    CampaignOver,
    ContactSuppressed,
    InvalidTime,
    NoLineOrPersona,
    OutsideWindow,
)
from callbacks.undoing import NotUndoable
from dialer.admin.choices import CampaignFilter, PersonaFilter
from dialer.admin.contacts import found_by
from dialer.models import Contact, Persona
from dialer.workspaces.admin.base import ReadOnlyAdmin, actor_of, button, go_to, its_own_words
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.clock import database_now


def outside_window(refused: OutsideWindow) -> str:
    """Say what forbids the time, and when it would be permitted."""
    reasons = {
        "outside_window": "that is outside the calling window",
        "contact_limit": "one more call would exceed the contact limit then",
        "campaign_paused": "the campaign is paused",
    }
    text = reasons.get(refused.reason, refused.reason)
    if refused.next_opening is None:
        return text
    return f"{text}; the next permitted time is {on_clock(refused.next_opening, operator_zone(), now=database_now())}"


REFUSALS: dict[type[Exception], Any] = {
    OutsideWindow: outside_window,
    NotARetry: lambda _: "only a retry can be skipped; a promise is called, moved, cancelled or completed",
    ContactSuppressed: lambda _: "the contact is on the do-not-call list",
    AlreadyPending: lambda _: "the contact has a pending callback already; a retry can be replaced",
    CampaignOver: lambda _: "the campaign has ended",
    NoLineOrPersona: lambda _: "nothing says who calls over which line; name a campaign",
    InvalidTime: lambda raised: f"the time {its_own_words(raised)}",
    NotUndoable: its_own_words,
    Contact.DoesNotExist: lambda _: "the contact was deleted",
    Persona.DoesNotExist: lambda _: "that persona is archived, or of another workspace",
}
"""How the page says why a verb refused."""
_PENDING_VERBS = ("call_now", "reschedule", "skip", "cancel", "complete", "edit")
_UNDOABLE = (CallbackStatus.CANCELLED, CallbackStatus.SKIPPED, CallbackStatus.COMPLETED)


@admin.register(Callback)
class CallbackAdmin(QueueColumns, ManyAtOnce, ReadOnlyAdmin):
    ordering = ("scheduled_at", "id")
    sortable_by = ()
    list_display = ("who", "why_again", "promised", "lateness", "where", "remarks")
    list_filter = (QueueFilter, CampaignFilter, PersonaFilter, TypeFilter, OriginalOutcomeFilter)
    list_select_related = ("contact", "campaign", "assigned_persona")
    search_fields = ("contact__name", "contact__phone")
    search_help_text = "Name, number, or id of a contact, call or campaign (ct_…, call_…, camp_…)"
    id_prefixes = {"contact_id": "ct", "call_id": "call", "campaign_id": "camp"}
    list_fullwidth = True
    actions_list = ("promise",)
    actions_row = actions_detail = (*_PENDING_VERBS, "undo")
    fieldsets = (
        (None, {"fields": (("who_linked", "state"), ("where_linked", "why_again"), ("promised", "lateness"))}),
        (None, {"fields": ("waits", "notes")}),
    )
    change_form_outer_after_template = "dialer/admin/timeline.html"
    refusals: ClassVar[Any] = REFUSALS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related).annotate(caller=F("call__persona__name"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-id",) if request.GET.get(QueueFilter.parameter_name) == HISTORY else self.ordering

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        if request.GET.get(QueueFilter.parameter_name) == HISTORY:
            return ("who", "why_again", "promised", "state", "where", "remarks")
        return self.list_display

    def get_changelist(self, request: HttpRequest, **options: object) -> type[QueueList]:  # noqa: ARG002 — Django's signature
        return QueueList

    def search(self, request: HttpRequest, queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:
        return queryset.filter(contact_id__in=found_by(request, wanted))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        counts = counts_of(request, now=database_now())
        chosen = request.GET.get(QueueFilter.parameter_name)
        if request.method == "GET" and chosen not in TITLES:
            urgent = next((queue for queue in QUEUES if counts[queue]), ALL_PENDING)
            query = request.GET.copy()
            query[QueueFilter.parameter_name] = urgent
            return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")
        tabs = [
            {
                "title": f"{title}  {counted(counts[queue])}" if queue in counts else title,
                "link": f"{self.url_of('changelist')}?{QueueFilter.parameter_name}={queue}",
                "active": queue == chosen,
                "has_permission": True,
            }
            for queue, title in TITLES.items()
        ]
        late = counts[OVERDUE]
        extra = {
            "tab_list": [{"models": ["callbacks.callback"], "items": tabs}],
            "title": f"Callbacks: {counted(late)} overdue" if late else "Callbacks: nothing overdue",
        }
        answer: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **extra})
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None:
            extra |= {"title": f"{row.contact}", "timeline": of_chain(row, now=database_now())}
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra)
        return answer

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Callback | None:
        row: Callback | None = super().get_object(request, object_id, from_field)
        if row is not None:
            explain([row])
        return row

    def get_actions_row(self, request: HttpRequest) -> list[Any]:
        """Offer what pending rows take; of the history, to take it back."""
        is_history = request.GET.get(QueueFilter.parameter_name) == HISTORY
        return self._offered(super().get_actions_row(request), ("undo",) if is_history else _PENDING_VERBS)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer the verbs that its state allows; the verbs themselves refuse the rest."""
        row = self.get_object(request, str(object_id))
        status = row.status if row else ""
        offered = _PENDING_VERBS if status == CallbackStatus.PENDING else ("undo",) if status in _UNDOABLE else ()
        return self._offered(super().get_actions_detail(request, object_id), offered)

    def _offered(self, found: list[Any], names: Sequence[str]) -> list[Any]:
        return [verb for verb in found if verb.action_name.removeprefix("callbacks_callback_") in names]

    def refusal(self, raised: Exception, *, is_counted: bool = False) -> str:
        """Count refusals under the words that bulk jobs use, too."""
        code = code_of(raised) if is_counted else None
        return words_of(code) if code else super().refusal(raised, is_counted=is_counted)

    # The five actions, on a row and its page ------------------------------------------------------------------------

    @button(
        "Call now",
        asks="Due at once, ahead of all others.",
        does="Call now",
        icon="call",
        permission="act",
        form=ForceForm,
        variant=ActionVariant.PRIMARY,
    )
    def call_now(self, request: HttpRequest, form: ForceForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            verbs.call_now(request, form, row)
            return f"{row.contact} is called next."

        return self.act(request, object_id, do, form=form)

    @button(
        "Reschedule",
        asks="Promises another time. One that is not permitted is refused, with the next that is.",
        does="Reschedule",
        icon="event",
        permission="act",
        form=RescheduleForm,
    )
    def reschedule(self, request: HttpRequest, form: RescheduleForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            moved = verbs.reschedule(request, form, row)
            theirs = on_clock(moved.scheduled_at, zone_of(row), now=database_now())
            return f"{row.contact} will be called on {theirs}."

        return self.act(request, object_id, do, form=form)

    @button(
        "Skip",
        asks="Uses this retry up without a call; the next is scheduled by the policy, or the chain ends.",
        does="Skip",
        icon="skip_next",
        permission="act",
        form=ReasonForm,
    )
    def skip(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            verbs.skip(request, form, row)
            return self._with_undo(request, row, f"The retry of {row.contact} is used up.")

        return self.act(request, object_id, do, form=form)

    @button(
        "Cancel",
        asks="Cancels this and every future retry of the chain.",
        does="Cancel callback",
        icon="cancel",
        permission="act",
        form=ReasonForm,
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            verbs.cancel(request, form, row)
            return self._with_undo(request, row, f"{row.contact} is not called again.")

        return self.act(request, object_id, do, form=form)

    @button(
        "Mark complete",
        asks="Handled by other means; the chain ends as handled.",
        does="Mark complete",
        icon="task_alt",
        permission="act",
        form=ReasonForm,
    )
    def complete(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            verbs.complete(request, form, row)
            return self._with_undo(request, row, f"{row.contact} is done.")

        return self.act(request, object_id, do, form=form)

    @button(
        "Edit",
        asks="Says who is to talk, and what is to be known before.",
        does="Save",
        icon="edit_note",
        permission="act",
        form=EditForm,
    )
    def edit(self, request: HttpRequest, form: EditForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            verbs.edit(request, form, row)
            return f"The callback of {row.contact} is changed."

        return self.act(request, object_id, do, form=form)

    @button(
        "Undo",
        asks="Makes it pending again at the time that was promised, where nothing took its place.",
        does="Undo",
        icon="undo",
        permission="act",
        form=ReasonForm,
    )
    def undo(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        def do(row: Callback) -> str:
            verbs.undo(request, form, row)
            now = database_now()
            if row.scheduled_at <= now:
                return f"{row.contact} is to be called again; the time is past, so it is due at once."
            return f"{row.contact} is promised a call on {on_clock(row.scheduled_at, zone_of(row), now=now)} again."

        return self.act(request, object_id, do, form=form)

    def _with_undo(self, request: HttpRequest, row: Callback, said: str) -> str:
        """Add a button to the notice that takes the verb back at once."""
        return format_html(
            '{} <form method="post" action="{}" class="inline"><input type="hidden" name="csrfmiddlewaretoken" '
            'value="{}"><input type="hidden" name="_form_submitted" value="True">'
            '<button type="submit" class="cursor-pointer font-semibold underline">Undo</button></form>',
            said,
            self.url_of("undo", row.pk),
            get_token(request),
        )

    @action(  # type: ignore[untyped-decorator]
        description="New callback",
        icon="add_call",
        permissions=["act"],
        dialog={
            "title": "New callback",
            "description": "Outside the calling window the time moves to the next opening, and the notice says so.",
            "form_class": NewCallbackForm,
            "form_submit_text": "Promise",
        },
    )
    def promise(self, request: HttpRequest, form: NewCallbackForm) -> HttpResponse:
        contact, campaign = form.cleaned_data["who"], form.cleaned_data["campaign"]
        try:
            made = scheduling.request(
                workspace_id=contact.workspace_id,
                contact_id=contact.pk,
                campaign_id=campaign.pk if campaign else None,
                type=CallbackType(form.cleaned_data["type"]),
                notes=form.cleaned_data["notes"],
                force=form.forced(),
                replace=form.cleaned_data["replace"],
                reason=form.cleaned_data["reason"],
                actor=actor_of(request),
                now=database_now(),
                **form.time(),
            )
        except self.refusal_kinds() as refused:
            return self.ask_again(request, form, type(self).promise.dialog, refused)
        theirs = on_clock(made.callback.scheduled_at, made.callback.time_zone, now=database_now())
        moved = f" (moved: {made.adjusted_reason.replace('_', ' ')})" if made.adjusted_reason else ""
        self.message_user(request, f"{contact} is promised a call on {theirs}{moved}.")
        return go_to(request, self.url_of("change", made.callback.pk))
