"""Every way in, with the least that opens it: the tables that ``test_every_way_in`` holds the installation to."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from dialer.workspaces.roles import Role

_SEE, _ACT, _MANAGE, _OWN = Role.VIEWER, Role.OPERATOR, Role.MANAGER, Role.OWNER
_QUEUE = ("call_now", "cancel", "complete", "edit", "promise", "reschedule", "skip", "undo")
_ENDPOINT = ("pause", "promote_secret", "replay", "resume", "rotate_secret", "send_test", "switch_off", "switch_on")

PAGES: dict[str, dict[str, Role | None]] = {
    "callbacks_bulkaction": {"": _SEE, "stop": _ACT},
    "callbacks_callback": {"": _SEE, **dict.fromkeys(_QUEUE, _ACT)},
    "dialer_call": {
        "": _SEE,
        **dict.fromkeys(("call_back", "cancel", "mark_handled", "mark_reached", "was_a_person"), _ACT),
    },
    "dialer_campaign": {
        "": _SEE,
        "audience": _SEE,
        "report": _SEE,
        "add": _MANAGE,
        **dict.fromkeys(("cancel", "pause", "resume", "revoke_report_addresses", "start", "upload"), _MANAGE),
    },
    "dialer_campaigncontact": {"": _SEE},
    "dialer_contact": {"": _SEE, "add": _ACT, "forget": _ACT, "suppress": _ACT},
    "dialer_import": {"": _SEE, "bad_rows": _SEE, "add": _MANAGE},
    "dialer_line": {"": _SEE, "add": _MANAGE, "archive": _MANAGE},
    "dialer_message": {"": _SEE},
    "dialer_persona": {"": _SEE, "add": _MANAGE, "archive": _MANAGE},
    "dialer_retrypolicy": {"": _SEE, "add": _MANAGE, "archive": _MANAGE},
    "dialer_suppression": {"": _SEE, "add": _ACT, "lift": _MANAGE},
    "webhooks_delivery": {"": _SEE, "redeliver": _MANAGE, "replay_items": _MANAGE},
    "webhooks_endpoint": {"": _SEE, "add": _MANAGE, "delete": _MANAGE, **dict.fromkeys(_ENDPOINT, _MANAGE)},
    "webhooks_event": {"": _SEE},
    "webhooks_replay": {"": _SEE, "stop": _MANAGE},
    "workspaces_apikey": {"": _OWN, "add": _OWN, "revoke": _OWN},
    "workspaces_auditentry": {"": _SEE},
    "workspaces_member": {"": _OWN, "add": _OWN, "change_role": _OWN, "invite": _OWN, "remove": _OWN},
    "workspaces_workspace": {"": _SEE, "close": _OWN, "reopen": None},
}
"""The least role for each page: to see it (``""``), and for its other addresses; nobody adds or deletes elsewhere.

``None`` is for superusers alone.
"""

CHANGED_BY: dict[str, Role] = {
    "dialer_campaign": _MANAGE,
    "dialer_contact": _ACT,
    "dialer_line": _MANAGE,
    "dialer_persona": _MANAGE,
    "dialer_retrypolicy": _MANAGE,
    "webhooks_endpoint": _MANAGE,
    "workspaces_workspace": _OWN,
}
"""The least role that saves the form of an existing row, where there is such a form."""

LIST_ACTIONS: dict[str, dict[str, Role]] = {
    "callbacks_callback": {f"{verb}_selected": _ACT for verb in _QUEUE if verb != "promise"},
    "dialer_call": {"handle_selected": _ACT, "reached_selected": _ACT},
    "dialer_contact": {"suppress_selected": _ACT},
    "dialer_suppression": {"lift_selected": _MANAGE},
    "webhooks_delivery": {"redeliver_selected": _MANAGE},
}
"""The least role for what may be done to the ticked rows of a list."""

NO_ROW = {"add", "changelist", "promise"}
"""Addresses of a page that name no row."""

OF_NO_PAGE = {
    **dict.fromkeys(("index", "search", "app_list", "jsi18n", "autocomplete", "view_on_site"), "whoever may sign in"),
    **dict.fromkeys(("login", "logout", "password_change", "password_change_done"), "one's own session and password"),
    "callbacks_campaign_preview": "who sees campaigns",
    "callbacks_policy_preview": "who sees policies",
    "callbacks_what_works": "who decides over policies",
    **dict.fromkeys(("code", "set_up", "two_factor"), "one's own second factor"),
    **dict.fromkeys(
        (
            *(f"sign_in_session_{name}" for name in ("add", "change", "changelist", "delete", "end", "end_others")),
            "sign_in_session_history",
        ),
        "one's own sessions; all of them for superusers",
    ),
    **dict.fromkeys(
        (f"sign_in_secondfactor_{name}" for name in ("add", "change", "changelist", "delete", "history", "reset")),
        "superusers",
    ),
    **dict.fromkeys(
        (f"auth_user_{name}" for name in ("add", "change", "changelist", "delete", "history", "password_change")),
        "superusers",
    ),
}
"""Addresses of the admin that belong to no page of a workspace's rows, and whom they are for."""

