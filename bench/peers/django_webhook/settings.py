"""Django's settings of the peer, with django-webhook as its documentation sets it up.

It stores each event and its status (``STORE_EVENTS``, the default), as Ringback does, and keeps its connections.
"""

from bench.peers.database import DATABASES

__all__ = ["DATABASES"]

SECRET_KEY = "a bench's"  # noqa: S105 — guards nothing
INSTALLED_APPS = ["bench.peers.django_webhook", "django_webhook"]
USE_TZ = True
DJANGO_WEBHOOK = {"MODELS": ["facts.Fact"], "STORE_EVENTS": True}
