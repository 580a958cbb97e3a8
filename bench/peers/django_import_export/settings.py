"""Django's settings of the peer."""

from bench.peers.database import DATABASES

__all__ = ["DATABASES"]

SECRET_KEY = "a bench's"  # noqa: S105 — guards nothing
INSTALLED_APPS = ["django.contrib.postgres", "bench.peers.django_import_export", "import_export"]
USE_TZ = True