ELSEWHERE = {
    "": "leads to the admin",
    "api/docs/": "open to all: says what the API takes",
    "api/schema/": "open to all: says what the API takes",
    "carriers/<slug:carrier>/": "the carrier's signature",
    "carriers/<slug:carrier>/messages/": "the carrier's signature",
    "carriers/<slug:carrier>/<slug:line>/": "the signature of the line's account",
    "carriers/<slug:carrier>/<slug:line>/messages/": "the signature of the line's account",
    "demo/inbox.json": "local demo only",
    "demo/inbox/": "local demo only",
    "demo/inbox/<slug:name>/": "local demo only",
    "healthz": "open to all: says that it is alive",
    "invitation/<uidb64>/<token>/": "the token in the address",
    "metrics": "METRICS_TOKEN",
    "readyz": "open to all: says that it is ready",
    "reports/<name>/campaign_report.csv": "the signature in the address",
}
"""Routes outside API and admin, and what guards each."""

SCOPES: dict[str, tuple[str, ...]] = {
    "calls": (
        "POST callbacks/",
        "PATCH callbacks/{id}/",
        "POST callbacks/{id}/call-now/",
        "POST callbacks/{id}/cancel/",
        "POST callbacks/{id}/complete/",
        "POST callbacks/{id}/reschedule/",
        "POST callbacks/{id}/skip/",
        "POST callbacks/{id}/undo/",
        "POST callbacks/bulk/",
        "POST callbacks/bulk/{id}/stop/",
        "POST callbacks/preview/",
        "POST calls/",
        "POST calls/{id}/analysis/",
        "POST calls/{id}/call-back/",
        "POST calls/{id}/cancel/",
        "POST calls/{id}/mark-handled/",
        "POST calls/{id}/mark-reached/",
        "POST calls/{id}/recording/",
        "POST calls/{id}/request-callback/",
        "POST calls/{id}/request-dnc/",
        "POST calls/{id}/was-a-person/",
        "POST messages/",
    ),
    "contacts": (
        "POST contacts/",
        "PATCH contacts/{id}/",
        "DELETE contacts/{id}/",
        "POST contacts/import/",
        "POST suppressions/",
        "POST suppressions/import/",
    ),
    "webhooks": (
        "POST webhooks/",
        "PATCH webhooks/{id}/",
        "DELETE webhooks/{id}/",
        "POST webhooks/{id}/pause/",
        "POST webhooks/{id}/resume/",
        "POST webhooks/{id}/test/",
        "POST webhooks/{webhook}/replay/",
        "POST webhooks/deliveries/{id}/redeliver/",
        "POST webhooks/deliveries/{id}/replay-items/",
        "POST webhooks/replays/{id}/stop/",
    ),
    "write": (
        "POST campaigns/",
        "PATCH campaigns/{id}/",
        "POST campaigns/{id}/cancel/",
        "POST campaigns/{id}/contacts/",
        "POST campaigns/{id}/pause/",
        "POST campaigns/{id}/preview/",
        "POST campaigns/{id}/resume/",
        "POST campaigns/{id}/revoke-report-addresses/",
        "POST campaigns/{id}/start/",
        "POST personas/",
        "PATCH personas/{id}/",
        "DELETE personas/{id}/",
        "POST retry-policies/",
        "PATCH retry-policies/{id}/",
        "DELETE retry-policies/{id}/",
        "POST retry-policies/{id}/preview/",
    ),
    "admin": (
        "GET api-keys/",
        "GET api-keys/{id}/",
        "GET audit/",
        "POST api-keys/",
        "POST api-keys/{id}/revoke/",
        "POST lines/",
        "PATCH lines/{id}/",
        "DELETE lines/{id}/",
        "PATCH settings/",
        "DELETE suppressions/{id}/",
        "POST webhooks/{id}/promote-secret/",
        "POST webhooks/{id}/rotate-secret/",
    ),
}
"""The operations that need more than the scope ``read``, by the least scope that they need."""

REACHES: dict[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "calls": frozenset({"read", "calls"}),
    "contacts": frozenset({"read", "contacts"}),
    "webhooks": frozenset({"read", "webhooks"}),
    "write": frozenset({"read", "calls", "contacts", "webhooks", "write"}),
    "admin": frozenset({"read", "calls", "contacts", "webhooks", "write", "admin"}),
}
"""What each scope may do."""


def scope_of(operation: str) -> str:
    """Return the least scope of an operation such as ``POST calls/``; to read, it is ``read`` but for exceptions."""
    for scope, operations in SCOPES.items():
        if operation in operations:
            return scope
    assert operation.startswith("GET "), f"which scope does {operation} need?"
    return "read"


def names_of_the_admin() -> set[str]:
    """Return the names of all addresses below ``/admin/``."""
    return {name for route, name in _routes(get_resolver().url_patterns) if route.startswith("admin/") and name}


def routes_elsewhere() -> set[str]:
    """Return the routes outside API and admin."""
    ours = ("admin/", "api/v1/")
    return {route for route, _ in _routes(get_resolver().url_patterns) if not route.startswith(ours)}


def doors_of(page: str) -> set[str]:
    """Return the addresses of a page: ``{"changelist", "add", "cancel", …}``."""
    return {name.removeprefix(f"{page}_") for name in names_of_the_admin() if name.startswith(f"{page}_")}


def least_role(page: str, door: str) -> Role | None:
    """Return the least role that opens an address of a page; ``None`` where only superusers may, or nobody."""
    if door in ("changelist", "change", "history"):
        return PAGES[page][""]
    if door in ("add", "delete"):
        return PAGES[page].get(door)
    return PAGES[page][door]


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, str | None]]:
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, here)
        else:
            yield here, pattern.name
