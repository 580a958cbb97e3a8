"""Makes promises: callbacks that contacts request or operators make."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from callbacks import events
from callbacks.models import Callback
from callbacks.refusals import AlreadyPending, CampaignOver, ContactSuppressed, InvalidTime, NoLineOrPersona
from callbacks.rules import explanation
from callbacks.rules.explanation import Code, Step, step
from callbacks.rules.statuses import CallbackStatus, CallbackType
from callbacks.scheduled import NewCallback, insert
from dialer.calls import call_states, calls, campaign_contacts, context
from dialer.calls.call_states import QueuedCall
from dialer.calls.chains import UsedUp, used_up
from dialer.calls.hashed_numbers import is_suppressed
from dialer.models import Call, Campaign, Contact, Line
from dialer.rules.contact_limits import limits_from
from dialer.rules.forcing import forced_at
from dialer.rules.openings import Possible, Terms, next_possible
from dialer.rules.statuses import CAMPAIGN_OVER, CallStatus, CampaignStatus, ContactState, Rank
from dialer.rules.waits import FORCEABLE, Waits
from dialer.rules.withdrawals import Withdrawal
from dialer.setup.lines import default_line
from dialer.setup.personas import default_persona
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.instants import written
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import fetch, run
from webhooks.outbox import record_events

FURTHEST_AHEAD = timedelta(days=30)
PAST_GRACE = timedelta(seconds=60)
"""A time up to this long ago is taken as now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """The checks, out of ``FORCEABLE``, that one call may pass, and the reason; raises ``ValueError`` without both."""

    checks: frozenset[str]
    reason: str

    def __post_init__(self) -> None:
        if not self.checks or not self.checks <= set(FORCEABLE) or not self.reason.strip():
            message = f"force names checks ({', '.join(FORCEABLE)}) and a reason"
            raise ValueError(message)

    def stored(self, *, at: datetime) -> dict[str, Any]:
        """Return the force as stored with a call that is due ``at``; it expires some minutes after that."""
        return forced_at(at, self.checks, self.reason)

    def rank(self, otherwise: Rank) -> Rank:
        """Return the rank of a forced call; in a paused campaign only ``Rank.CALL_NOW`` is claimed."""
        return Rank.CALL_NOW if Waits.CAMPAIGN_PAUSED in self.checks else otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A new promise: what it replaced, how its time was moved, and what holds it."""

    callback: Callback
    superseded_id: int | None
    adjusted_from: datetime | None
    adjusted_reason: str
    held_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """The contact of a promise, and the campaign, line and persona of its call."""

    contact: Contact
    campaign: Campaign | None
    origin: Call | None
    persona_id: UUID
    line: Line
    terms: Terms


def request(
    *,
    workspace_id: UUID,
    contact_id: UUID,
    type: CallbackType,  # noqa: A002 — the word of the domain
    campaign_id: UUID | None = None,
    origin_call_id: UUID | None = None,
    scheduled_at: datetime | None = None,
    local_time: datetime | None = None,
    notes: str = "",
    persona_id: UUID | None = None,
    force: Force | None = None,
    replace: bool = False,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> Scheduled:
    """Promise to call a contact at a time: an instant, or a naive ``local_time`` on the contact's clock.

    A requested callback supersedes whatever is pending for the contact and campaign; a manual one only a retry, and
    only with ``replace``. Outside the window, or where a limit forbids it, the time moves to the next permitted one,
    unless ``force`` names the check. Raises a :class:`~callbacks.refusals.Refused` and then changes nothing.
    """
    with transaction.atomic():
        contact = locked_contact(contact_id, workspace_id)
        if is_suppressed(workspace_id, contact.phone):
            raise ContactSuppressed
        share_campaign(campaign_id)
        setting = _setting(contact, campaign_id=campaign_id, origin_call_id=origin_call_id, persona_id=persona_id)
        wanted = _wanted(scheduled_at, local_time, setting.terms, now=now)
        possible = _possible(setting, wanted, force=force, now=now)
        campaign_contact_id = (
            campaign_contacts.add_promised(contact.workspace_id, setting.campaign.pk, contact.pk)
            if setting.campaign
            else None
        )
        chain_id = campaign_contact_id or _chain_outside_campaigns(setting.origin)
        superseded = _supersede(setting, type, campaign_contact_id, chain_id, replace=replace, now=now)
        follows = setting.origin or (superseded.call if superseded else None)
        chain_id = chain_id or (superseded.call.chain_id if superseded else None)
        used = used_up(chain_id) if chain_id else UsedUp()
        body = QueuedCall(
            workspace_id=workspace_id,
            contact_id=contact.pk,
            campaign_id=campaign_id,
            campaign_contact_id=campaign_contact_id,
            persona_id=setting.persona_id,
            line_id=setting.line.pk,
            number=contact.phone,
            caller_id=_caller_id(setting),
            rank=force.rank(Rank.PROMISED) if force else Rank.PROMISED,
            due_at=_at(possible),
            chain_id=chain_id,
            attempt_number=used.attempts + 1,
            retries_used=used.retries,
            force=force.stored(at=_at(possible)) if force else None,
            schedule=follows.schedule if follows else {},
            config_webhooks=follows.config_webhooks
            if follows
            else (setting.campaign.config_webhooks if setting.campaign else None),
            metadata=follows.metadata if follows else {},
        )
        new = NewCallback(
            call=body,
            type=type,
            origin_call_id=origin_call_id,
            original_outcome=_original_outcome(setting, superseded),
            scheduled_at=_at(possible),
            local_time=_as_said(local_time) if local_time else "",
            time_zone=zone_read_in(setting.terms) if local_time else possible.zones[0],
            timezone_source=possible.source,
            adjusted_from=wanted if possible.shifts else None,
            adjusted_reason=possible.shifts[0].reason if possible.shifts else "",
            notes=notes,
            assigned_persona_id=persona_id,
            explanation=_explained(type, wanted, possible, setting, force, now=now),
        )
        call_states.queue([body], now=now)
        callback_id = insert([new], now=now)[body.id]
        record_events(events.of_callbacks([callback_id], "scheduled", reason=type.value, at=now), now=now)
        callback: Callback = Callback.objects.get(pk=callback_id)
        record(actor, [_change(callback, force, reason)], now=now)
        return Scheduled(
            callback=callback,
            superseded_id=superseded.pk if superseded else None,
            adjusted_from=new.adjusted_from,
            adjusted_reason=new.adjusted_reason,
            held_by=_held_by(setting, force),
        )


def instant_of(local_time: datetime, zone: str) -> datetime:
    """Return the instant at which clocks in ``zone`` show ``local_time``.

    In a repeated hour that is the first occurrence, in a skipped hour the first instant after the gap.
    """
    info = ZoneInfo(zone)
    instant = local_time.replace(tzinfo=info, fold=0).astimezone(UTC)
    if instant.astimezone(info).replace(tzinfo=None) == local_time:
        return instant
    # Skipped: fold 0 counts with the offset before the gap, fold 1 with the one after; the gap ends between them.
    low = local_time.replace(tzinfo=info, fold=1).astimezone(UTC)
    high = instant
    before = low.astimezone(info).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(info).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def zone_read_in(terms: Terms) -> str:
    """Return the zone in which a time on the contact's own clock is read."""
    return terms.contact.zones[0] if terms.contact.zones else terms.fallback.zone


