"""Blockers: why a campaign is not dialling, in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from dialer.models import Call, Campaign, CampaignContact, Import
from dialer.rules.statuses import LIVE, CampaignStatus, Direction, ImportStatus
from dialer.rules.waits import TEXTS, Waits
from dialer.workspaces.statements import fetch

_SLOW = 15
"""After so many seconds, a due call that nothing holds means that beat or the workers do not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a campaign is doing now."""

    live: int
    next_at: datetime | None
    """When the next call is due; a time in the past means that it waits."""
    obstacles: list[str]
    """Sentences; empty while calls go out."""


def standing(campaign: Campaign, *, now: datetime, say: Callable[[datetime], str]) -> Standing:
    """Return how many calls are live, when the next is due, and what blocks it; runs a few indexed statements.

    ``say`` formats a time for the reader of the sentences.
    """
    live = _live(workspace_id=campaign.workspace_id, campaign_id=campaign.pk)
    next_at, held = _next(campaign)
    sentences = list(_blocked(campaign, live=live, now=now, say=say))
    if campaign.status == CampaignStatus.RUNNING and not sentences:
        sentences = list(_idle(campaign, live=live, next_at=next_at, held=held, now=now, say=say))
    return Standing(live=live, next_at=next_at, obstacles=sentences)


def _blocked(campaign: Campaign, *, live: int, now: datetime, say: Callable[[datetime], str]) -> list[str]:
    """Name what blocks every call of the campaign."""
    match CampaignStatus(campaign.status):
        case CampaignStatus.DRAFT:
            return ["It has not been started."]
        case CampaignStatus.SCHEDULED:
            begins = (
                say(campaign.start_at) if campaign.start_at else f"{campaign.start_at_local} on the contacts' clocks"
            )
            return [f"It is scheduled: it starts at {begins}."]
        case CampaignStatus.PAUSED:
            reason = f" ({campaign.pause_reason.replace('_', ' ')})" if campaign.pause_reason else ""
            return [f"It is paused{reason}: live calls finish, nothing new goes out."]
        case CampaignStatus.COMPLETED | CampaignStatus.CANCELLED | CampaignStatus.FAILED:
            reason = f": {campaign.end_note.replace('_', ' ')}" if campaign.end_note else ""
            return [f"It is {campaign.status}{reason}."]
        case CampaignStatus.RUNNING:
            pass
    return [*_blocked_by_settings(campaign, now=now, say=say), *_slots_taken(campaign, live=live)]


def _blocked_by_settings(campaign: Campaign, *, now: datetime, say: Callable[[datetime], str]) -> list[str]:
    found = []
    line = campaign.line
    if campaign.start_at is not None and campaign.start_at > now:
        found.append(f"It starts at {say(campaign.start_at)}.")
    if line.archived_at is not None:
        found.append(f"Its line {line.name} is archived.")
    if line.down_until is not None and line.down_until > now:
        why = f" ({line.down_reason})" if line.down_reason else ""
        found.append(f"The carrier of line {line.name} cannot be reached{why}; tried again at {say(line.down_until)}.")
    if campaign.persona.archived_at is not None:
        found.append(f"Its persona {campaign.persona.name} is archived.")
    return found


def _slots_taken(campaign: Campaign, *, live: int) -> list[str]:
    """Name the limits that other campaigns have used up; the campaign's own live calls do not count."""
    found = []
    limits: tuple[tuple[str, int | None, dict[str, UUID]], ...] = (
        ("The campaign's", campaign.max_concurrent_calls, {"campaign_id": campaign.pk}),
        (f"Line {campaign.line.name}'s", campaign.line.max_concurrent_calls, {"line_id": campaign.line_id}),
        ("The workspace's", campaign.workspace.max_concurrent_calls, {}),
    )
    for whose, limit, of in limits:
        if limit is not None and not live and limit <= _live(workspace_id=campaign.workspace_id, **of):
            found.append(f"{whose} {limit} concurrent calls are all taken.")
    return found


def _idle(
    campaign: Campaign,
    *,
    live: int,
    next_at: datetime | None,
    held: str,
    now: datetime,
    say: Callable[[datetime], str],
) -> list[str]:
    """Say what a running campaign without live calls waits for."""
    if live:
        return []
    if next_at is None:
        coming = (ImportStatus.UPLOADING, ImportStatus.WAITING, ImportStatus.RUNNING)
        if Import.objects.filter(campaign=campaign, status__in=coming).exists():
            return ["Its contacts are being imported."]
        return ["Every contact has been called, and no callback is pending: it completes automatically."]
    if next_at > now:
        why = f" ({TEXTS[Waits(held)] if held in set(Waits) else held.replace('_', ' ')})" if held else ""
        return [f"The next call is due at {say(next_at)}{why}."]
    if (now - next_at).total_seconds() > _SLOW:
        return [f"A call has been due since {say(next_at)} and nothing dials it: do beat and the workers run?"]
    return []


def _live(*, workspace_id: UUID, **of: UUID) -> int:
    rows = Call.objects.filter(workspace_id=workspace_id, status__in=LIVE, direction=Direction.OUTBOUND.value, **of)
    count: int = rows.count()
    return count


class _Queued(NamedTuple):
    due_at: datetime
    held_reason: str


def _next(campaign: Campaign) -> tuple[datetime | None, str]:
    """Find the earliest queued call, with the reason that holds it, or the earliest first call."""
    rows = fetch(
        _Queued,
        "next_calls_of_campaign",
        """
        SELECT c.due_at, c.held_reason FROM (VALUES (0), (1), (2), (3)) AS r(rank)
        CROSS JOIN LATERAL (
            SELECT due_at, held_reason FROM dialer_call
            WHERE workspace_id = %(workspace)s AND campaign_id = %(campaign)s AND status = 'queued'
                AND lease_until IS NULL AND rank = r.rank
            ORDER BY due_at, id LIMIT 1
        ) c
        """,
        {"workspace": campaign.workspace_id, "campaign": campaign.pk},
    )
    found = [(row.due_at, row.held_reason) for row in rows]
    waiting = CampaignContact.objects.filter(campaign=campaign, state="waiting").exclude(due_at=None)
    first = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    if first is not None:
        found.append((first, ""))
    return min(found, default=(None, ""))
