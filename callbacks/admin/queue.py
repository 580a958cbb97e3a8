"""The callback queue: the screen that an operator keeps open."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant

from callbacks import actions, scheduling
from callbacks.actions import NotARetry
from callbacks.admin.forms import ForceForm, NewCallbackForm, ReasonForm, RescheduleForm, zone_of
from callbacks.admin.tabs import (
    HISTORY,
    TITLES,
    TYPES,
    OriginalOutcomeFilter,
    QueueFilter,
    QueueList,
    TypeFilter,
    counted,
    counts_of,
    explain,
    how_late,
)
from callbacks.admin.timeline import of_chain
from callbacks.models import Callback
from callbacks.queue_views import (
    ALL_PENDING,
    OVERDUE,
    QUEUES,
)
from callbacks.rules.statuses import CallbackStatus, CallbackType
from callbacks.scheduling import (
    AlreadyPending,
    CampaignOver,
    ContactSuppressed,
    InvalidTime,
    NoLineOrPersona,
    OutsideWindow,
)
from dialer.admin.choices import CampaignFilter, PersonaFilter
from dialer.admin.contacts import found_by
from dialer.workspaces.admin.base import (
    ReadOnlyAdmin,
    actor_of,
    bulk,
    button,
    column,
    go_to,
    its_own_words,
    linked,
)
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.clock import database_now

STATUS_COLOURS = {
    CallbackStatus.PENDING.value: "info",
    CallbackStatus.DIALING.value: "warning",
    CallbackStatus.DONE.value: "success",
    CallbackStatus.COMPLETED.value: "success",
    CallbackStatus.EXPIRED.value: "danger",
}
_LONGEST_NOTE = 80


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


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    ordering = ("scheduled_at", "id")
    sortable_by = ()
    list_display = ("who", "why_again", "promised", "lateness", "where", "remarks")
    list_filter = (QueueFilter, CampaignFilter, PersonaFilter, TypeFilter, OriginalOutcomeFilter)
    list_select_related = ("contact", "campaign", "assigned_persona")
    search_fields = ("contact__name", "contact__phone")
    search_help_text = "Name, number, or id of a contact, call or campaign (ct_…, call_…, camp_…)"
    id_prefixes = {"contact_id": "ct", "call_id": "call", "campaign_id": "camp"}
    list_fullwidth = True
    actions = ("call_selected", "reschedule_selected", "skip_selected", "cancel_selected", "complete_selected")
    actions_list = ("promise",)
    actions_row = actions_detail = ("call_now", "reschedule", "skip", "cancel", "complete")
    fieldsets = (
        (None, {"fields": (("who_linked", "state"), ("where_linked", "why_again"), ("promised", "lateness"))}),
        (None, {"fields": ("waits", "notes")}),
    )
    change_form_outer_after_template = "dialer/admin/timeline.html"
    refusals: ClassVar[Any] = {
        OutsideWindow: outside_window,
        NotARetry: lambda _: "only a retry can be skipped; a promise is called, moved, cancelled or completed",
        ContactSuppressed: lambda _: "the contact is on the do-not-call list",
        AlreadyPending: lambda _: "the contact has a pending callback already; a retry can be replaced",
        CampaignOver: lambda _: "the campaign has ended",
        NoLineOrPersona: lambda _: "nothing says who calls over which line; name a campaign",
        InvalidTime: lambda raised: f"the time {its_own_words(raised)}",
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related).annotate(caller=F("call__persona__name"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-id",) if request.GET.get(QueueFilter.parameter_name) == HISTORY else self.ordering

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        if request.GET.get(QueueFilter.parameter_name) == HISTORY:
            return ("who", "why_again", "promised", "state", "where", "remarks")
        return self.list_display

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[QueueList]:  # noqa: ANN401, ARG002 — Django's signature
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
            _call_now(request, form, row)
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
            moved = _reschedule(request, form, row)
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
            _skip(request, form, row)
            return f"The retry of {row.contact} is used up."

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
            _cancel(request, form, row)
            return f"{row.contact} is not called again."

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
            _complete(request, form, row)
            return f"{row.contact} is done."

        return self.act(request, object_id, do, form=form)

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

    # The same for the rows ticked -----------------------------------------------------------------------------------

    @bulk(
        "Call now", asks="Due at once, ahead of all others.", does="Call now", did="to be called next", form=ForceForm
    )
    def call_selected(self, request: HttpRequest, form: ForceForm, row: Callback) -> None:
        _call_now(request, form, row)

    @bulk(
        "Reschedule",
        asks="Promises another time to all of them.",
        does="Reschedule",
        did="rescheduled",
        form=RescheduleForm,
    )
    def reschedule_selected(self, request: HttpRequest, form: RescheduleForm, row: Callback) -> None:
        _reschedule(request, form, row)

    @bulk(
        "Skip",
        asks="Uses these retries up without a call; the next are scheduled by the policy.",
        does="Skip",
        did="skipped",
        form=ReasonForm,
    )
    def skip_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        _skip(request, form, row)

    @bulk(
        "Cancel",
        asks="Cancels these and every future retry of their chains.",
        does="Cancel callbacks",
        did="cancelled",
        form=ReasonForm,
    )
    def cancel_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        _cancel(request, form, row)

    @bulk(
        "Mark complete",
        asks="Handled by other means; their chains end as handled.",
        does="Mark complete",
        did="completed",
        form=ReasonForm,
    )
    def complete_selected(self, request: HttpRequest, form: ReasonForm, row: Callback) -> None:
        _complete(request, form, row)

    # Columns --------------------------------------------------------------------------------------------------------

    @column("Contact", header=True)
    def who(self, row: Callback) -> list[str]:
        return [row.contact.name or "No name", row.contact.phone]

    @column("Contact")
    def who_linked(self, row: Callback) -> str:
        return linked("dialer_contact", row.contact_id, f"{row.contact.name} {row.contact.phone}".strip())

    @column("Why", header=True)
    def why_again(self, row: Callback) -> list[str]:
        kind = TYPES[row.type]
        if row.number is not None:
            kind = f"Retry {row.number} of {row.limit}".replace(" ", "\N{NO-BREAK SPACE}")
        return [kind, f"after {row.original_outcome.replace('_', ' ')}" if row.original_outcome else ""]

    @column("Promised", header=True)
    def promised(self, row: Callback) -> list[str]:
        now: datetime = row.seen_at  # type: ignore[attr-defined]
        theirs = on_clock(row.scheduled_at, zone_of(row), now=now)
        yours = on_clock(row.scheduled_at, operator_zone(), now=now)
        return [theirs, "" if yours == theirs else f"yours:\N{NO-BREAK SPACE}{yours}"]

    @column("How late", label={"late": "danger", "now": "warning", "ahead": "info"})
    def lateness(self, row: Callback) -> tuple[str, str] | str:
        if row.status != CallbackStatus.PENDING:
            return ""
        return how_late(row.scheduled_at, now=row.seen_at)  # type: ignore[attr-defined]

    @column("State", label=STATUS_COLOURS)
    def state(self, row: Callback) -> str:
        return row.status

    @column("Campaign", header=True)
    def where(self, row: Callback) -> list[str]:
        return [row.campaign.name if row.campaign else "No campaign", self._persona(row)]

    @column("Campaign")
    def where_linked(self, row: Callback) -> str:
        if row.campaign is None:
            return f"No campaign · {self._persona(row)}"
        return format_html("{} · {}", linked("dialer_campaign", row.campaign_id, row.campaign.name), self._persona(row))

    @column("Remarks", header=True)
    def remarks(self, row: Callback) -> list[str]:
        """Say why it waits, and what was noted."""
        text = row.notes
        note = f"{text[:_LONGEST_NOTE].rstrip()}…" if len(text) > _LONGEST_NOTE else text
        return [" ".join(line for line in self.waits(row) if line), note]

    @column("Waits because", header=True)
    def waits(self, row: Callback) -> list[str]:
        waiting = row.waits  # type: ignore[attr-defined]
        if waiting is None:
            return ["", ""]
        at = waiting.next_possible_at
        later = at and f"Next possible: {on_clock(at, zone_of(row), now=row.seen_at)}"  # type: ignore[attr-defined]
        return [waiting.text, f"{later}." if later else ""]

    def _persona(self, row: Callback) -> str:
        assigned = row.assigned_persona
        return assigned.name if assigned else row.caller or ""  # type: ignore[attr-defined]


def _call_now(request: HttpRequest, form: ForceForm, row: Callback) -> None:
    actions.call_now(row.pk, force=form.forced(), **_about(request, form, row))


def _reschedule(request: HttpRequest, form: RescheduleForm, row: Callback) -> Callback:
    return actions.reschedule(row.pk, scheduled_at=form.instant(row), force=form.forced(), **_about(request, form, row))


def _skip(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    actions.skip(row.pk, **_about(request, form, row))


def _cancel(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    actions.cancel(row.pk, **_about(request, form, row))


def _complete(request: HttpRequest, form: ReasonForm, row: Callback) -> None:
    actions.complete(row.pk, **_about(request, form, row))


def _about(request: HttpRequest, form: ReasonForm, row: Callback) -> dict[str, Any]:
    return {
        "workspace_id": row.workspace_id,
        "actor": actor_of(request),
        "reason": form.cleaned_data["reason"],
        "now": database_now(),
    }
