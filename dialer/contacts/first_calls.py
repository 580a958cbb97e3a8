"""First calls of campaign contacts: computes the earliest time of each (``due_at``).

The time is a lower bound, computed once per set of zones rather than per contact. Placing checks contact limits and
weekends that depend on the contact's country, and postpones calls that come too early.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from dialer.calls import campaign_contacts
from dialer.models import Campaign, CampaignContact
from dialer.rules.statuses import ContactState
from dialer.rules.time_zones import ContactZones, fallback_zone, opening_for
from dialer.rules.window_settings import WEEKDAYS, WEEKEND_OFF, window_in_force
from dialer.workspaces.statements import fetch, run


class _Unscheduled(NamedTuple):
    id: UUID
    zones: str


def schedule(campaign: Campaign, *, limit: int, now: datetime) -> int:
    """Set ``due_at`` for up to ``limit`` waiting contacts that have none yet; returns how many there were.

    A contact whose window has no opening within 366 days is finished with ``no_opening``. Runs in the caller's
    transaction.
    """
    rows = fetch(
        _Unscheduled,
        "unscheduled_contacts",
        """
        SELECT k.id, p.zones::text AS zones FROM dialer_campaigncontact k
        JOIN dialer_contact p ON p.id = k.contact_id
        WHERE k.campaign_id = %(campaign)s AND k.state = 'waiting' AND k.due_at IS NULL
        ORDER BY k.id LIMIT %(limit)s FOR NO KEY UPDATE OF k SKIP LOCKED
        """,
        {"campaign": campaign.id, "limit": limit},
    )
    first_of = {
        zones: _first_opening(campaign, tuple(json.loads(zones)), now=now) for zones in {row.zones for row in rows}
    }
    due = {row.id: first_of[row.zones] for row in rows}
    run(
        "schedule_first_calls",
        """
        UPDATE dialer_campaigncontact k SET due_at = t.due_at
        FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[]) AS t(id, due_at) WHERE k.id = t.id
        """,
        {"ids": [id_ for id_, at in due.items() if at], "due": [at for at in due.values() if at]},
    )
    campaign_contacts.finish(
        [id_ for id_, at in due.items() if at is None],
        state=ContactState.EXHAUSTED,
        end_reason="no_opening",
        now=now,
    )
    return len(rows)


def forget(campaign_id: UUID) -> None:
    """Clear ``due_at`` of the waiting contacts of a campaign whose schedule has changed."""
    CampaignContact.objects.filter(campaign_id=campaign_id, state=ContactState.WAITING, due_at__isnull=False).update(
        due_at=None
    )


def look_again(contact_ids: Sequence[UUID], *, now: datetime) -> None:
    """Recompute the first opening for contacts whose clock has changed, in every campaign where they wait."""
    waiting = CampaignContact.objects.filter(
        contact_id__in=contact_ids, state=ContactState.WAITING, due_at__isnull=False
    )
    campaigns = list(Campaign.objects.filter(pk__in=waiting.values("campaign_id")).select_related("line", "workspace"))
    waiting.update(due_at=None)
    for campaign in campaigns:
        schedule(campaign, limit=len(contact_ids), now=now)


def _first_opening(campaign: Campaign, zones: tuple[str, ...], *, now: datetime) -> datetime | None:
    fallback = fallback_zone(campaign=campaign.time_zone, workspace=campaign.workspace.time_zone)
    earliest = max(now, campaign.start_at or now)
    if campaign.start_at_local:
        earliest = max(earliest, *(_on_clock(campaign.start_at_local, zone) for zone in zones or (fallback.zone,)))
    window = window_in_force(
        call={},
        campaign=_any_weekend(campaign.schedule),
        workspace=_any_weekend(campaign.workspace.schedule),
        country=None,
    ).window
    return opening_for(
        window,
        ContactZones(zones=zones, source=""),
        fallback=fallback,
        at=earliest,
        ring_timeout=timedelta(seconds=campaign.line.ring_timeout_seconds),
    ).at


def _on_clock(text: str, zone: str) -> datetime:
    """Return the first instant at which a clock in ``zone`` shows ``text``, with the offset before a gap."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _any_weekend(schedule_: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schedule without the closed weekend, which depends on the country."""
    return {**schedule_, "days": list(WEEKDAYS)} if schedule_.get("days") == WEEKEND_OFF else schedule_
