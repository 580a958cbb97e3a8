"""Health, readiness and metrics pages, and the answers to addresses that do not exist."""

import secrets
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

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


class ApiSchema(SpectacularAPIView):
    """The OpenAPI schema. Anyone may ask for it, and making it takes seconds, so each process makes it once."""

    schema = None
    renderer_classes = [OpenApiJsonRenderer2, OpenApiYamlRenderer2]  # the first without a format, and for errors

    def get(self, request: Request, *args: object, **kwargs: object) -> HttpResponse:  # noqa: ARG002 — its signature
        renderer: BaseRenderer = request.accepted_renderer
        return HttpResponse(_rendered_schema(str(renderer.format)), content_type=renderer.media_type)


@lru_cache
def _rendered_schema(kind: str) -> str | bytes:
    (renderer,) = (renderer for renderer in ApiSchema.renderer_classes if renderer.format == kind)
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return renderer().render(schema, renderer_context={})


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
