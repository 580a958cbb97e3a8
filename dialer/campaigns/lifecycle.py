"""The life of a campaign: create, edit, start, pause, resume, cancel, fail.

Every verb changes the campaign's row first. Placing holds a shared lock on that row, so a pause waits for calls that
are being handed over, and none is handed over after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from dialer.calls import call_states, calls
from dialer.calls.listener import listener
from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import events as campaign_events
from dialer.campaigns import membership
from dialer.campaigns.completion import changed
from dialer.campaigns.membership import Added
from dialer.campaigns.settings import CampaignFields, columns_of
from dialer.contacts import first_calls
from dialer.dialing.line_health import REJECTED
from dialer.models import Call, Campaign, CampaignContact, Import
from dialer.rules.circuit import REJECTIONS
from dialer.rules.status_callbacks import HEARS
from dialer.rules.statuses import (
    CAMPAIGN_MOVES,
    CAMPAIGN_OVER,
    LIVE,
    CallStatus,
    CampaignStatus,
    ContactState,
    Direction,
    ImportStatus,
    Rank,
)
from dialer.rules.withdrawals import Withdrawal
from dialer.setup.paces import forget_pace
from dialer.setup.retry_policies import policy_with
from dialer.workspaces.audit import SYSTEM, Actor, Change, record
from dialer.workspaces.transitions import TransitionConflict
from dialer.workspaces.values import LONGEST_NAME
from webhooks import hidden_endpoints
from webhooks.outbox import record_events

Overdue = Literal["call", "reschedule", "cancel"]
_MOVES = 1_000
_AFFECT_FIRST_CALLS = {"schedule", "time_zone", "start_at", "start_at_local", "line_id"}


class CampaignNotStartable(Exception):
    """The campaign lacks something that it needs to run; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What was under way when a verb ran: pending callbacks, contacts not called yet, live calls (which finish)."""

    campaign: Campaign
    callbacks: int = 0
    promises: int = 0
    """Of the callbacks, those that a contact requested or an operator made."""
    waiting: int = 0
    live: int = 0
    overdue: int = 0
    """Overdue retries that a resume called, moved or cancelled."""
    stale: int = 0
    """Stale retries, which a resume left to an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new campaign, and the result of adding the contacts given with it."""

    campaign: Campaign
    contacts: Added = field(default_factory=Added)


def create(
    workspace_id: UUID,
    *,
    contacts: Sequence[object] = (),
    auto_start: bool = False,
    actor: Actor,
    now: datetime,
    **fields: Unpack[CampaignFields],
) -> Created:
    """Make a draft, add contacts (ids and objects), and start it if ``auto_start``; all of it or nothing.

    A campaign that is started with its contacts completes as soon as all of them are finished. Raises
    :class:`~dialer.campaigns.settings.InvalidCampaign`, :class:`CampaignNotStartable`.
    """
    columns = columns_of(workspace_id, fields, current=None, now=now)
    with transaction.atomic():
        _freeze_webhooks(workspace_id, columns, now=now)
        _keep_retries(workspace_id, columns, name=columns["name"], actor=actor, now=now)
        campaign = Campaign.objects.create(
            workspace_id=workspace_id,
            created_at=now,
            completes_at_once=auto_start and bool(contacts),
            **columns,
        )
        record(actor, [changed(campaign, "create", from_="", to=CampaignStatus.DRAFT)], now=now)
        added = Added()
        if contacts:
            added = membership.add(campaign.id, contacts, workspace_id=workspace_id, actor=actor, now=now)
        if auto_start:
            campaign = start(campaign.id, workspace_id=workspace_id, actor=actor, now=now)
    return Created(campaign=campaign, contacts=added)


def edit(
    campaign_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[CampaignFields]
) -> Campaign:
    """Change the given fields. Pending callbacks keep their time; first calls follow the new schedule.

    Raises ``TransitionConflict`` if the campaign has ended.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, workspace_id)
        if campaign.status in CAMPAIGN_OVER:
            raise TransitionConflict(what="the campaign", from_=campaign.status, to="changed")
        columns = columns_of(workspace_id, fields, current=campaign, now=now)
        _freeze_webhooks(workspace_id, columns, now=now)
        _keep_retries(workspace_id, columns, name=columns.get("name", campaign.name), actor=actor, now=now)
        changes = {name: value for name, value in columns.items() if getattr(campaign, name) != value}
        for name, value in changes.items():
            setattr(campaign, name, value)
        if changes:
            campaign.save(update_fields=list(changes))
        if "calls_per_second" in changes:
            forget_pace(workspace_id, campaign_id)
        if changes.keys() & _AFFECT_FIRST_CALLS and campaign.status != CampaignStatus.DRAFT:
            first_calls.forget(campaign_id)
            first_calls.schedule(_locked(campaign_id, workspace_id), limit=campaign_completion.FIRST_CALLS, now=now)
        if changes:
            record(actor, [Change.of(campaign, "campaign", "edit", to_state={"changed": sorted(changes)})], now=now)
    return campaign


