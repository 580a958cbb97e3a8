"""Receives carrier reports: verifies the carrier's signature, stores, answers; reports are applied afterwards."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dialer import carriers
from dialer.carriers.base import ReportNotAuthentic, ReportRequest
from dialer.dialing import carrier_reports
from dialer.messages import reports as message_reports
from dialer.models import Line
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import MalformedId, parse_public_id


@csrf_exempt  # a carrier has no session; its signature authenticates it
@require_POST
def take_reports(request: HttpRequest, carrier: str, line: str = "") -> JsonResponse:
    """Store the reports in the body; after a 200 none is lost. A repeated report is recognised and not stored again."""
    reporter = _reporter(carrier, line)
    if reporter is None:
        return JsonResponse({"error": "unknown carrier or line"}, status=404)
    try:
        reports = carriers.of(reporter).parse_reports(_as_it_came(request))
    except ReportNotAuthentic as refused:
        return JsonResponse({"error": str(refused)}, status=401)
    stored = carrier_reports.store(carrier, reports, line_id=reporter.pk if line else None)
    return JsonResponse({"stored": stored})


@csrf_exempt
@require_POST
def take_messages(request: HttpRequest, carrier: str, line: str = "") -> JsonResponse:
    """Apply the reports about text messages; if one fails, the answer is 500 and the carrier sends them again."""
    reporter = _reporter(carrier, line)
    if reporter is None or (messenger := carriers.messenger_of(reporter)) is None:
        return JsonResponse({"error": "this carrier sends no messages"}, status=404)
    try:
        reports = messenger.parse_messages(_as_it_came(request))
    except ReportNotAuthentic as refused:
        return JsonResponse({"error": str(refused)}, status=401)
    applied = message_reports.apply(carrier, reports, line_id=reporter.pk if line else None, now=database_now())
    return JsonResponse({"applied": applied})


def _reporter(carrier: str, line: str) -> Line | None:
    """Return the line whose account reports, or an unsaved one for a carrier that reports for the installation.

    Each has its own address: a line's account does not speak for the installation, nor the installation's for a line.
    An archived line still hears how its last calls end.
    """
    if carrier not in settings.CARRIERS or carriers.has_account_per_line(carrier) != bool(line):
        return None
    if not line:
        return Line(carrier=carrier)
    try:
        mine = Line.objects.filter(pk=parse_public_id(Line.public_prefix, line))
    except MalformedId:
        return None
    found: Line | None = mine.filter(carrier=carrier, workspace__closed_at=None).first()
    return found


def _as_it_came(request: HttpRequest) -> ReportRequest:
    return ReportRequest(url=settings.PUBLIC_URL + request.get_full_path(), headers=request.headers, body=request.body)
