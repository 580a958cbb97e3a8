"""Inbound calls: finds the row of a reported call, or inserts it at the first report.

A carrier knows an inbound call by its own id only, and any of its reports may come first, so each names caller and
called number. The call is not an attempt: it has its own chain, and no limit, pace or attempt number counts it.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from dialer.calls import context, events
from dialer.contacts import contacts
from dialer.models import Call, Campaign, Contact, Line, Persona
from dialer.rules import phone_number
from dialer.rules.statuses import CallStatus, Direction, Rank
from dialer.setup import caller_ids
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import run
from webhooks.outbox import record_events

log = logging.getLogger(__name__)

SLACK = timedelta(minutes=5)
"""A call older than its ring timeout, its longest talk and this counts as ended, even without a report."""
_FIRST_CALL = Rank.NEW.value


class NotOurs(Exception):
    """The reported call belongs to no workspace; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ring:
    """The caller and the called number, as the carrier reports them."""

    carrier: str
    line_id: UUID | None
    carrier_call_id: str
    from_number: str
    to_number: str
    at: datetime


def adopt(rows: Sequence[Any], *, now: datetime) -> Mapping[int, UUID | str]:
    """Return, for each stored report of an inbound call, the id of its row or the reason why there is none.

    Runs in the caller's transaction before it locks numbers or calls, since an unknown caller becomes a contact.
    """
    found: dict[tuple[str, UUID | None, str], UUID | str] = {}
    answers: dict[int, UUID | str] = {}
    for row in rows:
        # Nearly all reports are about outbound calls and name them.
        said = json.loads(row.facts) if row.call_id is None else {}
        if said.get("direction") != Direction.INBOUND:
            continue
        key = (row.line_carrier, row.line_id, row.carrier_call_id)
        if key not in found:
            ring = _Ring(
                carrier=row.line_carrier,
                line_id=row.line_id,
                carrier_call_id=row.carrier_call_id,
                from_number=said.get("from_number", ""),
                to_number=said.get("to_number", ""),
                # If the end is reported first, the call began before its talk.
                at=min(row.occurred_at, now) - timedelta(seconds=said.get("duration_seconds") or 0),
            )
            try:
                found[key] = _known(ring) or _receive(ring, now=now)
            except NotOurs as refused:
                found[key] = str(refused)
        answers[row.id] = found[key]
    _bind({event_id: answer for event_id, answer in answers.items() if isinstance(answer, UUID)})
    return answers


def _bind(adopted: Mapping[int, UUID]) -> None:
    """Store the call's id on its reports, so that they are erased with the contact."""
    if adopted:
        run(
            "bind_inbound_reports",
            """
            UPDATE dialer_carrierevent e SET call_id = t.call_id
            FROM unnest(%(events)s::bigint[], %(calls)s::uuid[]) AS t(event_id, call_id) WHERE e.id = t.event_id
            """,
            {"events": list(adopted), "calls": list(adopted.values())},
        )


def _known(ring: _Ring) -> UUID | None:
    over = {"line__carrier": ring.carrier} if ring.line_id is None else {"line_id": ring.line_id}
    known: UUID | None = (
        Call.objects.filter(direction=Direction.INBOUND.value, inbound_id=ring.carrier_call_id, **over)
        .values_list("id", flat=True)
        .first()
    )
    return known


def _receive(ring: _Ring, *, now: datetime) -> UUID:
    """Insert the row of a ringing call, and record ``call.received``."""
    try:
        number = phone_number.parse(ring.from_number)
    except ValueError:
        message = "the caller's number is withheld"
        raise NotOurs(message) from None
    line = line_of(carrier=ring.carrier, line_id=ring.line_id, called=ring.to_number, caller=number)
    last = last_call_to(line.workspace_id, number)
    contact = contact_of(line.workspace_id, number, last, now=now)
    expected = _expected(contact)
    campaign = _campaign(expected, last, line)
    call_id = new_id()
    # Another worker may process another report of the same call: only one of them inserts the row.
    Call.objects.bulk_create(
        [
            Call(
                id=call_id,
                workspace_id=line.workspace_id,
                direction=Direction.INBOUND.value,
                contact=contact,
                campaign=campaign,
                persona_id=_persona(line.workspace_id, expected, last, campaign),
                line=line,
                number=number,
                caller_id=ring.to_number,
                chain_id=call_id,
                attempt_number=0,
                status=CallStatus.RINGING.value,
                rank=Rank.CALL_NOW.value,
                due_at=ring.at,
                queued_at=now,
                dialing_at=ring.at,
                ringing_at=ring.at,
                check_at=ring.at + timedelta(seconds=line.ring_timeout_seconds + line.max_duration_seconds) + SLACK,
                carrier_call_id=ring.carrier_call_id,
                inbound_id=ring.carrier_call_id or None,
                config_webhooks=campaign.config_webhooks if campaign else None,
            )
        ],
        ignore_conflicts=True,
    )
    made = context.contexts_of([call_id])
    if not made:
        known = _known(ring)
        assert known is not None
        return known
    record_events([events.call_received(made[0], at=ring.at)], now=now)
    log.info("call.received call=%s", call_id)
    return call_id


