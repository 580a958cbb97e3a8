"""The URL routes of the installation."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from config import views
from dialer.workspaces.admin.members import Invitation
from dialer.workspaces.api.views import NoSuchRoute

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/search/", views.search),
    path("admin/", include("dialer.sign_in.urls")),
    path("admin/", admin.site.urls),
    path("invitation/<uidb64>/<token>/", Invitation.as_view(), name="invitation"),
    path("api/schema/", views.ApiSchema.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("dialer.api.urls")),
    path("api/v1/", include("callbacks.api.urls")),
    path("api/v1/", include("webhooks.api.urls")),
    path("api/v1/<path:rest>", NoSuchRoute.as_view()),
    path("carriers/", include("dialer.api.carrier_urls")),
    path("reports/", include("dialer.api.report_urls")),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", views.metrics),
]
if settings.DEMO:
    urlpatterns.append(path("demo/", include("config.demo.inbox")))
handler404 = "config.views.not_found"
