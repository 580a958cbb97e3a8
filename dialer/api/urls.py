"""Routes of the dialer below ``/api/v1/``."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from dialer.api import errors as errors  # noqa: PLC0414 — what the nouns' exceptions mean is registered there
from dialer.api.resources import Lines, Personas, RetryPolicies
from dialer.api.workspace_settings import Settings

router = SimpleRouter()
router.register("personas", Personas)
router.register("lines", Lines)
router.register("retry-policies", RetryPolicies)

urlpatterns = [
    path("settings/", Settings.as_view({"get": "retrieve", "patch": "partial_update"}), name="settings"),
    path("", include(router.urls)),
]
