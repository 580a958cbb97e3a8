"""Calls: their history, and the list of calls that need a person."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from unfold.enums import ActionVariant

from dialer.admin import timeline
from dialer.admin.choices import CallPersonaFilter, CampaignFilter, OutcomeFilter
from dialer.admin.contacts import OfANumberAdmin
from dialer.admin.timeline import OUTCOME_TONES, Entry
from dialer.calls import calls
from dialer.dialing import conversation, reconciliation
from dialer.models import Call, CarrierEvent
from dialer.rules.statuses import LIVE, CallStatus, Direction, Outcome
from dialer.tasks import hang_up
from dialer.workspaces.admin.base import StatefulAdmin
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.filters import ChoiceFilter
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import about, actor_of, bulk, verb
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict

_COLOURS = OUTCOME_TONES | {status.value: "info" for status in CallStatus}


class NeedsAPersonFilter(ChoiceFilter):
    """Calls that ended ``unknown`` and that nobody has handled yet."""

    title = "needs a person"
    parameter_name = "needs_a_person"
    offered = (("yes", "Yes"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:  # noqa: ARG002
        return queryset.filter(outcome=Outcome.UNKNOWN.value, handled_at=None) if self.value() else queryset


class StatusFilter(ChoiceFilter):
    title = "status"
    parameter_name = path = "status"
    offered = (("live", "live"), *((status.value, status.value.replace("_", " ")) for status in CallStatus))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Call]) -> QuerySet[Call]:
        is_live = self.value() == "live"
        return queryset.filter(status__in=LIVE) if is_live else super().queryset(request, queryset)


class DirectionFilter(ChoiceFilter):
    title = "direction"
    parameter_name = path = "direction"
    offered = ((Direction.OUTBOUND.value, "we called"), (Direction.INBOUND.value, "they called"))


class NeedsNobody(Exception):
    """The call is not on the list of those that need a person."""


@admin.register(Call)
class CallAdmin(StatefulAdmin, OfANumberAdmin):
    list_display = ("who", "attempt", "state", "duration", "where", "dialing_at", "ended_at")
    list_filter = (NeedsAPersonFilter, StatusFilter, DirectionFilter, OutcomeFilter, CampaignFilter, CallPersonaFilter)
    list_select_related = ("contact", "campaign", "persona")
    search_help_text = "Name, whole number, or id of a call, contact, campaign or chain (call_…, ct_…, camp_…, chn_…)"
    id_prefixes = {
        "id": "call",
        "contact_id": "ct",
        "campaign_id": "camp",
        "chain_id": "chn",
    }
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("contact_linked", "campaign_linked"),
                    ("state", "ended_reason"),
                    ("number", "caller_id"),
                    ("persona", "line"),
                    "attempt",
                    "public_id",
                    "carrier_call_id",
                )
            },
        ),
        ("The talk", {"fields": (("duration", "recording"), "transcript", "analysis")}),
        (
            "Times",
            {
                "classes": ("collapse",),
                "fields": (
                    ("queued_at", "due_at", "held_reason"),
                    ("dialing_at", "ringing_at"),
                    ("answered_at", "ended_at"),
                ),
            },
        ),
        ("Settings of the call", {"classes": ("collapse",), "fields": ("schedule", "metadata")}),
    )
    actions: tuple[str, ...] = ("handle_selected",)
    actions_detail: tuple[str, ...] = ("mark_handled", "cancel")
    change_form_outer_after_template = "dialer/admin/timeline.html"
    refusals: ClassVar[Any] = {NeedsNobody: lambda _: "it needs nobody"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        rows: QuerySet[Call] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and match.url_name == "dialer_call_changelist"
        return rows.defer("transcript", "analysis", "metadata", "schedule", "config_webhooks") if is_list else rows

    def verbs_for(self, row: Call) -> set[str]:
        """Return the verbs that the state of the call allows."""
        shown = set()
        if row.outcome == Outcome.UNKNOWN and row.handled_at is None:
            shown.add("mark_handled")
        if row.ended_at is None and row.status != CallStatus.WITHDRAWN and row.direction == Direction.OUTBOUND:
            shown.add("cancel")
        return shown

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Model | None = None, **options: Any
    ) -> HttpResponse:
        if isinstance(obj, Call):
            conversation.note_reading(obj, actor=actor_of(request), now=database_now())
        return super().render_change_form(request, context, *args, obj=obj, **options)

    def beside(self, request: HttpRequest, row: Call) -> dict[str, Any]:  # noqa: ARG002
        return {"title": _title(row), "timeline": _story(row)}

    @verb(
        "Mark handled",
        asks="Nothing is left to do: takes the call off the list of calls that need a person.",
        does="Mark handled",
        icon="task_alt",
        permission="act",
        form=ReasonForm,
    )
    def mark_handled(self, request: HttpRequest, form: ReasonForm, row: Call) -> str:
        _handle(request, form, row)
        return "The call needs nobody any more."

    @verb(
        "Cancel call",
        asks="A queued call is not made; for a live call, the carrier is asked to hang up.",
        does="Cancel call",
        icon="call_end",
        permission="act",
        form=ReasonForm,
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: ReasonForm, row: Call) -> str:
        call = calls.cancel(row.pk, **about(request, row, form))
        if call.status == CallStatus.ENDED:
            return "The call is cancelled."
        transaction.on_commit(hang_up.delay, robust=True)
        return "The carrier is asked to hang up."

    @bulk(
        "Mark handled",
        asks="Takes the calls off the list of calls that need a person.",
        does="Mark handled",
        did="handled",
        form=ReasonForm,
    )
    def handle_selected(self, request: HttpRequest, form: ReasonForm, row: Call) -> None:
        _handle(request, form, row)

    @column("Attempt")
    def attempt(self, row: Call) -> str:
        return "they called" if row.direction == Direction.INBOUND else str(row.attempt_number)

    @column("Campaign", header=True)
    def where(self, row: Call) -> list[str]:
        return [row.campaign.name if row.campaign else "No campaign", row.persona.name]

    @column("Outcome", label=_COLOURS)
    def state(self, row: Call) -> tuple[str, str]:
        code = row.outcome or row.status
        return code, code.replace("_", " ")

    @column("Talk")
    def duration(self, row: Call) -> str:
        return f"{row.duration_seconds}\N{NO-BREAK SPACE}s" if row.duration_seconds is not None else ""

    @column("Recording")
    def recording(self, row: Call) -> str:
        url = row.recording_url or ""
        if not url.startswith(("http://", "https://")):
            return url
        return format_html('<a class="text-link" href="{}" rel="noreferrer noopener" target="_blank">{}</a>', url, url)

    @column("Transcript")
    def transcript(self, row: Call) -> str:
        if row.transcript is None:
            return ""
        return format_html_join("", "{}<br>", ((line,) for line in row.transcript.splitlines()))


def _handle(request: HttpRequest, form: ReasonForm, row: Call) -> None:
    try:
        reconciliation.mark_handled(row.pk, verb="mark_handled", **about(request, row, form))
    except TransitionConflict as conflict:
        raise NeedsNobody from conflict


def _story(row: Call) -> list[Entry]:
    """Return the timeline: the carrier's reports, the audit entries, and the other calls of the chain."""
    audit = AuditEntry.objects.in_workspace(row.workspace_id).filter(object_type="call", object_id=row.public_id)
    reports = [
        Entry(
            at=event.occurred_at,
            icon="cell_tower",
            title=f"The carrier reported: {event.kind}",
            badge=str(event.facts.get("outcome") or "").replace("_", " "),
            tone=OUTCOME_TONES.get(str(event.facts.get("outcome")), ""),
            lines=[event.note] if event.note else [],
        )
        for event in CarrierEvent.objects.filter(call_id=row.pk).defer("raw").order_by("id")[: timeline.MOST]
    ]
    return timeline.in_order(
        timeline.of_calls(timeline.calls_of_chain(row.workspace_id, row.chain_id)),
        reports,
        timeline.of_audit(audit.order_by("id")[: timeline.MOST]),
        timeline.of_chain_events(row.workspace_id, row.chain_id),
    )


def _title(row: Call) -> str:
    if row.direction == Direction.INBOUND:
        return f"Call from {row.contact}"
    return f"Call {row.attempt_number} to {row.contact}"
