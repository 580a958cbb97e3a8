"""Django's settings for django-q2 alone."""

import os
from urllib.parse import urlsplit

_url = urlsplit(os.environ["DATABASE_URL"])

SECRET_KEY = "of no use here"  # noqa: S105 — there are no users and no pages
INSTALLED_APPS = ["django.contrib.contenttypes", "django_q"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.removeprefix("/"),
        "USER": _url.username,
        "PASSWORD": _url.password,
        "HOST": _url.hostname,
        "PORT": _url.port,
        "CONN_MAX_AGE": None,
    }
}
Q_CLUSTER = {
    "name": "bench",
    "orm": "default",
    "workers": 4,
    "poll": 0.05,
    "bulk": 20,
    "save_limit": -1,  # successes are not stored
    "timeout": 60,
    "retry": 120,
    "catch_up": True,
}
