"""A workspace that has a row for every page of the admin."""

from datetime import timedelta
from typing import Any

from django.contrib import admin

from callbacks.models import BulkAction
from dialer.models import Import
from dialer.workspaces import api_keys, members
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from dialer.workspaces.roles import Role
from tests.admin.people import make_callback
from tests.factories import make_contact, make_message, make_policy, make_suppression, make_workspace
from tests.webhooks.rows import make_delivery, make_endpoint
from webhooks.models import Replay

OURS = ("callbacks", "dialer", "webhooks", "workspaces")
PAGES: dict[str, Any] = {
    model_admin.opts.label_lower.replace(".", "_"): model
    for model, model_admin in admin.site._registry.items()  # noqa: SLF001 — there is no public way to list them
    if model_admin.opts.app_label in OURS
}
"""The model of each page about rows of workspaces."""


def make_everything(member: str = "maria") -> Workspace:
    """Make the workspace; ``member`` is the name of a user who is a viewer in it."""
    workspace = make_workspace()
    callback = make_callback(workspace, late=timedelta(minutes=12))
    BulkAction.objects.create(workspace=workspace, action="cancel", actor_kind="user", total=1)
    make_policy(workspace)
    make_suppression(workspace, "+4930999999")
    make_message(make_contact(workspace))
    endpoint = make_delivery(make_endpoint(workspace)).endpoint
    now = database_now()
    Replay.objects.create(workspace=workspace, endpoint=endpoint, since=now - timedelta(days=1), until=now, statuses=[])
    Import.objects.create(workspace=workspace, campaign=callback.campaign, file_name="contacts.csv", bytes_total=10)
    api_keys.issue(workspace_id=workspace.pk, name="CRM", scope="read", actor=SYSTEM, now=now)
    members.add(workspace.pk, user_name=member, role=Role.VIEWER, actor=SYSTEM, now=now)
    return workspace


def row_in(workspace: Workspace, page: str) -> Any:
    """Return a row of the page in the workspace."""
    return PAGES[page].objects.in_workspace(workspace.pk).order_by("pk").first()
