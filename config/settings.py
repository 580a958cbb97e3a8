"""Django's settings, all from the environment (:mod:`config.env`); :mod:`config.checks` says what is wrong."""

from typing import Any

import django_stubs_ext
from django.templatetags.static import static
from django.urls import reverse_lazy

from config.env import BASE_DIR, env

# Django's generic classes take their parameters at run time too (ModelAdmin[Call]), not only for the type checker.
django_stubs_ext.monkeypatch()

# Process ------------------------------------------------------------------------------------------------------------
PROCESS = env("PROCESS")
LOCAL_RUN = env("LOCAL_RUN")
DATA_DIR = BASE_DIR / env("DATA_DIR")

# Secrets ------------------------------------------------------------------------------------------------------------
SECRET_KEY = env("SECRET_KEY")
SECRET_KEY_FALLBACKS: list[str] = env("SECRET_KEY_FALLBACKS")
ENCRYPTION_KEYS: list[str] = env("ENCRYPTION_KEYS")
NUMBER_HASH_KEY: str = env("NUMBER_HASH_KEY") or SECRET_KEY
METRICS_TOKEN = env("METRICS_TOKEN")

# Web ----------------------------------------------------------------------------------------------------------------
DEBUG = env("DEBUG")
PORT = env("PORT")
PUBLIC_URL = (env("PUBLIC_URL") or f"http://127.0.0.1:{PORT}").rstrip("/")
ALLOWED_HOSTS: list[str] = env("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXIES: list[str] = env("TRUSTED_PROXIES")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # needs no collectstatic; files are found once, at start
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024  # a batch of contacts as JSON; files are streamed and not counted

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "dialer.workspaces",
    "dialer.sign_in",
    "webhooks",
    "dialer",
    "callbacks",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.ContentSecurityPolicy",
    "dialer.workspaces.api.chunked.ChunkedBodies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dialer.sign_in.gate.SecondFactorGate",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dialer.workspaces.admin.time_zone.OperatorTimeZone",
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

AUTHENTICATION_BACKENDS = ["dialer.workspaces.permissions.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "dialer.sign_in.sessions.PasswordEndsSessions"},
]

# TLS ----------------------------------------------------------------------------------------------------------------
# On by default: a proxy terminates TLS and sets X-Forwarded-Proto.
BEHIND_TLS = env("BEHIND_TLS")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # requested from inside, not through the proxy
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_TLS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SESSION_ENGINE = "dialer.sign_in.store"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Unfold's Alpine.js evaluates expressions ('unsafe-eval') and it sets styles inline; nothing else of that is allowed.
CONTENT_SECURITY_POLICY = {
    "default-src": ["'self'"],
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "media-src": ["'self'", "https:"],  # the carrier hosts the recordings
    "object-src": ["'none'"],
    "base-uri": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

# Time and language --------------------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]

# PostgreSQL, the record ---------------------------------------------------------------------------------------------
_timeouts = {
    "lock_timeout": env("LOCK_TIMEOUT_SECONDS"),
    "statement_timeout": 0 if PROCESS == "release" else env("STATEMENT_TIMEOUT_SECONDS"),  # migrations take their time
    "idle_in_transaction_session_timeout": env("IDLE_TRANSACTION_TIMEOUT_SECONDS"),
}
_database: dict[str, Any] = env.db_url("DATABASE_URL") if env("DATABASE_URL") else {"NAME": ""}
_database |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": 0,  # Celery closes connections after every task anyway; the pool keeps them
    "CONN_HEALTH_CHECKS": True,  # replaces pooled connections that a restart of PostgreSQL has closed
    "TEST": {"NAME": env("TEST_DATABASE_NAME")},
}
_database["OPTIONS"] = {
    **_database.get("OPTIONS", {}),
    "application_name": f"ringback-{PROCESS}",
    "connect_timeout": 5,
    # Parameters travel beside the statement: measured on the hot path, a third less of Python's time and a tenth less
    # of PostgreSQL's than with literals put into the text. Statements are not prepared (Django's default), so each is
    # planned with the values and sizes at hand: a plan kept from when a queue's table was small scans it when it is not
    # (measured, 47 ms instead of 0.3). Forcing that by plan_cache_mode would have the checks of foreign keys planned
    # anew each time too: 24 for a call and what follows it, half a millisecond of PostgreSQL's time.
    "server_side_binding": True,
    "options": " ".join(
        # Hot rows are in memory: without this, reading 180 contacts by id scans all 13,000.
        ["-c random_page_cost=1.1"] + [f"-c {name}={seconds * 1000}" for name, seconds in _timeouts.items()]
    ),
}
if env("DATABASE_POOL_SIZE") > 0:  # for processes with threads: web, and workers that run them
    _database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": env("DATABASE_POOL_SIZE"), "timeout": 5}
DATABASES: dict[str, dict[str, Any]] = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker and counters that may be lost -------------------------------------------------------------------------------
REDIS_URL = env("REDIS_URL")
BROKER_URL = env("BROKER_URL") or REDIS_URL
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "ringback",
        "OPTIONS": {
            "serializer": "config.cache.JsonSerializer",  # Django's own is pickle
            "socket_timeout": 2,
            "socket_connect_timeout": 2,
        },
    }
}

