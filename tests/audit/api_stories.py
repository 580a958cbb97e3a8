"""For every operation of the API that changes something: a request that is in order, and the entry that it leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from callbacks import actions
from callbacks.models import BulkAction, Callback
from dialer.models import Call
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Workspace
from tests.api.queue_rows import live_call, make_callback, open_campaign, soon
from tests.factories import (
    ROUND_THE_CLOCK,
    a_phone,
    make_call,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_policy,
    make_suppression,
)
from tests.webhooks.rows import NOW, make_delivery, make_endpoint, new_event, record
from webhooks import batches
from webhooks.models import Delivery, Endpoint, Replay
from webhooks.outbox import NewItem
from webhooks.rules.statuses import BatchType

ONLY_LOOKS = {
    "POST callbacks/preview/": "imagines what would happen",
    "POST campaigns/{id}/preview/": "the same, of a campaign",
    "POST retry-policies/{id}/preview/": "the same, of a policy",
}
"""Operations that are no ``GET`` and change nothing, each with what it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is sent, and to which row.

    The entry names ``about``, else the row ``named`` in the path, else the one that the answer shows; ``*``: any.
    """

    named: str = ""
    body: Any = None
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A request that changes something; its entry says ``verb`` and ``kind`` of object."""

    operation: str
    verb: str
    kind: str
    asks: Callable[[Workspace], Asked]
    says_why: bool = False
    """Whether a reason is taken that the schema cannot show: OpenAPI knows no bodies of ``DELETE``."""
    in_parts: frozenset[str] = frozenset()
    """Tables that keep what arrived before the entry could be written: nothing reads it without the entry."""

    def __str__(self) -> str:
        return f"{self.verb}:{self.operation.replace(' ', ':')}"


def _on_key(workspace: Workspace) -> Asked:
    key, _ = api_keys.issue(workspace_id=workspace.pk, name="CRM", scope="read", actor=SYSTEM, now=soon())
    return Asked(named=key.public_id)


def _callback(workspace: Workspace) -> Callback:
    return make_callback(open_campaign(workspace), at=soon(hours=5))


def _on_callback(body: Any = None) -> Callable[[Workspace], Asked]:
    return lambda workspace: Asked(named=str(_callback(workspace).pk), body=body)


def _cancelled_callback(workspace: Workspace) -> Asked:
    callback = _callback(workspace)
    actions.cancel(callback.pk, workspace_id=workspace.pk, actor=SYSTEM, now=soon())
    return Asked(named=str(callback.pk))


def _bulk_by_filter(workspace: Workspace) -> Asked:
    _callback(workspace)
    return Asked(body={"action": "cancel", "filter": {"queue": "all_pending"}})


def _bulk_by_ids(workspace: Workspace) -> Asked:
    callback = _callback(workspace)
    return Asked(body={"action": "cancel", "ids": [callback.pk]}, about=str(callback.pk))


def _promise(workspace: Workspace) -> Asked:
    contact, campaign = make_contact(workspace), open_campaign(workspace)
    named = {"contact_id": contact.public_id, "campaign_id": campaign.public_id}
    return Asked(body={**named, "scheduled_at": soon(hours=3).isoformat()})


def _call(workspace: Workspace, **fields: Any) -> Call:
    member = make_campaign_contact(open_campaign(workspace), state="calling")
    return make_call(campaign_contact=member, **fields)


def _on_call(body: Any = None, **fields: Any) -> Callable[[Workspace], Asked]:
    return lambda workspace: Asked(named=_call(workspace, **fields).public_id, body=body)


def _new_call(workspace: Workspace) -> Asked:
    make_persona(workspace)
    make_line(workspace, is_default=True)
    return Asked(body={"contact_id": make_contact(workspace).public_id, "call": ROUND_THE_CLOCK})


def _wish_to_be_called(workspace: Workspace) -> Asked:
    call = live_call(open_campaign(workspace))
    return Asked(named=call.public_id, body={"scheduled_at": soon(hours=3).isoformat()})


def _new_campaign(workspace: Workspace) -> Asked:
    persona, line = make_persona(workspace), make_line(workspace)
    return Asked(body={"name": "Spring", "persona_id": persona.public_id, "line_id": line.public_id})


def _new_campaign_that_starts(workspace: Workspace) -> Asked:
    asked = _new_campaign(workspace)
    contacts = [make_contact(workspace).public_id]
    return Asked(body={**asked.body, "contact_ids": contacts, "auto_start": True})


def _on_campaign(body: Any = None, **fields: Any) -> Callable[[Workspace], Asked]:
    return lambda workspace: Asked(named=open_campaign(workspace, **fields).public_id, body=body)


