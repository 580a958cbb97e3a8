"""Calls outside campaigns: one contact, called at a given time or as soon as permitted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction

from dialer.calls import call_states, context
from dialer.calls.call_states import QueuedCall
from dialer.calls.hashed_numbers import is_suppressed
from dialer.calls.inline_webhooks import inline_webhooks
from dialer.contacts import contacts
from dialer.models import Call, Contact, Line, Persona
from dialer.rules import schedule_settings
from dialer.rules.contact_limits import limits_from
from dialer.rules.openings import Possible, next_possible
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.statuses import Rank
from dialer.setup.lines import default_line
from dialer.setup.personas import default_persona
from dialer.workspaces import values
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.models import Workspace
from dialer.workspaces.values import Unfit
from webhooks import hidden_endpoints

FURTHEST_AHEAD = timedelta(days=30)
PAST_GRACE = timedelta(seconds=60)
"""A requested time up to this long ago counts as now."""


class InvalidCall(InvalidSettings):
    """The fields do not make a valid call; ``errors`` names every field at fault."""


class NumberSuppressed(Exception):
    """The contact's number is suppressed."""


class CallFields(TypedDict, total=False):
    """The fields of a call. ``schedule`` takes either spelling and applies to the call and its retries."""

    persona_id: UUID | None
    line_id: UUID | None
    schedule: Mapping[str, object]
    scheduled_at: datetime | None
    config_webhooks: object
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A queued call, with every shift of its time and the reason."""

    call: Call
    adjusted_from: datetime | None
    adjusted_reason: str


def create(
    workspace_id: UUID,
    *,
    contact_id: UUID | None = None,
    contact: Mapping[str, str] | None = None,
    actor: Actor,
    now: datetime,
    **fields: Unpack[CallFields],
) -> Created:
    """Queue a call to a contact, given by id or as ``{name, phone}``: the newest with that number, else a new one.

    Outside the window, or if a limit forbids it, the time moves to the next permitted one; a contact that is on
    the phone is called afterwards. Raises :class:`InvalidCall`, :class:`NumberSuppressed`, ``Contact.DoesNotExist``.
    """
    given = _read(workspace_id, fields, now=now)
    with transaction.atomic():
        called = _contact(workspace_id, contact_id, contact, now=now)
        lock_numbers([(workspace_id, called.phone)])
        if is_suppressed(workspace_id, called.phone):
            raise NumberSuppressed
        wanted: datetime = given.pop("wanted")
        line: Line = given.pop("line")
        possible = _possible(called, line, given["schedule"], wanted, now=now)
        assert possible.at is not None
        if given["config_webhooks"] is not None:
            given["config_webhooks"] = hidden_endpoints.freeze_inline(workspace_id, given["config_webhooks"], now=now)
        queued = QueuedCall(
            workspace_id=workspace_id,
            contact_id=called.pk,
            campaign_id=None,
            campaign_contact_id=None,
            line_id=line.pk,
            number=called.phone,
            caller_id=next(iter(line.caller_ids), ""),
            rank=Rank.NEW,
            due_at=possible.at,
            **given,
        )
        call_states.queue([queued], now=now)
        made: Call = Call.objects.select_related("contact").get(pk=queued.id)
        record(actor, [_change(made)], now=now)
    return Created(
        call=made,
        adjusted_from=wanted if possible.shifts else None,
        adjusted_reason=possible.shifts[0].reason if possible.shifts else "",
    )


def _read(workspace_id: UUID, fields: CallFields, *, now: datetime) -> dict[str, Any]:
    """Return the checked fields with their defaults; raises :class:`InvalidCall` naming every field at fault."""
    errors: dict[str, list[str]] = {}
    read: dict[str, Any] = {"schedule": {}, "metadata": {}, "wanted": fields.get("scheduled_at") or now}
    try:
        read["schedule"] = schedule_settings.parse(fields.get("schedule") or {})
    except InvalidSettings as refused:
        errors |= {f"call.{path}": reasons for path, reasons in refused.errors.items()}
    try:
        read["metadata"] = dict(values.json_object(fields.get("metadata")))
    except Unfit as refused:
        errors["metadata"] = [str(refused)]
    try:
        read["config_webhooks"] = inline_webhooks(fields.get("config_webhooks"), path="config.webhooks")
    except InvalidSettings as refused:
        errors |= refused.errors
    if read["wanted"] < now - PAST_GRACE:
        errors["scheduled_at"] = ["is in the past"]
    elif read["wanted"] > now + FURTHEST_AHEAD:
        errors["scheduled_at"] = [f"is more than {FURTHEST_AHEAD.days} days ahead"]
    read["wanted"] = max(read["wanted"], now)
    read["persona_id"] = _persona(workspace_id, fields.get("persona_id"), errors)
    read["line"] = _line(workspace_id, fields.get("line_id"), errors)
    if errors:
        raise InvalidCall(errors)
    return read


def _persona(workspace_id: UUID, wanted: UUID | None, errors: dict[str, list[str]]) -> UUID | None:
    """Return the named persona, else the workspace's only one."""
    if wanted is None:
        if (only := default_persona(workspace_id)) is None:
            errors["persona_id"] = ["is required: the workspace does not have exactly one"]
        return only
    if not Persona.objects.in_workspace(workspace_id).filter(archived_at=None, pk=wanted).exists():
        errors["persona_id"] = ["is not one of yours, or archived"]
    return wanted


