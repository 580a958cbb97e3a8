"""The page of calls with the verbs that need the callback queue, of which the dialer knows nothing."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from callbacks import corrections
from callbacks.admin.forms import ForceForm, ReasonForm, WallClockField
from callbacks.admin.queue import REFUSALS
from callbacks.scheduling import instant_of
from dialer.admin.calls import CallAdmin
from dialer.models import Call
from dialer.rules.statuses import LIVE, CallStatus, Outcome
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.admin.verbs import about, bulk, verb
from dialer.workspaces.clock import database_now

admin.site.unregister(Call)


class CallBackForm(ForceForm):
    """When to call again; empty fields mean at once."""

    when = WallClockField(label="Time on your clock", required=False, help_text="Left empty: now")
    notes = forms.CharField(required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    field_order = ("when", "notes", "force", "reason")

    def row(self) -> Call | None:
        try:
            named = UUID(str(self.object_id))
        except ValueError:
            return None
        rows = Call.objects.visible_to(self.request.user).select_related("contact")
        found: Call | None = rows.filter(pk=named).first()
        return found

    def facts(self) -> Sequence[tuple[str, str]]:
        """Return the contact and the current time on both clocks."""
        call = self.row()
        if call is None or not call.contact.zones:
            return ()
        now = database_now()
        return (
            ("Contact", f"{call.contact.name or 'no name'} · {call.contact.phone}"),
            ("Their clock", on_clock(now, call.contact.zones[0], now=now)),
            ("Your clock", on_clock(now, operator_zone(), now=now)),
        )


@admin.register(Call)
class CallWithCallbacksAdmin(CallAdmin):
    actions = ("reached_selected", "handle_selected")
    actions_detail = ("call_back", "mark_reached", "mark_handled", "was_a_person", "cancel")
    refusals: ClassVar[Any] = {**REFUSALS, **CallAdmin.refusals}

    def verbs_for(self, row: Call) -> set[str]:
        shown = super().verbs_for(row)
        if "mark_handled" in shown:
            shown |= {"call_back", "mark_reached"}
        is_taken_for_a_machine = row.outcome == Outcome.VOICEMAIL or (
            row.status in LIVE and row.status != CallStatus.DIALING and row.person_confirmed_at is None
        )
        return shown | {"was_a_person"} if is_taken_for_a_machine else shown

    @verb(
        "Call back",
        asks="Promises another call and takes this one off the list of calls that need a person.",
        does="Call back",
        icon="call",
        permission="act",
        form=CallBackForm,
        variant=ActionVariant.PRIMARY,
    )
    def call_back(self, request: HttpRequest, form: CallBackForm, row: Call) -> str:
        when = form.cleaned_data["when"]
        made = corrections.call_back(
            row.pk,
            scheduled_at=instant_of(when, operator_zone().key) if when else None,
            notes=form.cleaned_data["notes"],
            force=form.forced(),
            **about(request, row, form),
        )
        theirs = on_clock(made.callback.scheduled_at, made.callback.time_zone, now=database_now())
        moved = f" (moved: {made.adjusted_reason.replace('_', ' ')})" if made.adjusted_reason else ""
        return f"{row.contact} is promised a call on {theirs}{moved}."

    @verb(
        "Mark reached",
        asks="The contact counts as reached in the campaign, and pending retries are cancelled.",
        does="Mark reached",
        icon="how_to_reg",
        permission="act",
        form=ReasonForm,
    )
    def mark_reached(self, request: HttpRequest, form: ReasonForm, row: Call) -> str:
        corrections.mark_reached(row.pk, **about(request, row, form))
        return f"{row.contact} counts as reached."

    @verb(
        "Was a person",
        asks="A person answered, not a machine: the call counts as answered, and its retry is cancelled.",
        does="Correct it",
        icon="record_voice_over",
        permission="act",
        form=ReasonForm,
    )
    def was_a_person(self, request: HttpRequest, form: ReasonForm, row: Call) -> str:
        corrected = corrections.was_a_person(row.pk, **about(request, row, form))
        return "The call counts as answered." if corrected.outcome else "The call will count as answered."

    @bulk(
        "Mark reached",
        asks="These contacts count as reached in their campaigns, and their pending retries are cancelled.",
        does="Mark reached",
        did="marked as reached",
        form=ReasonForm,
    )
    def reached_selected(self, request: HttpRequest, form: ReasonForm, row: Call) -> None:
        corrections.mark_reached(row.pk, **about(request, row, form))
