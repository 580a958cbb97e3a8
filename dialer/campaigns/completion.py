"""Completes campaigns by the states of their contacts, not by counting calls that end.

Two last calls that end at the same time would each see the other as live. ``ended_at`` is set and ``campaign.ended``
recorded when nothing is under way any more; a cancelled or failed campaign has that status long before.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from dialer.calls import call_states, calls, campaign_contacts
from dialer.campaigns import events as campaign_events
from dialer.campaigns.stats import stats
from dialer.contacts import first_calls
from dialer.models import Campaign, CampaignContact, Import
from dialer.rules.statuses import OPEN_STATES, CampaignStatus, ContactState, ImportStatus
from dialer.rules.withdrawals import OF_CAMPAIGN
from dialer.workspaces.audit import SYSTEM, Change, record
from webhooks.outbox import record_events

BATCH = 1_000
"""Queued calls withdrawn, or waiting contacts ended, in one transaction."""
FIRST_CALLS = 5_000
FIRST_CLOCK_AHEAD = timedelta(hours=14)
"""How far the clocks of the easternmost zone are ahead of UTC."""
_OPEN_IMPORTS = (ImportStatus.UPLOADING, ImportStatus.WAITING, ImportStatus.RUNNING)
_STARTED = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)
_STOPPED = (CampaignStatus.CANCELLED, CampaignStatus.FAILED)


def sweep(*, limit: int = 100, now: datetime) -> dict[str, int]:
    """Begin, schedule, complete, pause and wind down what is due, at most ``limit`` of each; returns the counts."""
    return {
        "begun": len(begin_scheduled(limit=limit, now=now)),
        "scheduled": schedule_waiting(limit=limit, now=now),
        "completed": len(complete_finished(limit=limit, now=now)),
        "paused": len(pause_at_end(limit=limit, now=now)),
        "ended": sum(wind_down(campaign_id, now=now) for campaign_id in _winding_down(limit)),
    }


def begin(campaign: Campaign, *, now: datetime) -> bool:
    """Let a scheduled campaign run if its time has come, and record ``campaign.started``; returns whether it has.

    Runs in the caller's transaction, which holds the campaign's lock.
    """
    if not _due_to_begin(now=now).filter(pk=campaign.pk).update(status=CampaignStatus.RUNNING, started_at=now):
        return False
    campaign.status, campaign.started_at = CampaignStatus.RUNNING, now
    contacts = CampaignContact.objects.filter(campaign_id=campaign.pk).count()
    record_events([campaign_events.campaign_started(campaign, contacts=contacts, now=now)], now=now)
    return True


def begin_scheduled(*, limit: int = 100, now: datetime) -> list[UUID]:
    """Begin scheduled campaigns whose time has come; returns their ids."""
    begun = []
    for campaign_id in _due_to_begin(now=now).order_by("id").values_list("id", flat=True)[:limit]:
        with transaction.atomic():
            locked = Campaign.objects.select_for_update(no_key=True, skip_locked=True)
            campaign = locked.filter(pk=campaign_id).first()
            if campaign is None or not begin(campaign, now=now):
                continue
            change = changed(campaign, "begin", from_=CampaignStatus.SCHEDULED, to=CampaignStatus.RUNNING)
            record(SYSTEM, [change], now=now)
            begun.append(campaign_id)
    return begun


def complete_finished(*, limit: int = 100, now: datetime) -> list[UUID]:
    """Complete campaigns whose contacts are all finished, without a running import or a contact added lately."""
    grace = now - timedelta(seconds=settings.CAMPAIGN_COMPLETION_GRACE_SECONDS)
    nobody_came = Q(contact_added_at=None, started_at__lte=grace)
    candidates = _finished().filter(Q(completes_at_once=True) | Q(contact_added_at__lte=grace) | nobody_came)
    completed = []
    for campaign_id in candidates.values_list("id", flat=True)[:limit]:
        with transaction.atomic():
            # Adding a contact locks the row too, so the checks below stay true until the commit.
            locked = Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=campaign_id)
            campaign = locked.filter(status__in=_STARTED).first()
            if campaign is None or not _finished().filter(pk=campaign_id).exists():
                continue
            from_ = campaign.status
            Campaign.objects.filter(pk=campaign_id).update(
                status=CampaignStatus.COMPLETED, end_reason="completed", pause_reason="", ended_at=now
            )
            record(SYSTEM, [changed(campaign, "complete", from_=from_, to=CampaignStatus.COMPLETED)], now=now)
            _tell_end(campaign, end_reason="completed", now=now)
            completed.append(campaign_id)
    return completed


def pause_at_end(*, limit: int = 100, now: datetime) -> list[UUID]:
    """Pause running campaigns whose ``end_at`` has passed; their callbacks are held and stay listed."""
    due = Campaign.objects.filter(status=CampaignStatus.RUNNING, end_at__lte=now)
    paused = []
    for campaign in due.order_by("end_at")[:limit]:
        with transaction.atomic():
            if not due.filter(pk=campaign.pk).update(status=CampaignStatus.PAUSED, pause_reason="end_at_reached"):
                continue
            call_states.release_claims(campaign.pk)
            change = changed(
                campaign, "pause", from_=CampaignStatus.RUNNING, to=CampaignStatus.PAUSED, reason="end_at_reached"
            )
            record(SYSTEM, [change], now=now)
            record_events([campaign_events.campaign_paused(campaign, reason="end_at_reached", now=now)], now=now)
            paused.append(campaign.pk)
    return paused


def schedule_waiting(*, limit: int = 100, now: datetime) -> int:
    """Schedule the first calls that ``start`` left over in large campaigns, some thousands at a time."""
    unscheduled = CampaignContact.objects.filter(
        campaign=OuterRef("pk"), state=ContactState.WAITING, due_at__isnull=True
    )
    campaigns = Campaign.objects.filter(
        Exists(unscheduled), status__in=(CampaignStatus.SCHEDULED, *_STARTED)
    ).select_related("line", "workspace")
    scheduled = 0
    for campaign in campaigns[:limit]:
        with transaction.atomic():
            scheduled += first_calls.schedule(campaign, limit=FIRST_CALLS, now=now)
    return scheduled


def wind_down(campaign_id: UUID, *, now: datetime) -> bool:
    """Withdraw and cancel one batch of what a stopped campaign still holds; record its end when nothing is left.

    Live calls finish first. Returns whether this call ended the campaign; safe to repeat.
    """
    with transaction.atomic():
        campaign = (
            Campaign.objects.select_for_update(no_key=True, skip_locked=True)
            .filter(pk=campaign_id, status__in=_STOPPED, ended_at=None)
            .first()
        )
        if campaign is None:
            return False
        why = OF_CAMPAIGN[campaign.status]
        calls.withdraw_campaign(campaign_id, why=why, limit=BATCH, now=now)
        campaign_contacts.finish_waiting(campaign_id, end_reason=why, limit=BATCH * 10, now=now)
        if _has_open_contacts(campaign_id):
            return False
        campaign.ended_at = now
        campaign.save(update_fields=["ended_at"])
        _tell_end(campaign, end_reason=campaign.status, now=now)
    return True


def changed(campaign: Campaign, verb: str, *, from_: str, to: str, reason: str = "") -> Change:
    """Return the audit change for a campaign's status."""
    return Change.of(
        campaign, "campaign", verb, from_state={"status": str(from_)}, to_state={"status": str(to)}, reason=reason
    )