def contact_terms(
    contact: Contact, campaign: Campaign | None, workspace: Workspace, call: Call | None, line: Line
) -> Terms:
    """Return the terms on which a contact may be called for a campaign, or outside campaigns."""
    return context.terms(
        phone=contact.phone,
        zones=tuple(contact.zones),
        timezone_source=contact.timezone_source,
        call_schedule=json.dumps(call.schedule) if call else None,
        campaign_schedule=json.dumps(campaign.schedule) if campaign else None,
        workspace_schedule=json.dumps(workspace.schedule),
        campaign_zone=campaign.time_zone if campaign else "",
        workspace_zone=workspace.time_zone,
        limits=limits_from(workspace.contact_limits, campaign.contact_limits if campaign else None),
        ring_timeout=timedelta(seconds=line.ring_timeout_seconds),
        campaign_id=campaign.pk if campaign else None,
    )


def check_ahead(at: datetime, *, now: datetime) -> datetime:
    """Return the time to promise: ``at``, or ``now`` if ``at`` has only just passed; raises ``InvalidTime``."""
    if at < now - PAST_GRACE:
        message = f"is in the past (it is {written(now)})"
        raise InvalidTime(message)
    if at > now + FURTHEST_AHEAD:
        message = f"is more than {FURTHEST_AHEAD.days} days ahead"
        raise InvalidTime(message)
    return max(at, now)


