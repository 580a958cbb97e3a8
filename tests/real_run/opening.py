"""``python -m tests.real_run.opening``: an empty workspace and its first key, which no route makes."""

import django

django.setup()

from django.conf import settings  # noqa: E402 — Django is set up first

from dialer.setup import workspace_settings  # noqa: E402
from dialer.workspaces import api_keys  # noqa: E402
from dialer.workspaces.audit import SYSTEM  # noqa: E402
from dialer.workspaces.clock import database_now  # noqa: E402

now = database_now()
workspace = workspace_settings.open_workspace(name="Real run", time_zone="UTC", actor=SYSTEM, now=now)
api_keys.issue(
    workspace_id=workspace.id, name="Integrator", scope="admin", plain=settings.DEMO_API_KEY, actor=SYSTEM, now=now
)
