"""Who receives an event: in SQL for the outbox, and with reasons for the audience routes and pages.

A test checks that both agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from webhooks.models import ENCRYPTED, Endpoint
from webhooks.rules.audience import HEARING, TEXTS, Occasion, Reason, Receiver, reason_for
from webhooks.rules.statuses import ALL_EVENTS, BatchType, Profile, Purpose, ScopeType, replaces_subscriptions

_SUBSCRIPTIONS = """
    SELECT g.id AS event_id, p.id AS endpoint_id, p.profile, p.ordered
    FROM given g JOIN webhooks_endpoint p ON p.workspace_id = g.workspace_id
    WHERE p.purpose = 'subscription' AND p.deleted_at IS NULL AND g.is_subscribed
        AND CASE p.profile WHEN 'batch' THEN g.batch_type <> '' AND p.events && ARRAY['*', g.batch_type]::varchar[]
                           ELSE p.events && ARRAY['*', g.type]::varchar[] END
        AND CASE p.scope_type WHEN 'workspace' THEN true WHEN 'campaign' THEN p.scope_id = g.campaign_id
                              ELSE p.scope_id = g.persona_id END
"""
_STATUS_URLS = """
    UNION ALL SELECT g.id, p.id, p.profile, p.ordered
    FROM given g JOIN webhooks_endpoint p ON p.scope_id = g.campaign_id AND p.purpose = 'status'
    WHERE p.deleted_at IS NULL AND p.events && ARRAY[g.type]::varchar[]
"""
_NAMED = """
    UNION ALL SELECT t.event_id, p.id, p.profile, p.ordered
    FROM unnest(%(named_events)s::uuid[], %(named_endpoints)s::uuid[]) AS t (event_id, endpoint_id)
    JOIN webhooks_endpoint p ON p.id = t.endpoint_id AND p.deleted_at IS NULL
"""


def hearing(*, has_status: bool, has_named: bool) -> str:
    """Return the query for the receivers of the events in ``given``: event, endpoint, profile and order.

    It covers subscriptions, with ``has_status`` the URLs of campaigns, with ``has_named`` endpoints given by id.
    """
    return _SUBSCRIPTIONS + (_STATUS_URLS if has_status else "") + (_NAMED if has_named else "")


def is_for_subscriptions(event: str, inline_webhooks: Sequence[Mapping[str, Any]] | None) -> bool:
    """Return whether subscriptions receive the event; webhooks given with a call may replace them."""
    return inline_webhooks is None or not replaces_subscriptions(event)


def given_with_it(
    inline_webhooks: Sequence[Mapping[str, Any]], *, event: str, batch_type: BatchType | None
) -> set[UUID]:
    """Return the endpoints of the webhooks given with a call or campaign that list the event, each once."""
    words = {ALL_EVENTS, event}
    words_in_batches = {ALL_EVENTS, batch_type.value} if batch_type else set()
    return {
        UUID(entry["endpoint_id"])
        for entry in inline_webhooks
        if not (words_in_batches if entry["profile"] == Profile.BATCH else words).isdisjoint(entry["events"])
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one receiver would get the event, and why or why not."""

    endpoint: Endpoint
    events: Sequence[str]
    """The events it subscribes to; for a webhook given with a call, the events listed there."""
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
    """Judge every subscription of the workspace, the campaign's status URLs, and the webhooks given with the call.

    Those that would get the event come first.
    """
    listed: dict[UUID, list[str]] = {}
    for entry in inline_webhooks:
        listed.setdefault(UUID(entry["endpoint_id"]), []).extend(entry["events"])
    asked = Q(purpose=Purpose.SUBSCRIPTION.value) | Q(pk__in=list(listed))
    if occasion.campaign_id is not None:
        asked |= Q(purpose=Purpose.STATUS.value, scope_id=occasion.campaign_id)
    rows = Endpoint.objects.in_workspace(workspace_id).filter(asked, deleted_at=None).defer(*ENCRYPTED)
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