# Dialling -----------------------------------------------------------------------------------------------------------
CALL_LISTENER = env("CALL_LISTENER")
HORIZON_SECONDS = env("HORIZON_SECONDS")
LEASE_SECONDS = env("LEASE_SECONDS")
CAMPAIGN_COMPLETION_GRACE_SECONDS = env("CAMPAIGN_COMPLETION_GRACE_SECONDS")
CARRIERS = {"simulated": env("CARRIER_SIMULATED_CLASS"), "twilio": "dialer.carriers.twilio.TwilioCarrier"}
CARRIER_REQUESTS_AT_ONCE = env("CARRIER_REQUESTS_AT_ONCE")
SIMULATED_CARRIER_URL = env("SIMULATED_CARRIER_URL").rstrip("/")
SIMULATED_CARRIER_SECRET = env("SIMULATED_CARRIER_SECRET")
TWILIO_API_URL = env("TWILIO_API_URL").rstrip("/")
TWILIO_MACHINE_DETECTION = env("TWILIO_MACHINE_DETECTION")
SIMULATED_CARRIER_LEDGER = env("SIMULATED_CARRIER_LEDGER") or str(DATA_DIR / "carrier-ledger.jsonl")

# Imports ------------------------------------------------------------------------------------------------------------
IMPORT_LARGEST_FILE_MB = env("IMPORT_LARGEST_FILE_MB")
IMPORT_MOST_LINES = env("IMPORT_MOST_LINES")
IMPORTS_AT_ONCE = env("IMPORTS_AT_ONCE")

# Webhooks -----------------------------------------------------------------------------------------------------------
WEBHOOK_HEADER_PREFIX = env("WEBHOOK_HEADER_PREFIX")
WEBHOOK_ALLOWED_NETWORKS: list[str] = env("WEBHOOK_ALLOWED_NETWORKS")
WEBHOOK_DNS_SERVERS: list[str] = env("WEBHOOK_DNS_SERVERS")
WEBHOOK_CA_FILE = env("WEBHOOK_CA_FILE")
WEBHOOK_SCOPES = {"persona": "dialer.Persona", "campaign": "dialer.Campaign"}  # what an endpoint may be limited to

# API ----------------------------------------------------------------------------------------------------------------
API_RATE_PER_MINUTE = env("API_RATE_PER_MINUTE")
REST_FRAMEWORK: dict[str, Any] = {  # views of the API inherit the rest from dialer.workspaces.api.views.ApiView
    "EXCEPTION_HANDLER": "dialer.workspaces.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "dialer.workspaces.api.schema.Schema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": "format",  # of the schema alone: the API has one format
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Ringback",
    "DESCRIPTION": "Ringback calls contacts, calls them back on schedule, and sends events to other systems. Times are "
    "ISO 8601 with an offset; answers are in UTC. Lists are paged by cursor. All errors have the same shape.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",  # 3.0 has no way to say that a shared shape may be null
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,  # a list of the choices once more
    "POSTPROCESSING_HOOKS": ["dialer.workspaces.api.schema.link"],  # choices stay inline
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# The operator's pages -------------------------------------------------------------------------------------------------
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Ringback",
    "SITE_HEADER": "Ringback",
    "SITE_SYMBOL": "phone_callback",
    "SITE_URL": None,
    "SHOW_HISTORY": False,  # Django's own log; audit entries replace it
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "callbacks.admin.dashboard.fill_in",
    "SCRIPTS": [lambda _: static("workspaces/time_zone.js")],
    "STYLES": [lambda _: static("workspaces/admin.css")],
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "Two-factor sign-in", "link": reverse_lazy("sign_in:two_factor")},
            {"title": "Sessions", "link": reverse_lazy("admin:sign_in_session_changelist")},
        ]
    },
    "SIDEBAR": {"show_search": True, "navigation": "config.navigation.groups"},
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254)",
            "100": "oklch(93.2% .032 256)",
            "200": "oklch(88.2% .059 254)",
            "300": "oklch(80.9% .105 252)",
            "400": "oklch(70.7% .165 255)",
            "500": "oklch(62.3% .214 260)",
            "600": "oklch(54.6% .245 263)",
            "700": "oklch(48.8% .243 264)",
            "800": "oklch(42.4% .199 266)",
            "900": "oklch(37.9% .146 266)",
            "950": "oklch(28.2% .091 268)",
        }
    },
}

# The demo of local runs ----------------------------------------------------------------------------------------------
DEMO = env("DEMO")
DEMO_PASSWORD = env("DEMO_PASSWORD")
DEMO_API_KEY = env("DEMO_API_KEY")

# One line per effect -------------------------------------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.OneLine", "process_name": PROCESS}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # scanners' noise: the answer was 400
        "celery.worker.request": {"level": "WARNING"},  # a line per expired message after a time without workers
        "celery.worker.strategy": {"level": "WARNING"},  # a line per received message
        "celery.app.trace": {"level": "WARNING"},  # and per finished task; effects have their own lines
        "celery.beat": {"level": "WARNING"},
    },
}
