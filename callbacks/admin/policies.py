"""Retry policies, with a preview beside the form before anything is saved."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from callbacks.admin.imagining import PreviewForm, faults_of, in_words, outcomes_of, shown
from callbacks.admin.what_works import what_works
from callbacks.preview import Question
from dialer.admin.resources import ArchivingAdmin
from dialer.admin.schedule_fields import MinutesField
from dialer.models import RetryPolicy
from dialer.rules.default_retries import DEFAULT_RULES
from dialer.rules.schedule_settings import RETRYABLE, InvalidSettings, parse_retry_policy
from dialer.setup import retry_policies
from dialer.workspaces.admin.base import workspaces_of
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import WriteForm
from dialer.workspaces.clock import database_now


class RulesForm(forms.Form):
    """Delays and a limit per outcome."""

    def rules(self) -> dict[str, Any]:
        """Return the rules of the outcomes that have any."""
        given = self.cleaned_data
        return {
            outcome: {"delays": given.get(f"{outcome}_delays") or [], "limit": given.get(f"{outcome}_limit")}
            for outcome in RETRYABLE
            if given.get(f"{outcome}_delays") or given.get(f"{outcome}_limit")
        }


for _outcome in RETRYABLE:
    RulesForm.base_fields[f"{_outcome}_delays"] = MinutesField(
        label=f"{_outcome.replace('_', ' ').capitalize()}: minutes until each retry"
    )
    RulesForm.base_fields[f"{_outcome}_limit"] = forms.IntegerField(
        required=False, label="Retries at most", widget=UnfoldAdminIntegerFieldWidget
    )
RulesForm.declared_fields = RulesForm.base_fields  # where Django looks for the fields of forms that inherit


class PolicyForm(WriteForm, RulesForm):
    invalid = (InvalidSettings,)
    names: ClassVar[Mapping[str, str]] = {
        f"rules.{outcome}.{theirs}": f"{outcome}_{ours}"
        for outcome in RETRYABLE
        for theirs, ours in (("delays", "delays"), ("limit", "limit"))
    }

    class Meta:
        model = RetryPolicy
        fields = ("workspace", "name", "is_default")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        rules = self.instance.rules or (DEFAULT_RULES if self.is_new else {})
        for outcome, rule in rules.items():
            self.initial[f"{outcome}_delays"] = rule["delays"]
            self.initial[f"{outcome}_limit"] = rule["limit"]

    def write(self, about: Mapping[str, Any]) -> RetryPolicy:
        given: Any = {
            "name": self.cleaned_data["name"],
            "is_default": self.cleaned_data["is_default"],
            "rules": self.rules(),
        }
        if self.is_new:
            return retry_policies.create_policy(self.cleaned_data["workspace"].pk, **about, **given)
        return retry_policies.edit_policy(self.instance.pk, workspace_id=self.instance.workspace_id, **about, **given)


@admin.register(RetryPolicy)
class RetryPolicyAdmin(ArchivingAdmin):
    form = PolicyForm
    list_display = ("name", "in_words", "is_default", "state")
    search_help_text = "Name, or id (pol_…)"
    id_prefixes = {"id": "pol"}
    readonly_fields = ("public_id", "state")
    fieldsets = (
        (None, {"fields": ("workspace", ("name", "is_default"))}),
        (
            "By the outcome of the call before",
            {"fields": tuple((f"{outcome}_delays", f"{outcome}_limit") for outcome in RETRYABLE)},
        ),
        (None, {"fields": ("state", "public_id")}),
    )
    change_form_after_template = "callbacks/admin/preview.html"
    archiving = staticmethod(retry_policies.archive_policy)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        mine = [
            path("preview/", view(self.preview), name="callbacks_policy_preview"),
            path("what-works/", view(partial(what_works, self)), name="callbacks_what_works"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*mine, *urls]

    def beside(self, request: HttpRequest, row: RetryPolicy | None) -> dict[str, Any]:  # noqa: ARG002
        return {"imagined": PreviewForm(), "asked_at": reverse("admin:callbacks_policy_preview")}

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Return the attempts that the unsaved form would lead to; writes nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        imagined = PreviewForm(request.POST)
        filled_in = RulesForm(request.POST)
        context: dict[str, Any] = {}
        if not imagined.is_valid() or not filled_in.is_valid():
            context["faults"] = faults_of(imagined, filled_in)
        else:
            try:
                context = _imagine(request, imagined.cleaned_data, parse_retry_policy(filled_in.rules()))
            except InvalidSettings as refused:
                context["faults"] = in_words(refused)
        return render(request, "callbacks/admin/preview_attempts.html", context)

    @column("Retries")
    def in_words(self, row: RetryPolicy) -> str:
        return "; ".join(
            f"{outcome.replace('_', ' ')} {', '.join(map(str, rule['delays']))} min, at most {rule['limit']}"
            for outcome, rule in row.rules.items()
        )


def _imagine(request: HttpRequest, imagined: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    workspace = next(iter(workspaces_of(request)), None)
    return shown(
        Question(
            phone="",
            time_zone=imagined["imagined_zone"],
            first_attempt_at=database_now(),
            outcomes=outcomes_of(imagined),
            workspace_zone=workspace.time_zone if workspace else "UTC",
            campaign_policy=policy,
            workspace=workspace.schedule if workspace else {},
            contact_limits=[workspace.contact_limits if workspace else None],
        )
    )
