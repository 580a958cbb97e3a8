"""Who would receive an event: every possible receiver, with the reason why or why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from webhooks.models import Endpoint
from webhooks.rules.audience import HEARING, TEXTS, Occasion, Reason, Receiver, reason_for
from webhooks.rules.statuses import Profile, Purpose, ScopeType


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one receiver would be sent the event at once."""

    endpoint: Endpoint
    events: Sequence[str]
    """What it listens to; of a webhook given with a call, what that lists."""
    reason: Reason

    @property
    def hears(self) -> bool:
        return self.reason in HEARING

    @property
    def text(self) -> str:
        return TEXTS[self.reason]


def audience(
    workspace_id: UUID, occasion: Occasion, *, inline_webhooks: Sequence[Mapping[str, Any]] = ()
) -> list[Verdict]:
    """Judge every subscription of the workspace, the campaign's status URLs, and what was given with the call.

    Those that hear come first.
    """
    listed: dict[UUID, list[str]] = {}
    for entry in inline_webhooks:
        listed.setdefault(UUID(entry["endpoint_id"]), []).extend(entry["events"])
    asked = Q(purpose=Purpose.SUBSCRIPTION.value) | Q(pk__in=list(listed))
    if occasion.campaign_id is not None:
        asked |= Q(purpose=Purpose.STATUS.value, scope_id=occasion.campaign_id)
    rows = Endpoint.objects.in_workspace(workspace_id).filter(asked, deleted_at=None).defer("secret", "next_secret")
    verdicts = [
        Verdict(endpoint=row, events=events, reason=reason_for(_receiver(row, events), occasion))
        for row in rows.order_by("name", "id")
        for events in [listed.get(row.id, row.events)]
    ]
    return sorted(verdicts, key=lambda verdict: not verdict.hears)


def _receiver(row: Endpoint, events: Sequence[str]) -> Receiver:
    return Receiver(
        purpose=Purpose(row.purpose),
        profile=Profile(row.profile),
        events=events,
        scope_type=ScopeType(row.scope_type),
        scope_id=row.scope_id,
        is_active=row.is_active,
        is_paused=row.paused_at is not None,
    )
