"""For every page of the admin that changes something: what a person sends there, and the entry that it leaves."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from callbacks import actions
from callbacks.models import BulkAction, Callback
from dialer.models import Call
from dialer.sign_in.models import SecondFactor, Session
from dialer.workspaces import api_keys, members
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Member, Workspace
from dialer.workspaces.roles import Role
from tests.admin.people import CONFIRMED
from tests.api.queue_rows import make_callback, open_campaign, soon
from tests.audit.api_stories import failed_batch, running_replay
from tests.dialer.sign_in.people import make_session
from tests.factories import (
    a_phone,
    make_call,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_policy,
    make_suppression,
)
from tests.webhooks.rows import NOW, make_delivery, make_endpoint
from webhooks.models import Delivery

ONLY_LOOKS = {
    "search": "finds pages",
    "index": "the overview",
    "callbacks_what_works": "shows figures",
    "login": "begins a session; tests/security says what it leaves",
    "code": "the same; tests/dialer/sign_in says what the second factor leaves",
    "set_up": "the same",
    "two_factor": "the same",
    "logout": "ends a session; tests/security says what it leaves",
    "password_change": "one's own password; tests/security says what it leaves",
    "password_change_done": "says that it was changed",
    "autocomplete": "offers rows",
    "jsi18n": "words for scripts",
    "view_on_site": "leads elsewhere",
    "app_list": "lists pages",
    "callbacks_campaign_preview": "imagines what would happen",
    "callbacks_policy_preview": "the same, of a policy",
    "dialer_campaign_audience": "says who would hear",
    "dialer_campaign_report": "a file to be read; test_reading says what it leaves",
    "dialer_campaign_upload": "leads to the page of a new import",
    "dialer_import_bad_rows": "the same",
    # Its page has a form without fields: what was uploaded stays as it is.
    "dialer_import_change": "shows how far an import is",
}
"""Pages that change nothing of a workspace, each with what it is for."""

LOGGED_BY_DJANGO = {
    "auth_user_add",
    "auth_user_change",
    "auth_user_delete",
    "auth_user_password_change",
    "auth_user:delete_selected",
}
"""Users belong to no workspace, and the audit does: what is done to them stands in Django's own log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a person sends: where to, what, and what of it the entry names (``*``: what the page makes)."""

    url: str
    form: dict[str, Any] = field(default_factory=dict)
    about: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A page that changes something; its entry says ``verb`` and ``kind`` of object."""

    door: str
    verb: str
    kind: str
    sends: Callable[[Workspace, Client], Sent]
    in_parts: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.verb}:{self.door}"


_Makes = Callable[[Workspace], Any]


def _id(row: Any) -> str:
    if isinstance(row, Session | SecondFactor):
        return str(row.user_id)
    return str(row.pk) if isinstance(row, Callback | Member) else str(row.public_id)


def pressed(door: str, verb: str, kind: str, makes: _Makes, **form: Any) -> Story:
    """Tell of a button on a row."""

    def sends(workspace: Workspace, browser: Client) -> Sent:
        row = makes(workspace)
        return Sent(url=reverse(f"admin:{door}", args=[row.pk]), form={**CONFIRMED, **form}, about=_id(row))

    return Story(door=door, verb=verb, kind=kind, sends=sends)


def ticked(door: str, verb: str, kind: str, makes: _Makes, *, query: str = "", **form: Any) -> Story:
    """Tell of an action on rows of a list."""
    page, _, action = door.partition(":")

    def sends(workspace: Workspace, browser: Client) -> Sent:
        row = makes(workspace)
        chosen = {"action": action, ACTION_CHECKBOX_NAME: [str(row.pk)]}
        url = reverse(f"admin:{page}_changelist") + query
        return Sent(url=url, form={**chosen, **CONFIRMED, **form}, about=_id(row))

    return Story(door=door, verb=verb, kind=kind, sends=sends)


def added(
    door: str, kind: str, form: Callable[[Workspace], dict[str, Any]], verb: str = "create", **more: Any
) -> Story:
    """Tell of a form for a new row."""

    def sends(workspace: Workspace, browser: Client) -> Sent:
        return Sent(url=reverse(f"admin:{door}"), form={"workspace": str(workspace.pk), **form(workspace)})

    return Story(door=door, verb=verb, kind=kind, sends=sends, **more)


def edited(door: str, kind: str, makes: _Makes, **changes: Any) -> Story:
    """Tell of a form that is sent as it was shown, but for some fields."""

    def sends(workspace: Workspace, browser: Client) -> Sent:
        row = makes(workspace)
        url = reverse(f"admin:{door}", args=[row.pk])
        form = browser.get(url).context["adminform"].form
        shown = {name: value for name in form.fields if (value := form[name].value()) is not None}
        shown = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in shown.items()}
        return Sent(url=url, form={**shown, **changes}, about=_id(row))

    return Story(door=door, verb="edit", kind=kind, sends=sends)


def _callback(workspace: Workspace) -> Callback:
    return make_callback(open_campaign(workspace), at=soon(hours=5))


def _cancelled(workspace: Workspace) -> Callback:
    callback = _callback(workspace)
    actions.cancel(callback.pk, workspace_id=workspace.pk, actor=SYSTEM, now=soon())
    return callback


def _promise(workspace: Workspace, browser: Client) -> Sent:
    form = {
        "who": make_contact(workspace).public_id,
        "campaign": str(open_campaign(workspace).pk),
        "type": "manual",
        "when": f"{soon(hours=30):%Y-%m-%dT%H:%M}",
        "clock": "theirs",
    }
    return Sent(url=reverse("admin:callbacks_callback_promise"), form={**CONFIRMED, **form})


def _everything(workspace: Workspace, browser: Client) -> Sent:
    chosen = {"action": "cancel_selected", ACTION_CHECKBOX_NAME: [str(_callback(workspace).pk)], "_all_matching": "1"}
    url = f"{reverse('admin:callbacks_callback_changelist')}?queue=all_pending"
    return Sent(url=url, form={**chosen, **CONFIRMED})


def _call(**fields: Any) -> Callable[[Workspace], Call]:
    def made(workspace: Workspace) -> Call:
        return make_call(campaign_contact=make_campaign_contact(open_campaign(workspace), state="calling"), **fields)

    return made


_unknown = _call(status="ended", outcome="unknown")


def _campaign(**fields: Any) -> _Makes:
    def made(workspace: Workspace) -> Any:
        campaign = open_campaign(workspace, **fields)
        is_draft = campaign.status == "draft"
        make_campaign_contact(campaign, due_at=None) if is_draft else make_campaign_contact(campaign)
        return campaign

    return made


def _closed(workspace: Workspace) -> Workspace:
    Workspace.objects.filter(pk=workspace.pk).update(closed_at=database_now())
    return workspace


def _key(workspace: Workspace) -> Any:
    return api_keys.issue(workspace_id=workspace.pk, name="CRM", scope="read", actor=SYSTEM, now=database_now())[0]


def _member(workspace: Workspace) -> Any:
    return members.add(workspace.pk, user_name="max", role=Role.VIEWER, actor=SYSTEM, now=database_now())


def _session_of_somebody(_: Workspace) -> Session:
    return make_session(User.objects.create(username="max"))


def _other_sessions(_: Workspace, browser: Client) -> Sent:
    olga = User.objects.get()
    make_session(olga)
    return Sent(url=reverse("admin:sign_in_session_end_others"), form=dict(CONFIRMED), about=str(olga.pk))


def _second_factor(_: Workspace) -> SecondFactor:
    user = User.objects.create(username="max")
    return SecondFactor.objects.create(user=user, secret="JBSWY3DP", last_step=0, created_at=NOW)  # noqa: S106


def _endpoint(**fields: Any) -> _Makes:
    return lambda workspace: make_endpoint(workspace, url="https://9.9.9.9/hook", **fields)


def _settled(workspace: Workspace) -> Delivery:
    delivery = make_delivery(make_endpoint(workspace))
    Delivery.objects.filter(pk=delivery.pk).update(status="delivered", settled_at=NOW)
    return delivery


def _missed(workspace: Workspace) -> Any:
    return _settled(workspace).endpoint


def _stopped_replay(workspace: Workspace, browser: Client) -> Sent:
    replay = running_replay(workspace)
    url = reverse("admin:webhooks_replay_stop", args=[replay.pk])
    return Sent(url=url, form=dict(CONFIRMED), about=replay.endpoint.public_id)


def _suppress(door: str) -> Story:
    """Tell of a contact's number that is suppressed: the entry is of the suppression."""
    makes: Callable[..., Story] = ticked if ":" in door else pressed
    told = makes(door, "suppress", "suppression", make_contact)

    def sends(workspace: Workspace, browser: Client) -> Sent:
        sent = told.sends(workspace, browser)
        return Sent(url=sent.url, form=sent.form)

    return Story(door=door, verb="suppress", kind="suppression", sends=sends)