def _line(workspace_id: UUID, wanted: UUID | None, errors: dict[str, list[str]]) -> Line | None:
    usable = Line.objects.in_workspace(workspace_id).filter(archived_at=None)
    line: Line | None = usable.filter(pk=wanted).first() if wanted else default_line(workspace_id)
    if line is None:
        errors["line_id"] = ["is not one of yours, or archived" if wanted else "is required: there is no default line"]
    return line


def _contact(
    workspace_id: UUID, contact_id: UUID | None, fields: Mapping[str, str] | None, *, now: datetime
) -> Contact:
    if (contact_id is None) == (fields is None):
        raise InvalidCall({"contact_id": ["give either contact_id or contact"]})
    if fields is not None:
        try:
            return contacts.find_or_create(
                workspace_id, name=fields.get("name", ""), phone=fields.get("phone", ""), now=now
            )
        except contacts.InvalidContact as refused:
            raise InvalidCall({f"contact.{name}": reasons for name, reasons in refused.errors.items()}) from refused
    assert contact_id is not None
    found: Contact = contacts.living(workspace_id).get(pk=contact_id)
    return found


def _possible(
    contact: Contact, line: Line, schedule: Mapping[str, Any], wanted: datetime, *, now: datetime
) -> Possible:
    workspace = Workspace.objects.get(pk=contact.workspace_id)
    terms = context.terms(
        phone=contact.phone,
        zones=tuple(contact.zones),
        timezone_source=contact.timezone_source,
        call_schedule=json.dumps(schedule),
        campaign_schedule=None,
        workspace_schedule=json.dumps(workspace.schedule),
        campaign_zone="",
        workspace_zone=workspace.time_zone,
        limits=limits_from(workspace.contact_limits, None),
        ring_timeout=timedelta(seconds=line.ring_timeout_seconds),
        campaign_id=None,
    )
    ledger = context.ledger_of([(contact.workspace_id, contact.phone, terms)], now=now)
    possible = next_possible(terms, at=wanted, ledger=ledger.get((contact.workspace_id, contact.phone), ()))
    if possible.at is None:
        raise InvalidCall({"call": ["the calling window does not open within 366 days"]})
    return possible


def _change(call: Call) -> Change:
    return Change.of(
        call, "call", "create", to_state={"contact_id": call.contact.public_id, "due_at": call.due_at.isoformat()}
    )
