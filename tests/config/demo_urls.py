"""The routes of an installation with ``DEMO=1``."""

from django.urls import include, path

from config.urls import handler404 as handler404  # noqa: PLC0414 — Django reads it here
from config.urls import urlpatterns as _urlpatterns

urlpatterns = [*_urlpatterns, path("demo/", include("config.demo.inbox"))]
