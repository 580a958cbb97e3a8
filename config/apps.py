from django.apps import AppConfig
from django.core.checks import register


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Configuration"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from config import celery, checks  # noqa: PLC0415 — Django's place for it: apps are loaded now

        celery.app.set_default()  # shared tasks published by a web process find the broker
        register(checks.servers_are_named)
        register(checks.secrets_are_given)
        register(checks.hosts_are_named)
        register(checks.nothing_is_relaxed)
        register(checks.metrics_are_shown, deploy=True)
        register(checks.proxies_are_named, deploy=True)
        register(checks.former_keys_are_long, deploy=True)
