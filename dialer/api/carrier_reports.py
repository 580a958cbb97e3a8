"""Receives carrier reports: verifies the carrier's signature, stores, answers; reports are applied afterwards."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dialer import carriers
from dialer.carriers.base import ReportNotAuthentic
from dialer.dialing import carrier_reports
from dialer.messages import reports as message_reports
from dialer.models import Line
from dialer.workspaces.clock import database_now


@csrf_exempt  # a carrier has no session; its signature authenticates it
@require_POST
def take_reports(request: HttpRequest, carrier: str) -> JsonResponse:
    """Store the reports in the body; after a 200 none is lost. A repeated report is recognised and not stored again."""
    if carrier not in settings.CARRIERS:
        return JsonResponse({"error": "unknown carrier"}, status=404)
    adapter = carriers.of(Line(carrier=carrier))
    try:
        reports = adapter.parse_reports(request.headers, request.body)
    except ReportNotAuthentic as refused:
        return JsonResponse({"error": str(refused)}, status=401)
    return JsonResponse({"stored": carrier_reports.store(carrier, reports)})


@csrf_exempt
@require_POST
def take_messages(request: HttpRequest, carrier: str) -> JsonResponse:
    """Apply the reports about text messages; if one fails, the answer is 500 and the carrier sends them again."""
    if carrier not in settings.CARRIERS or (messenger := carriers.messenger_of(Line(carrier=carrier))) is None:
        return JsonResponse({"error": "this carrier sends no messages"}, status=404)
    try:
        reports = messenger.parse_messages(request.headers, request.body)
    except ReportNotAuthentic as refused:
        return JsonResponse({"error": str(refused)}, status=401)
    return JsonResponse({"applied": message_reports.apply(carrier, reports, now=database_now())})
