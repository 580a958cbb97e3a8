"""The sidebar of every admin page: links that the user may see, in groups."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from dialer.models import RetryPolicy

_GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Calling",
        (
            ("Callbacks", "phone_callback", "callbacks.callback"),
            ("Bulk actions", "checklist", "callbacks.bulkaction"),
            ("Campaigns", "campaign", "dialer.campaign"),
            ("Calls", "call", "dialer.call"),
            ("Messages", "sms", "dialer.message"),
            ("Contacts", "person", "dialer.contact"),
            ("Contacts of campaigns", "groups", "dialer.campaigncontact"),
            ("Imports", "upload_file", "dialer.import"),
            ("Do not call", "phone_disabled", "dialer.suppression"),
        ),
    ),
    (
        "Calls with",
        (
            ("Personas", "record_voice_over", "dialer.persona"),
            ("Lines", "cell_tower", "dialer.line"),
            ("Retry policies", "replay", "dialer.retrypolicy"),
        ),
    ),
    (
        "Webhooks",
        (
            ("Endpoints", "webhook", "webhooks.endpoint"),
            ("Deliveries", "outbox", "webhooks.delivery"),
            ("Replays", "replay", "webhooks.replay"),
            ("Events", "bolt", "webhooks.event"),
        ),
    ),
    (
        "Administration",
        (
            ("Workspaces", "domain", "workspaces.workspace"),
            ("Members", "group", "workspaces.member"),
            ("API keys", "key", "workspaces.apikey"),
            ("Audit", "history", "workspaces.auditentry"),
            ("Users", "manage_accounts", "auth.user"),
            ("Sessions", "devices", "sign_in.session"),
            ("Second factors", "phonelink_lock", "sign_in.secondfactor"),
        ),
    ),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups that contain a page that the user may see."""
    first = [{"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}]
    policies: Any = admin.site.get_model_admin(RetryPolicy)
    if policies.has_act_permission(request):
        first.append({"title": "What works", "icon": "monitoring", "link": reverse("admin:callbacks_what_works")})
    found: list[dict[str, Any]] = [{"items": first}]
    for title, pages in _GROUPS:
        items = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{model.replace('.', '_')}_changelist")}
            for name, icon, model in pages
            if admin.site.get_model_admin(apps.get_model(model)).has_view_permission(request)
        ]
        if items:
            found.append({"title": title, "items": items, "separator": True})
    return found
