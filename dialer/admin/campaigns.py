"""Campaigns: their figures, what blocks them, and their verbs."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from dialer.admin.audience import audience_page
from dialer.admin.schedule_fields import CALLBACKS, NAMES, WINDOW, ScheduleFields, initial_of, schedule_of
from dialer.campaigns import lifecycle
from dialer.campaigns import report as campaign_report
from dialer.campaigns import stats as campaign_stats
from dialer.campaigns.blockers import standing
from dialer.campaigns.lifecycle import CampaignNotStartable, Touched
from dialer.campaigns.stats import Stats
from dialer.models import Campaign, Import
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.status_callbacks import StatusUrl
from dialer.rules.statuses import CAMPAIGN_OVER, CampaignStatus
from dialer.workspaces.admin.base import StatefulAdmin, its_own_words
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import SecretField, WriteForm, WritingAdmin
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import about, actor_of, verb
from dialer.workspaces.clock import database_now
from dialer.workspaces.downloads import csv_file
from webhooks.destinations import urls_error
from webhooks.hidden_endpoints import MOST_INLINE

STATUS_COLOURS = {
    CampaignStatus.SCHEDULED.value: "info",
    CampaignStatus.RUNNING.value: "success",
    CampaignStatus.PAUSED.value: "warning",
    CampaignStatus.COMPLETED.value: "info",
    CampaignStatus.FAILED.value: "danger",
}
_BUCKETS = {
    "completed": "talked",
    "voicemail": "voicemail",
    "no_answer": "no answer",
    "busy": "busy",
    "failed": "failed",
    "suppressed": "do not call",
    "cancelled": "cancelled",
    "open": "under way or waiting",
}
_MOST_IMPORTS = 5


class CampaignForm(WriteForm, ScheduleFields):
    invalid = (InvalidSettings,)
    names: ClassVar[Mapping[str, str]] = {
        **NAMES,
        "persona_id": "persona",
        "line_id": "line",
        "retry_policy_id": "retry_policy",
        "config.webhooks": "config_webhooks",
        "status_callback_secret": "status_secret",
    }
    status_secret = SecretField(
        label="Secret of the three URLs",
        help_text="Signs the requests to the URLs; never shown. Leave it empty to keep the present one, if any.",
    )
    start_at_local = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        label="Start on each contact's clock",
    )

    class Meta:
        model = Campaign
        fields = (
            "workspace",
            "name",
            "persona",
            "line",
            "caller_id",
            "retry_policy",
            "time_zone",
            "start_at",
            "end_at",
            "calls_per_second",
            "max_concurrent_calls",
            "priority",
            "contact_limits",
            "config_webhooks",
            *StatusUrl,
            "metadata",
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.update(initial_of(self.instance.schedule), start_at_local=self.instance.start_at_local)

    def clean(self) -> dict[str, Any]:
        """Report URLs with a forbidden destination, which ``before_transaction`` looked up."""
        cleaned = super().clean() or self.cleaned_data
        faults: Mapping[str, str] = getattr(self.request, "faults_of_urls", {})
        for name in StatusUrl:
            if reason := faults.get(cleaned.get(name, "")):
                self.add_error(name, reason)
        for index, url in enumerate(_urls_of(cleaned.get("config_webhooks"))):
            if reason := faults.get(url):
                self.add_error("config_webhooks", f"{index}.url {reason}")
        return cleaned

    def write(self, about: Mapping[str, Any]) -> Campaign:
        given = self.cleaned_data
        schedule = schedule_of(given) | {
            "time_zone": given["time_zone"],
            "start_at": _iso(given["start_at"]),
            "start_at_local": given["start_at_local"] or None,
            "end_at": _iso(given["end_at"]),
        }
        fields: Any = {
            **{name: given[name] for name in ("name", "caller_id", "calls_per_second", "max_concurrent_calls")},
            "priority": given["priority"],
            "persona_id": given["persona"].pk,
            "line_id": given["line"].pk,
            "retry_policy_id": given["retry_policy"].pk if given["retry_policy"] else None,
            "schedule": schedule,
            "contact_limits": given["contact_limits"],
            "metadata": given["metadata"] or {},
            **{name: given[name] for name in StatusUrl},
        }
        # The stored webhooks have no secrets, so an unchanged field cannot be submitted again.
        if "config_webhooks" in self.changed_data:
            fields["config_webhooks"] = given["config_webhooks"]
        if given["status_secret"]:
            fields["status_callback_secret"] = given["status_secret"]
        if self.is_new:
            return lifecycle.create(given["workspace"].pk, **about, **fields).campaign
        return lifecycle.edit(self.instance.pk, workspace_id=self.instance.workspace_id, **about, **fields)


def _urls_of(webhooks: object) -> list[str]:
    entries = webhooks if isinstance(webhooks, list) else []
    return [str(entry.get("url", "")) if isinstance(entry, dict) else "" for entry in entries]


class ResumeForm(ReasonForm):
    overdue = forms.ChoiceField(
        label="Retries that fell due meanwhile",
        choices=[
            ("call", "Call them now"),
            ("reschedule", "Move them: by their own delay from now on"),
            ("cancel", "Cancel them"),
        ],
        initial="call",
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Promises, whether to contacts or by operators, are always called. Retries that are too late to be "
        "called automatically wait for you in the queue, unless you move or cancel them here.",
    )
    field_order = ("overdue", "reason")


@admin.register(Campaign)
class CampaignAdmin(StatefulAdmin, WritingAdmin):
    form = CampaignForm
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("name", "state", "persona", "line", "priority", "started_at", "ended_at", "why_so")
    list_filter = ("status",)
    list_select_related = ("persona", "line")
    search_fields = ("name",)
    search_by_text = True
    search_help_text = "Name, or id (camp_…)"
    id_prefixes = {"id": "camp"}
    readonly_fields = ("state", "public_id")
    fieldsets = (
        (
            "What it calls with",
            {
                "fields": (
                    "workspace",
                    "name",
                    ("persona", "line"),
                    ("caller_id", "retry_policy"),
                    "state",
                    "public_id",
                )
            },
        ),
        ("When", {"fields": (*WINDOW, ("time_zone", "start_at_local"), "start_at", "end_at")}),
        ("Callbacks", {"fields": CALLBACKS}),
        ("Pace", {"fields": (("calls_per_second", "max_concurrent_calls", "priority"),)}),
        (
            "Webhooks",
            {"classes": ("collapse",), "fields": (*StatusUrl, "status_secret", "config_webhooks")},
        ),
        ("More", {"classes": ("collapse",), "fields": ("contact_limits", "metadata")}),
    )
    actions = None
    actions_detail = ("start", "pause", "resume", "upload", "report", "revoke_report_addresses", "cancel")
    change_form_outer_before_template = "dialer/admin/campaign_figures.html"
    refusals: ClassVar[Any] = {CampaignNotStartable: its_own_words}

    def before_transaction(self, request: HttpRequest) -> None:
        given = {request.POST.get(name, "") for name in StatusUrl}
        with suppress(ValueError):
            given.update(_urls_of(json.loads(request.POST.get("config_webhooks") or "null"))[:MOST_INLINE])
        request.faults_of_urls = urls_error(given - {""})  # type: ignore[attr-defined]

    def verbs_for(self, row: Campaign) -> Sequence[str]:
        return _POSSIBLE.get(row.status, ())

    def beside(self, request: HttpRequest, row: Campaign | None) -> dict[str, Any]:
        if row is None or request.method != "GET":
            return {}
        return {"title": row.name, "figures": {**_figures(row, now=database_now()), "links": self.links(row)}}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.audience)
        urls: list[URLPattern] = super().get_urls()
        return [path("<uuid:campaign_id>/audience/", view, name="dialer_campaign_audience"), *urls]

    def audience(self, request: HttpRequest, campaign_id: UUID) -> HttpResponse:
        """Show which receivers an event of the campaign would reach."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return audience_page(self, request, get_object_or_404(self.get_queryset(request), pk=campaign_id))

    def links(self, row: Campaign) -> list[tuple[str, str]]:
        """Return the names and addresses of pages with more about the campaign."""
        return [
            ("Calls", f"{reverse('admin:dialer_call_changelist')}?campaign={row.public_id}"),
            ("Contacts", f"{reverse('admin:dialer_campaigncontact_changelist')}?q={row.public_id}"),
            ("Who hears of it", reverse("admin:dialer_campaign_audience", args=[row.pk])),
        ]

    @verb(
        "Start",
        asks="Its contacts are called from now on, each when its own clock permits.",
        does="Start",
        icon="play_arrow",
        permission="act",
        variant=ActionVariant.PRIMARY,
    )
    def start(self, request: HttpRequest, row: Campaign) -> str:
        started = lifecycle.start(row.pk, **about(request, row))
        return f"{row.name} is {started.status}."

    @verb(
        "Pause",
        asks="No new calls start. Live calls finish; their retries are created and held.",
        does="Pause",
        icon="pause",
        permission="act",
        form=ReasonForm,
    )
    def pause(self, request: HttpRequest, form: ReasonForm, row: Campaign) -> str:
        return f"{row.name} is paused. {_touched(lifecycle.pause(row.pk, **about(request, row, form)))}."

    @verb(
        "Resume",
        asks="Calls go out again.",
        does="Resume",
        icon="play_arrow",
        permission="act",
        form=ResumeForm,
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, request: HttpRequest, form: ResumeForm, row: Campaign) -> str:
        done = lifecycle.resume(row.pk, overdue=form.cleaned_data["overdue"], **about(request, row, form))
        stale = f", {done.stale} more are stale and wait for you" if done.stale else ""
        return f"{row.name} is running. {_touched(done)}; {done.overdue} retries were overdue{stale}."

    @verb(
        "Cancel",
        asks="Stops it for good: queued calls are cancelled, live calls finish, and no callback follows them.",
        does="Cancel campaign",
        icon="cancel",
        permission="act",
        form=ReasonForm,
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, form: ReasonForm, row: Campaign) -> str:
        return f"{row.name} is cancelled. {_touched(lifecycle.cancel(row.pk, **about(request, row, form)))}."

    @verb(
        "Revoke report addresses",
        asks="Addresses of its report that were sent to other systems stop working. Those sent later will work.",
        does="Revoke",
        icon="link_off",
        permission="act",
        form=ReasonForm,
    )
    def revoke_report_addresses(self, request: HttpRequest, form: ReasonForm, row: Campaign) -> str:
        campaign_report.revoke_addresses(row.pk, **about(request, row, form))
        return f"Addresses of {row.name}'s report that were given out before do not work any more."

    @action(description="Upload contacts", icon="upload_file", permissions=["act"])  # type: ignore[untyped-decorator]
    def upload(self, request: HttpRequest, object_id: str) -> HttpResponse:  # noqa: ARG002 — unfold's signature
        return HttpResponseRedirect(f"{reverse('admin:dialer_import_add')}?campaign={object_id}")

    @action(description="Download report", icon="download", permissions=["view"])  # type: ignore[untyped-decorator]
    def report(self, request: HttpRequest, object_id: str) -> HttpResponse | StreamingHttpResponse:
        try:
            row = self.visible(request, object_id)
        except Campaign.DoesNotExist:
            return HttpResponse(status=404)
        report = campaign_report.download(row, actor=actor_of(request), now=database_now())
        return csv_file(report, name=f"{row.public_id}-report")

    @column("State", label=STATUS_COLOURS)
    def state(self, row: Campaign) -> str:
        return row.status

    @column("Why")
    def why_so(self, row: Campaign) -> str:
        return (row.pause_reason or row.end_note).replace("_", " ")


