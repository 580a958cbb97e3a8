"""Health, readiness and metrics pages, and the answers to addresses that do not exist."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from config import metrics as figures
from config import watch
from dialer.workspaces.api.views import NoSuchRoute


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer without using the database, so that a database outage does not restart every web process."""
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    problems = watch.problems()
    return JsonResponse({"ready": not problems, "problems": problems}, status=503 if problems else 200)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not secrets.compare_digest(
        request.headers.get("Authorization", "").encode(), expected.encode()
    ):
        return HttpResponse("Requires METRICS_TOKEN as bearer token.\n", status=401, content_type="text/plain")
    return HttpResponse(figures.render(), content_type=CONTENT_TYPE_LATEST)


def search(request: HttpRequest) -> HttpResponse:
    """Search the admin's navigation; answer 404 for a page that does not exist, where Unfold's view fails."""
    site: Any = admin.site
    try:
        found: HttpResponse = site.admin_view(site.search)(request)
    except InvalidPage as error:
        raise Http404 from error
    return found


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404: under ``/api/`` in the shape of all errors there, elsewhere as a page."""
    if request.path.startswith("/api/"):
        return NoSuchRoute.as_view()(request)
    return page_not_found(request, exception)