def _campaign_form(workspace: Workspace) -> dict[str, Any]:
    given = {"name": "Spring", "persona": str(make_persona(workspace).pk), "line": str(make_line(workspace).pk)}
    return {**given, "priority": "0", "metadata": "{}", "contact_limits": "", "config_webhooks": ""}


def _line_form(_: Workspace) -> dict[str, Any]:
    lasts = {"ring_timeout_seconds": "30", "max_duration_seconds": "3600"}
    return {"name": "Main", "carrier": next(iter(settings.CARRIERS)), "numbers": "", "new_credentials": "", **lasts}


def _endpoint_form(_: Workspace) -> dict[str, Any]:
    return {
        "name": "CRM",
        "url": "https://9.9.9.9/hook",
        "events": ["call.ended"],
        "profile": "envelope",
        "batch_size": "100",
        "batch_wait_seconds": "5",
        "scope_type": "workspace",
        "signing_method": "hmac_sha256",
        "timeout_seconds": "5",
        "max_retries": "3",
        "backoff_ms": "500",
        "max_in_flight": "8",
        "headers": "{}",
    }


def _file(_: Workspace) -> dict[str, Any]:
    return {"campaign": "", "file": SimpleUploadedFile("people.csv", b"name,phone\nAnna,+4930123456\n")}