def _due_to_begin(*, now: datetime) -> QuerySet[Campaign]:
    """Return scheduled campaigns whose start has come; a local one comes when the first clocks on Earth show it."""
    first_clock = (now + FIRST_CLOCK_AHEAD).replace(tzinfo=None).isoformat(timespec="seconds")
    found: QuerySet[Campaign] = Campaign.objects.filter(
        Q(start_at__lte=now) | Q(start_at=None, start_at_local__lte=first_clock), status=CampaignStatus.SCHEDULED
    )
    return found


def _finished() -> QuerySet[Campaign]:
    """Return started campaigns that have no open contact and no import under way.

    A contact with a queued, live or undecided call, or with a callback, is open, so calls need no check.
    """
    mine = OuterRef("pk")
    found: QuerySet[Campaign] = Campaign.objects.filter(
        ~Exists(CampaignContact.objects.filter(campaign=mine, state__in=OPEN_STATES)),
        ~Exists(Import.objects.filter(campaign=mine, status__in=_OPEN_IMPORTS)),
        status__in=_STARTED,
    )
    return found


def _has_open_contacts(campaign_id: UUID) -> bool:
    found: bool = CampaignContact.objects.filter(campaign_id=campaign_id, state__in=OPEN_STATES).exists()
    return found


def _winding_down(limit: int) -> list[UUID]:
    return list(
        Campaign.objects.filter(status__in=_STOPPED, ended_at=None).order_by("id").values_list("id", flat=True)[:limit]
    )


def _tell_end(campaign: Campaign, *, end_reason: str, now: datetime) -> None:
    found = stats(campaign.pk)
    event = campaign_events.campaign_ended(
        campaign, end_reason=end_reason, stats=found.counts(), performance=found.performance(), now=now
    )
    record_events([event], now=now)
