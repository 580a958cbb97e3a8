"""Django's settings, all from the environment (:mod:`config.env`); :mod:`config.checks` says what is wrong."""

from typing import Any

from config.env import BASE_DIR, env

# Secrets ------------------------------------------------------------------------------------------------------------
SECRET_KEY = env("SECRET_KEY")
ENCRYPTION_KEYS: list[str] = env("ENCRYPTION_KEYS")

# Web ----------------------------------------------------------------------------------------------------------------
DEBUG = env("DEBUG")
PORT = env("PORT")
PUBLIC_URL = (env("PUBLIC_URL") or f"http://127.0.0.1:{PORT}").rstrip("/")
ALLOWED_HOSTS = env("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env("CSRF_TRUSTED_ORIGINS")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "dialer.workspaces",
    "webhooks",
    "dialer",
    "callbacks",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Time and language --------------------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# PostgreSQL, the record ---------------------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"]["TEST"] = {"NAME": env("TEST_DATABASE_NAME")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker -------------------------------------------------------------------------------------------------------------
REDIS_URL = env("REDIS_URL")
BROKER_URL = env("BROKER_URL") or REDIS_URL

# Dialling -----------------------------------------------------------------------------------------------------------
CALL_PROMISES = env("CALL_PROMISES")
HORIZON_SECONDS = env("HORIZON_SECONDS")
LEASE_SECONDS = env("LEASE_SECONDS")
CAMPAIGN_COMPLETION_GRACE_SECONDS = env("CAMPAIGN_COMPLETION_GRACE_SECONDS")
SIMULATED_CARRIER_URL = env("SIMULATED_CARRIER_URL")
SIMULATED_CARRIER_SECRET = env("SIMULATED_CARRIER_SECRET")
SIMULATED_CARRIER_LEDGER = env("SIMULATED_CARRIER_LEDGER")

# Webhooks -----------------------------------------------------------------------------------------------------------
WEBHOOK_HEADER_PREFIX = env("WEBHOOK_HEADER_PREFIX")
WEBHOOK_ALLOWED_NETWORKS = env("WEBHOOK_ALLOWED_NETWORKS")

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Ringback",
    "VERSION": "0.1.0",
}