def start(campaign_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Campaign:
    """Start a draft; until its ``start_at`` it is ``scheduled``, and the sweep lets it run then.

    Raises ``TransitionConflict``, :class:`CampaignNotStartable`.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, workspace_id)
        if campaign.status != CampaignStatus.DRAFT:
            raise TransitionConflict(what="the campaign", from_=campaign.status, to=CampaignStatus.RUNNING)
        _move(campaign, CampaignStatus.SCHEDULED)
        _check_startable(campaign, now=now)
        _freeze_status_urls(campaign, now=now)
        first_calls.schedule(campaign, limit=campaign_completion.FIRST_CALLS, now=now)
        campaign_completion.begin(campaign, now=now)
        record(actor, [changed(campaign, "start", from_=CampaignStatus.DRAFT, to=campaign.status)], now=now)
    return campaign


def pause(campaign_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Touched:
    """Start no more calls: live calls finish, their retries are made and held. Raises ``TransitionConflict``."""
    with transaction.atomic():
        campaign = _get(campaign_id, workspace_id)
        _move(campaign, CampaignStatus.PAUSED, pause_reason=reason[:64])
        call_states.release_claims(campaign_id)
        change = changed(campaign, "pause", from_=CampaignStatus.RUNNING, to=CampaignStatus.PAUSED, reason=reason)
        record(actor, [change], now=now)
        record_events([campaign_events.campaign_paused(campaign, reason=reason, now=now)], now=now)
        return _touched(campaign)


def resume(
    campaign_id: UUID,
    *,
    workspace_id: UUID,
    overdue: Overdue = "call",
    actor: Actor,
    reason: str = "",
    now: datetime,
) -> Touched:
    """Run again. Retries that fell due meanwhile are called, moved or cancelled; promises are always called.

    Moving gives a retry its own delay from now, shifted to when the contact may be called. Moving and cancelling
    include stale retries; calling leaves them to an operator. Both commit per thousand retries, before the campaign
    runs again: if that is interrupted, the campaign is still paused, and repeating the verb does the rest.
    Raises ``TransitionConflict``, and :class:`CampaignNotStartable` if ``end_at`` has passed.
    """
    touched = _touched(_get(campaign_id, workspace_id))
    settled = 0
    after: UUID | None = None
    while True:
        with transaction.atomic():
            campaign = _resumable(campaign_id, workspace_id, now=now)
            late = _overdue_retries(campaign_id, after=after, now=now)
            batch = [] if overdue == "call" else list(late[:_MOVES].values_list("id", flat=True))
            if overdue == "cancel":
                calls.withdraw(batch, why=Withdrawal.CANCELLED, now=now)
            elif overdue == "reschedule":
                listener().calls_missed(batch, now=now)
            settled += len(batch)
            if len(batch) == _MOVES:
                after = batch[-1]
                continue
            stale = late.filter(not_after__lt=now).count() if overdue == "call" else 0
            called = late.count() - stale if overdue == "call" else 0
            _move(campaign, CampaignStatus.RUNNING, pause_reason="")
            change = changed(campaign, "resume", from_=CampaignStatus.PAUSED, to=CampaignStatus.RUNNING, reason=reason)
            record(actor, [change], now=now)
            record_events([campaign_events.campaign_resumed(campaign, now=now)], now=now)
        return replace(touched, campaign=campaign, overdue=settled + called, stale=stale)


def cancel(campaign_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Touched:
    """Stop for good: queued calls are cancelled, live calls finish, and no callback follows them.

    A large campaign is wound down in batches afterwards; ``campaign.ended`` follows when nothing is under way.
    Raises ``TransitionConflict``.
    """
    return _stop(campaign_id, CampaignStatus.CANCELLED, workspace_id=workspace_id, actor=actor, reason=reason, now=now)


def fail(campaign_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str, now: datetime) -> Touched:
    """Stop a campaign whose line or persona is unusable; records ``campaign.failed`` now, ``campaign.ended`` later."""
    return _stop(campaign_id, CampaignStatus.FAILED, workspace_id=workspace_id, actor=actor, reason=reason, now=now)


def fail_unusable(*, limit: int = 100, now: datetime) -> int:
    """Fail running campaigns whose credentials are rejected for good; returns how many. An outage fails none."""
    found = Campaign.objects.filter(
        status=CampaignStatus.RUNNING, line__down_reason=REJECTED, line__outages_in_a_row__gte=REJECTIONS
    )
    count = 0
    for campaign in found.order_by("id")[:limit]:
        try:
            fail(campaign.pk, workspace_id=campaign.workspace_id, reason=REJECTED, actor=SYSTEM, now=now)
        except TransitionConflict:
            # Another process stopped it meanwhile.
            continue
        count += 1
    return count


def _stop(
    campaign_id: UUID, to: CampaignStatus, *, workspace_id: UUID, actor: Actor, reason: str, now: datetime
) -> Touched:
    with transaction.atomic():
        campaign = _get(campaign_id, workspace_id)
        from_ = campaign.status
        _move(campaign, to, end_reason=to.value, end_note=reason[:64], pause_reason="")
        touched = _touched(campaign)
        verb = "cancel" if to == CampaignStatus.CANCELLED else "fail"
        record(actor, [changed(campaign, verb, from_=from_, to=to, reason=reason)], now=now)
        if to == CampaignStatus.FAILED:
            record_events([campaign_events.campaign_failed(campaign, reason=reason, now=now)], now=now)
        campaign_completion.wind_down(campaign_id, now=now)
        campaign.refresh_from_db()
    return touched


def _freeze_webhooks(workspace_id: UUID, columns: dict[str, Any], *, now: datetime) -> None:
    """Replace the given webhooks by the form that the campaign stores."""
    given = columns.get("config_webhooks")
    if given is not None:
        columns["config_webhooks"] = hidden_endpoints.freeze_inline(workspace_id, given, now=now)


def _keep_retries(workspace_id: UUID, columns: dict[str, Any], *, name: str, actor: Actor, now: datetime) -> None:
    """Replace the given retries by a policy with these rules."""
    if "retries" in columns:
        called = f"Retries of {name}"[:LONGEST_NAME]
        policy = policy_with(workspace_id, columns.pop("retries"), name=called, actor=actor, now=now)
        columns["retry_policy_id"] = policy.pk


def _freeze_status_urls(campaign: Campaign, *, now: datetime) -> None:
    hidden_endpoints.freeze_status_urls(
        campaign.workspace_id,
        campaign.pk,
        {event_type: url for name, event_type in HEARS.items() if (url := getattr(campaign, name))},
        name=f"Campaign {campaign.name}"[:LONGEST_NAME],
        secret=campaign.status_callback_secret,
        now=now,
    )


def _get(campaign_id: UUID, workspace_id: UUID) -> Campaign:
    campaign: Campaign = (
        Campaign.objects.in_workspace(workspace_id).select_related("line", "workspace", "persona").get(pk=campaign_id)
    )
    return campaign


def _locked(campaign_id: UUID, workspace_id: UUID) -> Campaign:
    campaign: Campaign = (
        Campaign.objects.in_workspace(workspace_id)
        .select_for_update(no_key=True, of=("self",))
        .select_related("line", "workspace", "persona")
        .get(pk=campaign_id)
    )
    return campaign


def _move(campaign: Campaign, to: CampaignStatus, **columns: object) -> None:
    """Change the status if it still allows the move; raises ``TransitionConflict`` otherwise."""
    from_ = [status for status, moves in CAMPAIGN_MOVES.items() if to in moves]
    found = Campaign.objects.filter(pk=campaign.pk)
    if not found.filter(status__in=from_).update(status=to, **columns):
        raise TransitionConflict(what="the campaign", from_=found.get().status, to=to)
    campaign.status = to
    for name, value in columns.items():
        setattr(campaign, name, value)


def _check_startable(campaign: Campaign, *, now: datetime) -> None:
    if campaign.persona.archived_at is not None:
        message = "the persona of the campaign is archived"
    elif campaign.line.archived_at is not None:
        message = "the line of the campaign is archived"
    elif campaign.end_at is not None and campaign.end_at <= now:
        message = "the campaign's end_at has passed; set a later one first"
    elif not _has_contacts(campaign):
        message = "the campaign has no contacts"
    else:
        return
    raise CampaignNotStartable(message)


def _has_contacts(campaign: Campaign) -> bool:
    """Tell whether there are contacts, or an import that will add some."""
    coming = (ImportStatus.UPLOADING, ImportStatus.WAITING, ImportStatus.RUNNING)
    found: bool = (
        CampaignContact.objects.filter(campaign=campaign).exists()
        or Import.objects.filter(campaign=campaign, status__in=coming).exists()
    )
    return found


def _touched(campaign: Campaign) -> Touched:
    mine = Call.objects.filter(workspace_id=campaign.workspace_id, campaign=campaign, direction=Direction.OUTBOUND)
    promised = mine.filter(status=CallStatus.QUEUED).exclude(rank=Rank.NEW)
    return Touched(
        campaign=campaign,
        callbacks=promised.count(),
        # Only retries become stale; promises have no ``not_after``.
        promises=promised.filter(not_after=None).count(),
        waiting=CampaignContact.objects.filter(campaign=campaign, state=ContactState.WAITING).count()
        + mine.filter(status=CallStatus.QUEUED, rank=Rank.NEW).count(),
        live=mine.filter(status__in=LIVE).count(),
    )


def _resumable(campaign_id: UUID, workspace_id: UUID, *, now: datetime) -> Campaign:
    """Lock and return a paused campaign; raises as :func:`resume` does."""
    campaign = _locked(campaign_id, workspace_id)
    if campaign.status != CampaignStatus.PAUSED:
        raise TransitionConflict(what="the campaign", from_=campaign.status, to=CampaignStatus.RUNNING)
    _check_startable(campaign, now=now)
    return campaign


def _overdue_retries(campaign_id: UUID, *, after: UUID | None = None, now: datetime) -> QuerySet[Call]:
    """Return overdue retries in the order of their ids."""
    late: QuerySet[Call] = Call.objects.filter(
        campaign_id=campaign_id, status=CallStatus.QUEUED, rank=Rank.RETRY, due_at__lte=now
    ).order_by("id")
    return late if after is None else late.filter(id__gt=after)
