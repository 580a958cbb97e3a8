"""The page of campaigns with a link to their callbacks and a preview of their settings."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from callbacks.admin.imagining import PreviewForm, faults_of, in_words, outcomes_of, shown
from callbacks.questions import question_in
from dialer.admin.campaigns import CampaignAdmin
from dialer.admin.schedule_fields import ScheduleFields, schedule_of
from dialer.models import Campaign, RetryPolicy
from dialer.rules.schedule_settings import InvalidSettings
from dialer.workspaces.admin.base import workspaces_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace

admin.site.unregister(Campaign)


@admin.register(Campaign)
class CampaignWithCallbacksAdmin(CampaignAdmin):
    change_form_after_template = "callbacks/admin/preview.html"

    def links(self, row: Campaign) -> list[tuple[str, str]]:
        listed = reverse("admin:callbacks_callback_changelist")
        return [("Callback queue", f"{listed}?queue=all_pending&campaign={row.public_id}"), *super().links(row)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        mine = [
            path("preview/", view(self.preview), name="callbacks_campaign_preview"),
            path("<uuid:campaign_id>/preview/", view(self.preview), name="callbacks_campaign_preview"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return [*mine, *urls]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id) if object_id else None
        asked_at = reverse("admin:callbacks_campaign_preview", args=[row.pk] if row else [])
        extra = {**(extra_context or {}), "imagined": PreviewForm(), "asked_at": asked_at}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return answer

    def preview(self, request: HttpRequest, campaign_id: UUID | None = None) -> HttpResponse:
        """Return the attempts that the unsaved form would lead to; writes nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = self.get_queryset(request).filter(pk=campaign_id).select_related("line", "workspace").first()
        imagined, filled_in = PreviewForm(request.POST), ScheduleFields(request.POST)
        workspace = campaign.workspace if campaign else _workspace(request)
        if workspace is None or not imagined.is_valid() or not filled_in.is_valid():
            context: dict[str, Any] = {"faults": faults_of(imagined, filled_in)}
        else:
            zone = request.POST.get("time_zone") or None
            policy = _policy(request, workspace)
            if campaign is not None:
                campaign.retry_policy = policy  # as filled in; never saved
            try:
                question = question_in(
                    workspace,
                    first_attempt_at=database_now(),
                    outcomes=outcomes_of(imagined.cleaned_data),
                    time_zone=imagined.cleaned_data["imagined_zone"],
                    schedule={**schedule_of(filled_in.cleaned_data), "time_zone": zone},
                    policy=policy,
                    campaign=campaign,
                )
                context = shown(question)
            except InvalidSettings as refused:
                context = {"faults": in_words(refused)}
        return render(request, "callbacks/admin/preview_attempts.html", context)


def _workspace(request: HttpRequest) -> Workspace | None:
    """Return the workspace of a new campaign, or ``None`` if the form does not name one yet."""
    mine = workspaces_of(request)
    chosen = request.POST.get("workspace")
    return next((workspace for workspace in mine if str(workspace.pk) == chosen), mine[0] if len(mine) == 1 else None)


def _policy(request: HttpRequest, workspace: Workspace) -> RetryPolicy | None:
    chosen = request.POST.get("retry_policy")
    known = RetryPolicy.objects.in_workspace(workspace.pk)
    return next((policy for policy in known if str(policy.pk) == chosen), None)
