"""Routes of campaign reports: anyone with the signed address may read that report, and nothing else."""

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from dialer.campaigns import report as reports
from dialer.models import Campaign
from dialer.workspaces.audit import Actor
from dialer.workspaces.client import client_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.downloads import csv_file
from dialer.workspaces.ids import MalformedId, parse_public_id


@require_safe
def campaign_report(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """Stream the report; a wrong, expired or revoked address gets the same answer as one that never existed."""
    now = database_now()
    given = {key: request.GET.get(key, "") for key in ("expires", "signature")}
    if not given["expires"].isdecimal() or not reports.is_permitted(name, **given, now=now):
        raise Http404
    try:
        campaign_id = parse_public_id(Campaign.public_prefix, name)
        found = Campaign.objects.select_related("workspace").get(pk=campaign_id, workspace__closed_at=None)
    except (MalformedId, Campaign.DoesNotExist):
        raise Http404 from None
    if reports.is_revoked(found, expires=given["expires"]):
        raise Http404
    private = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}
    reader = Actor(kind="system", label="Somebody with the report's address", client=client_of(request))
    report = reports.download(found, actor=reader, now=now)
    return csv_file(report, name=f"{found.public_id}-report", headers=private)


urlpatterns = [path("<name>/campaign_report.csv", campaign_report, name="campaign-report")]
