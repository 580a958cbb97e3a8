from django.apps import AppConfig
from django.db.backends.signals import connection_created


class WorkspacesConfig(AppConfig):
    name = "dialer.workspaces"
    label = "workspaces"
    verbose_name = "Workspaces"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from dialer.workspaces.timestamps import read_by_python  # noqa: PLC0415 — models come first

        connection_created.connect(read_by_python)
