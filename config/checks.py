"""System checks: errors of the configuration, and how to fix each."""

import ipaddress
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured

_BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps")
_SHORTEST_KEY = 32
_FEWEST_CHARACTERS = 8


def servers_are_named(**_: object) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if not settings.DATABASES["default"].get("NAME"):
        problems.append(
            Error(
                "DATABASE_URL is not set.",
                hint="`make run` and `python -m config.local.servers exec -- COMMAND` start a PostgreSQL of their own; "
                "elsewhere: DATABASE_URL=postgresql://user:password@host:5432/ringback",
                id="config.E001",
            )
        )
    if urlsplit(settings.REDIS_URL).scheme not in ("redis", "rediss"):
        problems.append(
            Error("REDIS_URL names no Redis or Valkey.", hint="REDIS_URL=redis://host:6379/0", id="config.E002")
        )
    if urlsplit(settings.BROKER_URL).scheme not in _BROKER_SCHEMES:
        problems.append(
            Error(
                f"BROKER_URL begins with none of {', '.join(_BROKER_SCHEMES)}.",
                hint="Leave it out to use REDIS_URL, or BROKER_URL=amqp://user:password@host:5672//",
                id="config.E003",
            )
        )
    return problems


def secrets_are_given(**_: object) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    try:
        for key in settings.ENCRYPTION_KEYS:
            Fernet(key)
    except ValueError:
        problems.append(
            Error(
                "ENCRYPTION_KEYS contains an invalid key.",
                hint=f"A key is 32 random bytes as base64, for example {Fernet.generate_key().decode()}",
                id="config.E004",
            )
        )
    if not settings.ENCRYPTION_KEYS:
        problems.append(
            Error(
                "ENCRYPTION_KEYS is not set: the secrets of endpoints cannot be stored.",
                hint=f"For example ENCRYPTION_KEYS={Fernet.generate_key().decode()}; keep it: it decrypts the secrets.",
                id="config.E005",
            )
        )
    return problems


def hosts_are_named(**_: object) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if not settings.ALLOWED_HOSTS and not settings.DEBUG:
        problems.append(
            Caution(
                "ALLOWED_HOSTS is empty: every request is refused.",
                hint="ALLOWED_HOSTS=ringback.example.com",
                id="config.W001",
            )
        )
    for network in settings.WEBHOOK_ALLOWED_NETWORKS:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            hint = "For example WEBHOOK_ALLOWED_NETWORKS=127.0.0.0/8,10.1.2.0/24"
            problems.append(Error(f"WEBHOOK_ALLOWED_NETWORKS: {error}.", hint=hint, id="config.E006"))
    for network in settings.TRUSTED_PROXIES:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            hint = "For example TRUSTED_PROXIES=127.0.0.1,10.1.2.0/24"
            problems.append(Error(f"TRUSTED_PROXIES: {error}.", hint=hint, id="config.E008"))
    if settings.HORIZON_SECONDS < 1 or settings.LEASE_SECONDS < 1:
        problems.append(
            Error("HORIZON_SECONDS and LEASE_SECONDS must be at least 1.", hint="Leave them out.", id="config.E007")
        )
    return problems


def proxies_are_named(**_: object) -> list[CheckMessage]:
    if settings.TRUSTED_PROXIES or not settings.BEHIND_TLS:
        return []
    return [
        Caution(
            "BEHIND_TLS is set, but TRUSTED_PROXIES names no proxy: all requests seem to come from one address, so "
            "anybody's failed attempts to sign in can lock everybody.",
            hint="TRUSTED_PROXIES=10.1.2.3, the address from which the proxy connects.",
            id="config.W003",
        )
    ]


def nothing_is_relaxed(**_: object) -> list[CheckMessage]:
    """Refuse everywhere else what only a local run may do."""
    if settings.LOCAL_RUN:
        return []
    problems: list[CheckMessage] = []
    if settings.DEBUG:
        problems.append(
            Error(
                "DEBUG is on: error pages show code and settings to everybody.",
                hint="Leave it out.",
                id="config.E009",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        problems.append(
            Error(
                "ALLOWED_HOSTS contains *: links in answers can be made to lead to any host.",
                hint="ALLOWED_HOSTS=ringback.example.com",
                id="config.E010",
            )
        )
    problems += [
        Error(
            f"{name} is missing, has fewer than {_SHORTEST_KEY} characters, or repeats a few.",
            hint='python -c "import secrets; print(secrets.token_urlsafe(48))"',
            id="config.E011",
        )
        for name in _weak_keys()
    ]
    return problems


def _weak_keys() -> list[str]:
    try:
        secret_key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django does not give out an empty one
        secret_key = ""
    optional = {"METRICS_TOKEN": settings.METRICS_TOKEN, "SIMULATED_CARRIER_SECRET": settings.SIMULATED_CARRIER_SECRET}
    keys = {"SECRET_KEY": secret_key} | {name: key for name, key in optional.items() if key}
    return [name for name, key in keys.items() if _is_weak(key)]


def _is_weak(key: str) -> bool:
    return len(key) < _SHORTEST_KEY or len(set(key)) < _FEWEST_CHARACTERS


def former_keys_are_long(**_: object) -> list[CheckMessage]:
    """Warn of weak keys that must not be changed any more."""
    problems: list[CheckMessage] = []
    if settings.SECRET_KEY_FALLBACKS and any(map(_is_weak, settings.SECRET_KEY_FALLBACKS)):
        problems.append(
            Caution(
                "SECRET_KEY_FALLBACKS contains a short key.",
                hint="Remove it when nothing that it signed is valid any more: after 30 days.",
                id="config.W004",
            )
        )
    if settings.NUMBER_HASH_KEY != settings.SECRET_KEY and _is_weak(settings.NUMBER_HASH_KEY):
        problems.append(
            Caution(
                "NUMBER_HASH_KEY is short.",
                hint="Keep it all the same: with another, suppressed numbers of deleted contacts are called again.",
                id="config.W005",
            )
        )
    return problems


def metrics_are_shown(**_: object) -> list[CheckMessage]:
    if settings.METRICS_TOKEN:
        return []
    return [
        Caution(
            "METRICS_TOKEN is not set: /metrics refuses everybody.",
            hint="Set it and give it to Prometheus as bearer token.",
            id="config.W002",
        )
    ]