def _setting(
    contact: Contact, *, campaign_id: UUID | None, origin_call_id: UUID | None, persona_id: UUID | None
) -> _Setting:
    workspace = Workspace.objects.get(pk=contact.workspace_id)
    owned = contact.workspace_id
    campaign = Campaign.objects.in_workspace(owned).select_related("line").get(pk=campaign_id) if campaign_id else None
    if campaign and campaign.status in CAMPAIGN_OVER:
        raise CampaignOver
    origin = (
        Call.objects.in_workspace(owned).select_related("line").get(pk=origin_call_id, contact=contact)
        if origin_call_id
        else None
    )
    made = Call.objects.filter(contact=contact, campaign=campaign).exclude(status=CallStatus.WITHDRAWN.value)
    last = origin or made.select_related("line").order_by("-id").first()
    line = campaign.line if campaign else last.line if last else default_line(owned)
    persona = persona_id or (campaign.persona_id if campaign else last.persona_id if last else default_persona(owned))
    if line is None or persona is None:
        raise NoLineOrPersona
    return _Setting(
        contact=contact,
        campaign=campaign,
        origin=last if (origin or campaign) else None,
        persona_id=persona,
        line=line,
        terms=contact_terms(contact, campaign, workspace, last, line),
    )


def _wanted(scheduled_at: datetime | None, local_time: datetime | None, terms: Terms, *, now: datetime) -> datetime:
    if (scheduled_at is None) == (local_time is None):
        message = "give either scheduled_at or local_time"
        raise InvalidTime(message)
    if local_time is not None:
        return check_ahead(instant_of(local_time, zone_read_in(terms)), now=now)
    assert scheduled_at is not None
    return check_ahead(scheduled_at, now=now)


def _as_said(local_time: datetime) -> str:
    return local_time.isoformat(timespec="seconds" if local_time.second else "minutes")


def _possible(setting: _Setting, wanted: datetime, *, force: Force | None, now: datetime) -> Possible:
    contact = setting.contact
    ledger = context.ledger_of([(contact.workspace_id, contact.phone, setting.terms)], now=now)
    possible = next_possible(
        setting.terms,
        at=wanted,
        ledger=ledger.get((contact.workspace_id, contact.phone), ()),
        forced=force.checks if force else frozenset(),
    )
    if possible.at is None:
        message = "the calling window does not open within 366 days"
        raise InvalidTime(message)
    return possible


def locked_contact(contact_id: UUID, workspace_id: UUID) -> Contact:
    """Lock a contact as placing, deleting and editing do, and return it."""
    known = Contact.objects.in_workspace(workspace_id).filter(deleted_at=None)
    seen: Contact = known.get(pk=contact_id)
    lock_numbers([(workspace_id, seen.phone), (workspace_id, str(contact_id))])
    locked: Contact = known.get(pk=contact_id)
    return locked


def share_campaign(campaign_id: UUID | None) -> None:
    """Lock the campaign against ending until the promise commits, which gives it an open contact."""
    if campaign_id is not None:
        run("share_campaign", "SELECT id FROM dialer_campaign WHERE id = %(id)s FOR SHARE", {"id": campaign_id})


class _OpenCall(NamedTuple):
    id: UUID
    status: str


