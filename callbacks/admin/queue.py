"""The callback queue: the screen that an operator keeps open."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action

from callbacks import scheduling
from callbacks.admin.columns import QueueColumns
from callbacks.admin.forms import NewCallbackForm
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
from callbacks.admin.verbs import QueueVerbs
from callbacks.models import Callback
from callbacks.queue_views import ALL_PENDING, OVERDUE, QUEUES
from callbacks.refusals import InvalidTime, OutsideWindow, Refused, code_of, words_of
from callbacks.rules.statuses import CallbackStatus, CallbackType
from callbacks.verbs import VERBS
from dialer.admin.choices import CampaignFilter, PersonaFilter
from dialer.admin.contacts import found_by
from dialer.models import Contact, Persona
from dialer.workspaces.admin.base import ReadOnlyAdmin, go_to, its_own_words
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.admin.verbs import actor_of
from dialer.workspaces.clock import database_now


def refused_in_words(refused: Refused) -> str:
    """Return why a verb refused, with the next permitted time on the operator's clock if there is one."""
    text = its_own_words(refused)
    if isinstance(refused, InvalidTime):
        return f"the time {text}"
    opening = refused.next_opening if isinstance(refused, OutsideWindow) else None
    if opening is None:
        return text
    return f"{text}; the next permitted time is {on_clock(opening, operator_zone(), now=database_now())}"


REFUSALS: dict[type[Exception], Any] = {
    Refused: refused_in_words,
    Contact.DoesNotExist: lambda _: "the contact was deleted",
    Persona.DoesNotExist: lambda _: "that persona is archived, or of another workspace",
}
"""The page's sentence for each refusal."""
_PENDING_VERBS = tuple(name for name, verb in VERBS.items() if CallbackStatus.PENDING in verb.from_)


@admin.register(Callback)
class CallbackAdmin(QueueColumns, QueueVerbs, ReadOnlyAdmin):
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
    actions_row = actions_detail = tuple(VERBS)
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
        """Offer the verbs of pending rows, or undo in the history."""
        is_history = request.GET.get(QueueFilter.parameter_name) == HISTORY
        return self._offered(super().get_actions_row(request), ("undo",) if is_history else _PENDING_VERBS)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer the verbs that the callback's status allows; the verbs check it again."""
        row = self.get_object(request, str(object_id))
        offered = [name for name, verb in VERBS.items() if row is not None and row.status in verb.from_]
        return self._offered(super().get_actions_detail(request, object_id), offered)

    def _offered(self, found: list[Any], names: Sequence[str]) -> list[Any]:
        return [verb for verb in found if verb.action_name.removeprefix("callbacks_callback_") in names]

    def refusal(self, raised: Exception, *, is_counted: bool = False) -> str:
        """Return a refusal's sentence, or for counts the words that bulk jobs use."""
        code = code_of(raised) if is_counted else None
        return words_of(code) if code else super().refusal(raised, is_counted=is_counted)

    @action(  # type: ignore[untyped-decorator]
        description="New callback",
        icon="add_call",
        permissions=["act"],
        dialog={
            "title": "New callback",
            "description": "A time outside the calling window moves to the next opening, and the notice says so.",
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