def _draft_with_a_contact(workspace: Workspace) -> Asked:
    campaign = open_campaign(workspace, status="draft")
    make_campaign_contact(campaign, due_at=None)
    return Asked(named=campaign.public_id)


def _paused_with_a_contact(workspace: Workspace) -> Asked:
    campaign = open_campaign(workspace, status="paused")
    make_campaign_contact(campaign)
    return Asked(named=campaign.public_id)


def _known_contact(workspace: Workspace) -> Asked:
    contact = make_contact(workspace, external_id="17")
    return Asked(body={"external_id": "17", "name": "Erika Muster", "phone": contact.phone})


def _message(workspace: Workspace) -> Asked:
    make_line(workspace, is_default=True)
    return Asked(body={"contact_id": make_contact(workspace).public_id, "body": "We will call at five."})


def _on_endpoint(body: Any = None, **fields: Any) -> Callable[[Workspace], Asked]:
    return lambda workspace: Asked(named=make_endpoint(workspace, **fields).public_id, body=body)


def _settled_delivery(workspace: Workspace) -> Asked:
    delivery = make_delivery(make_endpoint(workspace))
    Delivery.objects.filter(pk=delivery.pk).update(status="delivered", settled_at=NOW)
    return Asked(named=delivery.public_id)


def failed_batch(workspace: Workspace) -> Delivery:
    """Make a delivery of two items that was given up."""
    endpoint = make_endpoint(workspace, profile="batch", batch_wait_seconds=0)
    items = [NewItem(type=BatchType.SMS_SENT, render=lambda _, n=n: {"message": n}) for n in range(2)]  # type: ignore[misc]
    record(*(new_event(workspace, type="message.sent", batch=item) for item in items))
    batches.freeze_due(now=NOW)
    batch: Delivery = Delivery.objects.get(endpoint=endpoint)
    Delivery.objects.filter(pk=batch.pk).update(status="failed", settled_at=NOW)
    return batch


def _missed_deliveries(workspace: Workspace) -> Asked:
    _settled_delivery(workspace)
    endpoint: Endpoint = Endpoint.objects.get(workspace=workspace)
    body = {"since": (NOW - timedelta(days=1)).isoformat(), "statuses": ["delivered"]}
    return Asked(named=endpoint.public_id, body=body)


def running_replay(workspace: Workspace) -> Replay:
    row: Replay = Replay.objects.create(
        workspace=workspace,
        endpoint=make_endpoint(workspace),
        since=soon(hours=-1),
        until=soon(),
        statuses=["failed"],
        actor_kind="key",
    )
    return row


def _replay_to_stop(workspace: Workspace) -> Asked:
    replay = running_replay(workspace)
    return Asked(named=replay.public_id, about=replay.endpoint.public_id)


def _job_to_stop(workspace: Workspace) -> Asked:
    job = BulkAction.objects.create(workspace=workspace, action="cancel", actor_kind="key")
    return Asked(named=job.public_id)


def _suppressed(workspace: Workspace) -> Asked:
    return Asked(named=make_suppression(workspace, a_phone()).public_id)


def _many_numbers(workspace: Workspace) -> Asked:
    return Asked(body={"phones": [a_phone(), a_phone()]}, about="*")


_UPLOAD = frozenset({"dialer_import", "dialer_importpart"})
_CSV = b"phone,name\n+4930901820,Erika Muster\n"
_UNKNOWN: dict[str, Any] = {"status": "ended", "outcome": "unknown"}
_TALKED: dict[str, Any] = {"status": "ended", "outcome": "answered"}

