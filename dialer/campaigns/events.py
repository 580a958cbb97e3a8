"""Events of campaigns, in the envelope profile."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from dialer.campaigns.report import report_url
from dialer.models import Campaign
from dialer.rules import status_callbacks
from dialer.workspaces.instants import written
from webhooks.outbox import NewEvent


def campaign_started(campaign: Campaign, *, contacts: int, now: datetime) -> NewEvent:
    return _campaign_event(
        campaign,
        "campaign.started",
        {"total_contacts": contacts, "started_at": written(now)},
        now=now,
        unique_key=f"campaign.started:{campaign.id}",
    )


def campaign_paused(campaign: Campaign, *, reason: str, now: datetime) -> NewEvent:
    return _campaign_event(campaign, "campaign.paused", {"reason": reason, "paused_at": written(now)}, now=now)


def campaign_resumed(campaign: Campaign, *, now: datetime) -> NewEvent:
    return _campaign_event(campaign, "campaign.resumed", {"resumed_at": written(now)}, now=now)


def campaign_failed(campaign: Campaign, *, reason: str, now: datetime) -> NewEvent:
    return _campaign_event(
        campaign,
        "campaign.failed",
        {"error": reason, "failed_at": written(now)},
        now=now,
        unique_key=f"campaign.failed:{campaign.id}",
    )


def campaign_ended(
    campaign: Campaign, *, end_reason: str, stats: Mapping[str, int], performance: Mapping[str, float], now: datetime
) -> NewEvent:
    """The campaign is over: no call is live, no callback pending; recorded once per campaign."""
    return _campaign_event(
        campaign,
        "campaign.ended",
        {"end_reason": end_reason, "stats": dict(stats), "performance": dict(performance)},
        now=now,
        unique_key=f"campaign.ended:{campaign.id}",
        status=lambda: status_callbacks.campaign_done(
            campaign=campaign.public_id,
            status=end_reason,
            created_at=campaign.created_at,
            ended_at=now,
            report_url=report_url(campaign.pk, now=now),
            zone=campaign.time_zone or campaign.workspace.time_zone,
        ),
    )


def _campaign_event(
    campaign: Campaign,
    type_: str,
    data: Mapping[str, Any],
    *,
    now: datetime,
    unique_key: str | None = None,
    status: Callable[[], Mapping[str, object]] | None = None,
) -> NewEvent:
    """Build an event for the subscriptions, and for those of the campaign's inline webhooks that list it."""
    return NewEvent(
        workspace_id=campaign.workspace_id,
        type=type_,
        occurred_at=now,
        data={"campaign_id": campaign.public_id, "campaign_name": campaign.name, **data},
        metadata=campaign.metadata,
        campaign_id=campaign.id,
        persona_id=campaign.persona_id,
        unique_key=unique_key,
        inline_webhooks=campaign.config_webhooks,
        status=status,
    )