def line_of(*, carrier: str, line_id: UUID | None, called: str, caller: str) -> Line:
    """Return the line over which a call or text came in; raises :class:`NotOurs`.

    It is the line whose account reported. Where the carrier has one account for the installation, it is the line that
    shows the called number, in the workspace that owns it: if several show it, the one over which the caller was last
    called, else the oldest. A call to a number without an owner goes to the carrier's only line if the installation has
    one workspace, else to nobody: a wrong guess would tell a stranger who called.
    """
    if line_id is not None:
        mine: Line | None = _open_lines(carrier).filter(pk=line_id).first()
        if mine is None:
            message = "the line is archived"
            raise NotOurs(message)
        return mine
    digits = phone_number.digits_of(called)
    owner = caller_ids.owner_of(digits)
    if owner is None:
        return _only_line(carrier)
    lines = _open_lines(carrier).filter(workspace_id=owner).order_by("id")
    match [line for line in lines if digits in {phone_number.digits_to_own(shown) for shown in line.caller_ids}]:
        case []:
            message = "no line of the carrier has the number that was called"
            raise NotOurs(message)
        case [only]:
            return only
        case several:
            last = (
                Call.objects.in_workspace(owner)
                .filter(number=caller, line__in=several, dialing_at__isnull=False)
                .order_by("-dialing_at")
                .first()
            )
            return next((line for line in several if last and line.pk == last.line_id), several[0])


def _open_lines(carrier: str) -> QuerySet[Line]:
    return Line.objects.filter(carrier=carrier, archived_at=None, workspace__closed_at=None)


def _only_line(carrier: str) -> Line:
    if Workspace.objects.all()[:2].count() == 1:
        match list(_open_lines(carrier)[:2]):
            case [only]:
                return only
            case []:
                message = "the carrier has no line"
                raise NotOurs(message)
    message = "no line has the number that was called"
    raise NotOurs(message)


def last_call_to(workspace_id: UUID, number: str) -> Call | None:
    """Return the last call that we made to the number."""
    last: Call | None = (
        Call.objects.in_workspace(workspace_id)
        .filter(
            number=number,
            direction=Direction.OUTBOUND.value,
            dialing_at__isnull=False,
            contact__deleted_at__isnull=True,
        )
        .select_related("contact", "campaign")
        .order_by("-dialing_at")
        .first()
    )
    return last


def contact_of(workspace_id: UUID, number: str, last: Call | None, *, now: datetime) -> Contact:
    """Return the contact last called on the number, else the newest that has it, else a new one."""
    if last is not None:
        return last.contact
    return contacts.find_or_create(workspace_id, phone=number, now=now)


def _expected(contact: Contact) -> Call | None:
    """Return the queued callback that this call may replace: a retry first, since any talk replaces it."""
    expected: Call | None = (
        Call.objects.in_workspace(contact.workspace_id)
        .filter(contact=contact, status=CallStatus.QUEUED.value, rank__lt=_FIRST_CALL)
        .select_related("campaign")
        .order_by("-rank", "due_at")
        .first()
    )
    return expected


def _campaign(expected: Call | None, last: Call | None, line: Line) -> Campaign | None:
    if expected is not None:
        return expected.campaign
    return last.campaign if last is not None else line.inbound_campaign


def _persona(workspace_id: UUID, expected: Call | None, last: Call | None, campaign: Campaign | None) -> UUID:
    """Return the persona of the expected call, else the last call's, the campaign's, or the workspace's first."""
    if expected is not None:
        return expected.persona_id
    if last is not None:
        return last.persona_id
    if campaign is not None:
        return campaign.persona_id
    first = Persona.objects.in_workspace(workspace_id).filter(archived_at=None).order_by("id").first()
    if first is None:
        message = "the workspace has no persona to talk"
        raise NotOurs(message)
    return first.pk