STORIES = [
    Story(
        operation="POST api-keys/",
        verb="issue",
        kind="api_key",
        asks=lambda _: Asked(body={"name": "CRM", "scope": "calls"}),
    ),
    Story(operation="POST api-keys/{id}/revoke/", verb="revoke", kind="api_key", asks=_on_key),
    Story(operation="POST callbacks/", verb="schedule", kind="callback", asks=_promise),
    Story(operation="PATCH callbacks/{id}/", verb="edit", kind="callback", asks=_on_callback({"notes": "Ask for Max"})),
    Story(operation="POST callbacks/{id}/call-now/", verb="call_now", kind="callback", asks=_on_callback()),
    Story(operation="POST callbacks/{id}/cancel/", verb="cancel", kind="callback", asks=_on_callback()),
    Story(operation="POST callbacks/{id}/complete/", verb="complete", kind="callback", asks=_on_callback()),
    Story(
        operation="POST callbacks/{id}/reschedule/",
        verb="reschedule",
        kind="callback",
        asks=lambda workspace: Asked(
            named=str(_callback(workspace).pk), body={"scheduled_at": soon(hours=3).isoformat()}
        ),
    ),
    Story(operation="POST callbacks/{id}/skip/", verb="skip", kind="callback", asks=_on_callback()),
    Story(operation="POST callbacks/{id}/undo/", verb="undo", kind="callback", asks=_cancelled_callback),
    Story(operation="POST callbacks/bulk/", verb="bulk_cancel", kind="bulk_action", asks=_bulk_by_filter),
    Story(operation="POST callbacks/bulk/", verb="cancel", kind="callback", asks=_bulk_by_ids),
    Story(operation="POST callbacks/bulk/{id}/stop/", verb="stop_bulk", kind="bulk_action", asks=_job_to_stop),
    Story(operation="POST calls/", verb="create", kind="call", asks=_new_call),
    Story(
        operation="POST calls/{id}/analysis/",
        verb="analyze",
        kind="call",
        asks=_on_call({"summary": "They want to buy"}, **_TALKED),
    ),
    Story(operation="POST calls/{id}/call-back/", verb="call_back", kind="call", asks=_on_call(**_UNKNOWN)),
    Story(operation="POST calls/{id}/cancel/", verb="cancel", kind="call", asks=_on_call()),
    Story(operation="POST calls/{id}/mark-handled/", verb="mark_handled", kind="call", asks=_on_call(**_UNKNOWN)),
    Story(operation="POST calls/{id}/mark-reached/", verb="mark_reached", kind="call", asks=_on_call(**_UNKNOWN)),
    Story(
        operation="POST calls/{id}/recording/",
        verb="add_recording",
        kind="call",
        asks=_on_call({"transcript": "Hello"}, **_TALKED),
    ),
    Story(operation="POST calls/{id}/request-callback/", verb="schedule", kind="callback", asks=_wish_to_be_called),
    Story(operation="POST calls/{id}/request-dnc/", verb="request_dnc", kind="call", asks=_on_call(**_TALKED)),
    Story(
        operation="POST calls/{id}/was-a-person/",
        verb="was_a_person",
        kind="call",
        asks=_on_call(status="ended", outcome="voicemail"),
    ),
    Story(operation="POST campaigns/", verb="create", kind="campaign", asks=_new_campaign),
    Story(operation="POST campaigns/", verb="start", kind="campaign", asks=_new_campaign_that_starts),
    Story(operation="PATCH campaigns/{id}/", verb="edit", kind="campaign", asks=_on_campaign({"name": "Autumn"})),
    Story(operation="POST campaigns/{id}/cancel/", verb="cancel", kind="campaign", asks=_on_campaign()),
    Story(
        operation="POST campaigns/{id}/contacts/",
        verb="add_contacts",
        kind="campaign",
        asks=_on_campaign({"contacts": [{"phone": "+4930901820"}]}),
    ),
    Story(
        operation="POST campaigns/{id}/contacts/",
        verb="upload",
        kind="import",
        asks=lambda workspace: Asked(named=open_campaign(workspace).public_id, body=_CSV, about="*"),
        in_parts=_UPLOAD,
    ),
    Story(operation="POST campaigns/{id}/pause/", verb="pause", kind="campaign", asks=_on_campaign()),
    Story(operation="POST campaigns/{id}/resume/", verb="resume", kind="campaign", asks=_paused_with_a_contact),
    Story(
        operation="POST campaigns/{id}/revoke-report-addresses/",
        verb="revoke_report_addresses",
        kind="campaign",
        asks=_on_campaign(),
    ),
    Story(operation="POST campaigns/{id}/start/", verb="start", kind="campaign", asks=_draft_with_a_contact),
    Story(
        operation="POST contacts/",
        verb="create",
        kind="contact",
        asks=lambda _: Asked(body={"name": "Erika Muster", "phone": a_phone()}),
    ),
    Story(operation="POST contacts/", verb="edit", kind="contact", asks=_known_contact),
    Story(
        operation="PATCH contacts/{id}/",
        verb="edit",
        kind="contact",
        asks=lambda workspace: Asked(named=make_contact(workspace).public_id, body={"name": "Max"}),
    ),
    Story(
        operation="DELETE contacts/{id}/",
        verb="delete",
        kind="contact",
        asks=lambda workspace: Asked(named=make_contact(workspace).public_id),
        says_why=True,
    ),
    Story(
        operation="POST contacts/import/",
        verb="upload",
        kind="import",
        asks=lambda _: Asked(body=_CSV),
        in_parts=_UPLOAD,
    ),
    Story(operation="POST lines/", verb="create", kind="line", asks=lambda _: Asked(body={"name": "Main"})),
    Story(
        operation="PATCH lines/{id}/",
        verb="edit",
        kind="line",
        asks=lambda workspace: Asked(named=make_line(workspace).public_id, body={"ring_timeout_seconds": 20}),
    ),
    Story(
        operation="DELETE lines/{id}/",
        verb="archive",
        kind="line",
        asks=lambda workspace: Asked(named=make_line(workspace).public_id),
    ),
    Story(operation="POST messages/", verb="send", kind="message", asks=_message),
    Story(operation="POST personas/", verb="create", kind="persona", asks=lambda _: Asked(body={"name": "Maria"})),
    Story(
        operation="PATCH personas/{id}/",
        verb="edit",
        kind="persona",
        asks=lambda workspace: Asked(named=make_persona(workspace).public_id, body={"name": "Maria"}),
    ),
    Story(
        operation="DELETE personas/{id}/",
        verb="archive",
        kind="persona",
        asks=lambda workspace: Asked(named=make_persona(workspace).public_id),
    ),
    Story(
        operation="POST retry-policies/",
        verb="create",
        kind="retrypolicy",
        asks=lambda _: Asked(body={"name": "Gentle", "rules": {"busy": {"delays": [10], "limit": 2}}}),
    ),
    Story(
        operation="PATCH retry-policies/{id}/",
        verb="edit",
        kind="retrypolicy",
        asks=lambda workspace: Asked(named=make_policy(workspace).public_id, body={"name": "Gentle"}),
    ),
    Story(
        operation="DELETE retry-policies/{id}/",
        verb="archive",
        kind="retrypolicy",
        asks=lambda workspace: Asked(named=make_policy(workspace).public_id),
    ),
    Story(
        operation="PATCH settings/",
        verb="edit",
        kind="workspace",
        asks=lambda workspace: Asked(body={"name": "Globex"}, about=workspace.public_id),
    ),
    Story(
        operation="POST suppressions/",
        verb="suppress",
        kind="suppression",
        asks=lambda _: Asked(body={"phone": a_phone()}),
    ),
    Story(operation="POST suppressions/import/", verb="suppress", kind="suppression", asks=_many_numbers),
    Story(operation="DELETE suppressions/{id}/", verb="lift", kind="suppression", asks=_suppressed, says_why=True),
    Story(
        operation="POST webhooks/",
        verb="create",
        kind="endpoint",
        asks=lambda _: Asked(body={"name": "CRM", "url": "https://9.9.9.9/hook", "events": ["*"]}),
    ),
    Story(operation="PATCH webhooks/{id}/", verb="edit", kind="endpoint", asks=_on_endpoint({"name": "ERP"})),
    Story(
        operation="PATCH webhooks/{id}/", verb="deactivate", kind="endpoint", asks=_on_endpoint({"is_active": False})
    ),
    Story(
        operation="PATCH webhooks/{id}/",
        verb="activate",
        kind="endpoint",
        asks=_on_endpoint({"is_active": True}, is_active=False),
    ),
    Story(operation="DELETE webhooks/{id}/", verb="delete", kind="endpoint", asks=_on_endpoint()),
    Story(operation="POST webhooks/{id}/pause/", verb="pause", kind="endpoint", asks=_on_endpoint()),
    Story(
        operation="POST webhooks/{id}/promote-secret/",
        verb="promote_secret",
        kind="endpoint",
        asks=_on_endpoint(next_secret="the next one", rotated_at=NOW),  # noqa: S106
    ),
    Story(operation="POST webhooks/{id}/resume/", verb="resume", kind="endpoint", asks=_on_endpoint(paused_at=NOW)),
    Story(operation="POST webhooks/{id}/rotate-secret/", verb="rotate_secret", kind="endpoint", asks=_on_endpoint()),
    Story(operation="POST webhooks/{id}/test/", verb="test", kind="endpoint", asks=_on_endpoint()),
    Story(operation="POST webhooks/{webhook}/replay/", verb="replay", kind="endpoint", asks=_missed_deliveries),
    Story(
        operation="POST webhooks/deliveries/{id}/redeliver/", verb="redeliver", kind="delivery", asks=_settled_delivery
    ),
    Story(
        operation="POST webhooks/deliveries/{id}/replay-items/",
        verb="replay_items",
        kind="delivery",
        asks=lambda workspace: Asked(named=failed_batch(workspace).public_id),
    ),
    Story(operation="POST webhooks/replays/{id}/stop/", verb="stop_replay", kind="endpoint", asks=_replay_to_stop),
]
