"""The page "What works": which attempt, hour, weekday, gap and policy connects, and which promises were kept."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from callbacks import analytics
from callbacks.analytics import GroupBy, NoFigures, Scope
from dialer.workspaces.admin.base import ScopedAdmin, workspaces_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace

_TITLES: Mapping[GroupBy, str] = {
    GroupBy.ATTEMPT: "By attempt",
    GroupBy.HOUR: "By hour on the contact's clock",
    GroupBy.WEEKDAY: "By weekday on the contact's clock",
    GroupBy.GAP: "By time since the previous attempt",
    GroupBy.POLICY: "By retry policy",
}
_DAYS = (7, 30, 90)
_USUAL_DAYS = 30


def what_works(page: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Render the figures of one workspace of the user, for the days in the query; for those who may change policies."""
    if not page.has_act_permission(request):
        raise PermissionDenied
    mine = [each for each in workspaces_of(request) if page.allows(request, "act", each)]
    workspace = next((each for each in mine if each.public_id == request.GET.get("workspace")), next(iter(mine), None))
    days = next((each for each in _DAYS if str(each) == request.GET.get("days")), _USUAL_DAYS)
    shown: dict[str, Any] = {
        **page.admin_site.each_context(request),
        "title": "What works",
        "opts": page.opts,
        "workspaces": mine,
        "workspace": workspace,
        "choices": _DAYS,
        "days": days,
    }
    if workspace is not None:
        try:
            shown |= _figures(workspace, days)
        except NoFigures as refused:
            shown["refused"] = str(refused)
    return TemplateResponse(request, "callbacks/admin/what_works.html", shown)


def _figures(workspace: Workspace, days: int) -> dict[str, Any]:
    now = database_now()
    scope = Scope(workspace_id=workspace.pk, since=now - timedelta(days=days), until=now)
    found = {by: analytics.connects(scope, by) for by in GroupBy}
    promises = analytics.promises(scope, now=now)
    return {
        "total": found[GroupBy.ATTEMPT].total,
        "charts": [(_TITLES[by], connects.groups) for by, connects in found.items()],
        "promises": [
            ("kept", promises.kept),
            ("late", promises.late),
            ("broken", promises.broken),
            ("handled otherwise", promises.handled),
            ("withdrawn", promises.withdrawn),
        ],
    }