def _supersede(
    setting: _Setting,
    kind: CallbackType,
    campaign_contact_id: UUID | None,
    chain_id: UUID | None,
    *,
    replace: bool,
    now: datetime,
) -> Callback | None:
    """Withdraw the pending callback or the queued first call that the promise replaces; return that callback.

    A live call is locked: it ends before this transaction, or sees the promise. Outside campaigns the callback may
    belong to another chain, which then ends; a promise without a ``chain_id`` continues that chain instead.
    """
    open_calls = fetch(
        _OpenCall,
        "lock_open_calls",
        """
        SELECT id, status FROM dialer_call
        WHERE contact_id = %(contact)s AND campaign_id IS NOT DISTINCT FROM %(campaign)s
            AND status IN ('queued', 'dialing', 'ringing', 'in_progress') AND direction = 'outbound'
        ORDER BY id FOR NO KEY UPDATE
        """,
        {"contact": setting.contact.pk, "campaign": setting.campaign.pk if setting.campaign else None},
    )
    pending: Callback | None = (
        Callback.objects.filter(contact=setting.contact, campaign=setting.campaign, status=CallbackStatus.PENDING.value)
        .select_related("call")
        .first()
    )
    is_retry = pending is not None and pending.type == CallbackType.AUTO_RETRY
    if pending is not None and kind is CallbackType.MANUAL and not (is_retry and replace):
        raise AlreadyPending(pending.pk)
    # Outside campaigns every other queued call is a chain of its own.
    in_the_way = [row.id for row in open_calls if row.status == CallStatus.QUEUED] if campaign_contact_id else []
    calls.withdraw(
        [pending.call_id] if pending else in_the_way,
        why=Withdrawal.SUPERSEDED,
        now=now,
        ends_chain=pending is not None and chain_id not in (None, pending.call.chain_id),
    )
    if campaign_contact_id and all(row.status == CallStatus.QUEUED for row in open_calls):
        # The end of a live call decides what follows. Without one, a contact that was finished waits again.
        campaign_contacts.expect_callback([campaign_contact_id], from_=list(ContactState))
    return pending


def _chain_outside_campaigns(origin: Call | None) -> UUID | None:
    """Return the chain that a promise continues; a promise after a campaign's call begins a new one."""
    return origin.chain_id if origin and origin.campaign_id is None else None


def _original_outcome(setting: _Setting, superseded: Callback | None) -> str:
    """Return the outcome that the promise follows; empty without one, or while the call of the promise is live."""
    before = superseded.original_outcome if superseded else ""
    return (setting.origin.outcome if setting.origin else "") or before


def _caller_id(setting: _Setting) -> str:
    if setting.campaign and setting.campaign.caller_id:
        return setting.campaign.caller_id
    return next(iter(setting.line.caller_ids), "")


def _held_by(setting: _Setting, force: Force | None) -> str:
    """Return what currently holds the promise; a draft campaign holds it like a paused one."""
    is_held = setting.campaign is not None and setting.campaign.status != CampaignStatus.RUNNING
    return Waits.CAMPAIGN_PAUSED if is_held and not (force and Waits.CAMPAIGN_PAUSED in force.checks) else ""


def _at(possible: Possible) -> datetime:
    assert possible.at is not None
    return possible.at


def _explained(
    kind: CallbackType, wanted: datetime, possible: Possible, setting: _Setting, force: Force | None, *, now: datetime
) -> list[Step]:
    who = "The contact asked" if kind is CallbackType.CUSTOMER_REQUESTED else "An operator asked"
    steps = [step(Code.REQUESTED, f"{who} for a call at {written(wanted)}.", at=now, to=wanted)]
    steps += explanation.of_shifts(possible, window_level=setting.terms.window.hours_level, at=now)
    if force:
        checks = ", ".join(sorted(force.checks))
        steps.append(step(Code.FORCED, f"Forced past {checks}: {force.reason}", at=now))
    return steps


def _change(callback: Callback, force: Force | None, reason: str) -> Change:
    made: dict[str, Any] = {"type": callback.type, "scheduled_at": written(callback.scheduled_at)}
    if force:
        made["forced"] = sorted(force.checks)
    return Change.of(callback, "callback", "schedule", to_state=made, reason=reason or (force.reason if force else ""))