_WORKSPACE = {
    "name": "Globex",
    "time_zone": "Europe/Vienna",
    "stale_after_hours": "24",
    "contact_limits": "[]",
    "keep_deliveries_days": "30",
}
_QUEUE = "?queue=all_pending"
_HISTORY = "?queue=history"


def _rescheduled(door: str) -> Story:
    makes: Callable[..., Story] = ticked if ":" in door else pressed
    extra = {"query": _QUEUE} if ":" in door else {}
    told = makes(door, "reschedule", "callback", _callback, **extra)

    def sends(workspace: Workspace, browser: Client) -> Sent:
        sent = told.sends(workspace, browser)
        when = {"when": f"{soon(hours=30):%Y-%m-%dT%H:%M}", "clock": "theirs"}
        return Sent(url=sent.url, form={**sent.form, **when}, about=sent.about)

    return Story(door=door, verb="reschedule", kind="callback", sends=sends)


STORIES = [
    Story(door="callbacks_callback_promise", verb="schedule", kind="callback", sends=_promise),
    Story(door="callbacks_callback:cancel_selected", verb="bulk_cancel", kind="bulk_action", sends=_everything),
    pressed("callbacks_callback_call_now", "call_now", "callback", _callback),
    pressed("callbacks_callback_skip", "skip", "callback", _callback),
    pressed("callbacks_callback_cancel", "cancel", "callback", _callback),
    pressed("callbacks_callback_complete", "complete", "callback", _callback),
    pressed("callbacks_callback_edit", "edit", "callback", _callback, notes="Ask for Max"),
    pressed("callbacks_callback_undo", "undo", "callback", _cancelled),
    _rescheduled("callbacks_callback_reschedule"),
    _rescheduled("callbacks_callback:reschedule_selected"),
    ticked("callbacks_callback:call_now_selected", "call_now", "callback", _callback, query=_QUEUE),
    ticked("callbacks_callback:skip_selected", "skip", "callback", _callback, query=_QUEUE),
    ticked("callbacks_callback:cancel_selected", "cancel", "callback", _callback, query=_QUEUE),
    ticked("callbacks_callback:complete_selected", "complete", "callback", _callback, query=_QUEUE),
    ticked("callbacks_callback:edit_selected", "edit", "callback", _callback, query=_QUEUE, notes="Ask for Max"),
    ticked("callbacks_callback:undo_selected", "undo", "callback", _cancelled, query=_HISTORY),
    pressed(
        "callbacks_bulkaction_stop",
        "stop_bulk",
        "bulk_action",
        lambda workspace: BulkAction.objects.create(workspace=workspace, action="cancel", actor_kind="user"),
    ),
    pressed("dialer_call_call_back", "call_back", "call", _unknown),
    pressed("dialer_call_mark_reached", "mark_reached", "call", _unknown),
    pressed("dialer_call_mark_handled", "mark_handled", "call", _unknown),
    pressed("dialer_call_was_a_person", "was_a_person", "call", _call(status="ended", outcome="voicemail")),
    pressed("dialer_call_cancel", "cancel", "call", _call()),
    ticked("dialer_call:reached_selected", "mark_reached", "call", _unknown),
    ticked("dialer_call:handle_selected", "mark_handled", "call", _unknown),
    added("dialer_campaign_add", "campaign", _campaign_form),
    edited("dialer_campaign_change", "campaign", _campaign(), name="Autumn"),
    pressed("dialer_campaign_start", "start", "campaign", _campaign(status="draft")),
    pressed("dialer_campaign_pause", "pause", "campaign", _campaign()),
    pressed("dialer_campaign_resume", "resume", "campaign", _campaign(status="paused"), overdue="call"),
    pressed("dialer_campaign_cancel", "cancel", "campaign", _campaign()),
    pressed("dialer_campaign_revoke_report_addresses", "revoke_report_addresses", "campaign", _campaign()),
    added("dialer_contact_add", "contact", lambda _: {"name": "Anna", "phone": a_phone(), "metadata": "{}"}),
    edited("dialer_contact_change", "contact", make_contact, name="Max"),
    pressed("dialer_contact_forget", "delete", "contact", make_contact),
    _suppress("dialer_contact_suppress"),
    _suppress("dialer_contact:suppress_selected"),
    added(
        "dialer_suppression_add",
        "suppression",
        lambda _: {"phones": a_phone(), "source": "a letter"},
        verb="suppress",
    ),
    pressed("dialer_suppression_lift", "lift", "suppression", lambda mine: make_suppression(mine, a_phone())),
    ticked("dialer_suppression:lift_selected", "lift", "suppression", lambda mine: make_suppression(mine, a_phone())),
    added("dialer_import_add", "import", _file, verb="upload"),
    added("dialer_persona_add", "persona", lambda _: {"name": "Maria"}),
    edited("dialer_persona_change", "persona", make_persona, name="Maria"),
    pressed("dialer_persona_archive", "archive", "persona", make_persona),
    added("dialer_line_add", "line", _line_form),
    edited("dialer_line_change", "line", make_line, name="Main"),
    pressed("dialer_line_archive", "archive", "line", make_line),
    added("dialer_retrypolicy_add", "retrypolicy", lambda _: {"name": "Gentle", "busy_delays": "10", "busy_limit": 2}),
    edited("dialer_retrypolicy_change", "retrypolicy", make_policy, name="Gentle"),
    pressed("dialer_retrypolicy_archive", "archive", "retrypolicy", make_policy),
    added("workspaces_apikey_add", "api_key", lambda _: {"name": "CRM", "scope": "write"}, verb="issue"),
    pressed("workspaces_apikey_revoke", "revoke", "api_key", _key),
    added("workspaces_member_add", "member", lambda _: {"user_name": "maria", "role": "operator"}, verb="add"),
    pressed("workspaces_member_change_role", "change_role", "member", _member, role="manager"),
    pressed("workspaces_member_invite", "invite", "member", _member),
    pressed("workspaces_member_remove", "remove", "member", _member),
    pressed("sign_in_session_end", "end_session", "user", _session_of_somebody),
    ticked("sign_in_session:end_selected", "end_session", "user", _session_of_somebody),
    Story(door="sign_in_session_end_others", verb="end_other_sessions", kind="user", sends=_other_sessions),
    pressed("sign_in_secondfactor_reset", "reset_second_factor", "user", _second_factor),
    added("workspaces_workspace_add", "workspace", lambda _: dict(_WORKSPACE), verb="open"),
    edited("workspaces_workspace_change", "workspace", lambda mine: mine, **_WORKSPACE),
    pressed("workspaces_workspace_close", "close", "workspace", lambda mine: mine, name="Acme"),
    pressed("workspaces_workspace_reopen", "reopen", "workspace", _closed),
    added("webhooks_endpoint_add", "endpoint", _endpoint_form),
    edited("webhooks_endpoint_change", "endpoint", _endpoint(), name="ERP"),
    Story(
        door="webhooks_endpoint_delete",
        verb="delete",
        kind="endpoint",
        sends=lambda workspace, _: Sent(
            url=reverse("admin:webhooks_endpoint_delete", args=[make_endpoint(workspace).pk]), form={"post": "yes"}
        ),
    ),
    pressed("webhooks_endpoint_send_test", "test", "endpoint", _endpoint(), event="call.ended"),
    pressed(
        "webhooks_endpoint_replay",
        "replay",
        "endpoint",
        _missed,
        since=f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M}",
        statuses=["delivered"],
    ),
    pressed("webhooks_endpoint_pause", "pause", "endpoint", _endpoint()),
    pressed("webhooks_endpoint_resume", "resume", "endpoint", _endpoint(paused_at=NOW)),
    pressed("webhooks_endpoint_switch_on", "activate", "endpoint", _endpoint(is_active=False)),
    pressed("webhooks_endpoint_switch_off", "deactivate", "endpoint", _endpoint()),
    pressed("webhooks_endpoint_rotate_secret", "rotate_secret", "endpoint", _endpoint()),
    pressed(
        "webhooks_endpoint_promote_secret",
        "promote_secret",
        "endpoint",
        _endpoint(next_secret="the next one", rotated_at=NOW),  # noqa: S106
    ),
    pressed("webhooks_delivery_redeliver", "redeliver", "delivery", _settled),
    ticked("webhooks_delivery:redeliver_selected", "redeliver", "delivery", _settled),
    pressed("webhooks_delivery_replay_items", "replay_items", "delivery", failed_batch),
    Story(door="webhooks_replay_stop", verb="stop_replay", kind="endpoint", sends=_stopped_replay),
]