_POSSIBLE = {
    CampaignStatus.DRAFT.value: ("start", "upload", "cancel"),
    CampaignStatus.SCHEDULED.value: ("upload", "cancel"),
    CampaignStatus.RUNNING.value: ("pause", "upload", "report", "cancel"),
    CampaignStatus.PAUSED.value: ("resume", "upload", "report", "cancel"),
    **{status.value: ("report", "revoke_report_addresses") for status in CAMPAIGN_OVER},  # told when it has ended
}


def _touched(done: Touched) -> str:
    return (
        f"It has {done.callbacks} callbacks pending ({done.promises} of them promises), {done.waiting} contacts not "
        f"called yet, {done.live} live calls"
    )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _figures(row: Campaign, *, now: datetime) -> dict[str, Any]:
    stats = campaign_stats.stats(row.pk)
    found = standing(row, now=now, say=lambda at: on_clock(at, operator_zone(), now=now))
    imports = Import.objects.filter(campaign=row).order_by("-id")[:_MOST_IMPORTS]
    return {
        "stats": stats,
        "performance": stats.performance(),
        "at_end": stats.total_contacts - stats.open,
        "at_end_percent": _percent(stats.total_contacts - stats.open, stats.total_contacts),
        "bars": _bars(stats),
        "standing": found,
        "imports": [(source, reverse("admin:dialer_import_change", args=[source.pk])) for source in imports],
    }


def _bars(stats: Stats) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "count": getattr(stats, name),
            "percent": _percent(getattr(stats, name), stats.total_contacts),
            "tone": name,
        }
        for name, title in _BUCKETS.items()
        if getattr(stats, name)
    ]


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
