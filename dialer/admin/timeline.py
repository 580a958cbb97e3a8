"""Timeline entries in chronological order, shown alike on every page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from dialer.models import Call
from dialer.rules.statuses import CallStatus, Direction, Outcome
from dialer.workspaces.models import AuditEntry
from webhooks.models import ENCRYPTED_OF_ENDPOINT, BatchItem, Delivery, Event

MOST = 200
"""Most rows of one kind to show; a chain has a few dozen."""

OUTCOME_TONES = {
    Outcome.ANSWERED.value: "success",
    Outcome.VOICEMAIL.value: "info",
    Outcome.NO_ANSWER.value: "warning",
    Outcome.BUSY.value: "warning",
    Outcome.NETWORK_ERROR.value: "danger",
    Outcome.INVALID_NUMBER.value: "danger",
    Outcome.DECLINED.value: "warning",
    Outcome.DNC_REQUEST.value: "danger",
    Outcome.UNKNOWN.value: "danger",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened: when, what, and details."""

    at: datetime
    icon: str
    title: str
    tone: str = ""
    badge: str = ""
    who: str = ""
    url: str = ""
    lines: Sequence[str] = field(default_factory=tuple)
    links: Sequence[tuple[str, str, str]] = field(default_factory=tuple)
    """Tone, text and address of each."""


def calls_of_chain(workspace_id: UUID, chain_id: UUID) -> list[Call]:
    rows = Call.objects.in_workspace(workspace_id).filter(chain_id=chain_id)
    return list(rows.defer("transcript", "analysis", "metadata", "schedule").order_by("attempt_number", "id")[:MOST])


def of_calls(calls: Iterable[Call]) -> list[Entry]:
    """Return entries for calls that were handed over, and for calls that ended before that."""
    entries = []
    for call in calls:
        at = call.dialing_at or call.ended_at
        if at is None or call.status == CallStatus.WITHDRAWN:
            continue
        lines = [f"{_clock(name, moment)}" for name, moment in _moments(call) if moment is not None]
        if call.duration_seconds:
            lines.append(f"{call.duration_seconds} s of talk")
        if call.ended_reason and call.ended_reason != call.outcome:
            lines.append(f"reason: {call.ended_reason}")
        entries.append(
            Entry(
                at=at,
                icon="call",
                title=_title(call),
                badge=(call.outcome or call.status).replace("_", " "),
                tone=OUTCOME_TONES.get(call.outcome, "info"),
                url=reverse("admin:dialer_call_change", args=[call.pk]),
                lines=lines,
            )
        )
    return entries


def of_audit(entries: Iterable[AuditEntry]) -> list[Entry]:
    """Return entries that say who did what, and why."""
    return [
        Entry(
            at=entry.at,
            icon="smart_toy" if entry.actor_kind != "user" else "person",
            title=f"{entry.verb.replace('_', ' ').capitalize()}: {entry.object_type.replace('_', ' ')}",
            who=entry.actor_label,
            lines=[text for text in (_change(entry), entry.reason and f"Reason: {entry.reason}") if text],
        )
        for entry in entries
    ]


def of_chain_events(workspace_id: UUID, chain_id: UUID) -> list[Entry]:
    """Return entries for the events of a chain, with their deliveries."""
    rows = Event.objects.in_workspace(workspace_id).filter(chain_id=chain_id).defer("body")
    events = list(rows.order_by("sequence")[:MOST])
    sent = _sent_of([event.pk for event in events])
    return [
        Entry(
            at=event.occurred_at,
            icon="webhook",
            title=event.type,
            url=reverse("admin:webhooks_event_change", args=[event.pk]),
            lines=_lines_of(sent.get(event.pk)),
            links=[
                (
                    _DELIVERY_TONES.get(delivery.status, "info"),
                    f"{name}: {delivery.status}",
                    reverse("admin:webhooks_delivery_change", args=[delivery.pk]),
                )
                for name, delivery in sent.get(event.pk, ())
                if delivery is not None
            ],
        )
        for event in events
    ]


_DELIVERY_TONES = {"delivered": "success", "failed": "danger", "suppressed": "warning"}
_Sent = Sequence[tuple[str, Delivery | None]]


def _sent_of(event_ids: Sequence[UUID]) -> Mapping[UUID, _Sent]:
    """Return the receivers of each event, alone or in a batch; the delivery is missing while its batch still fills."""
    found: dict[UUID, list[tuple[str, Delivery | None]]] = {}
    alone = Delivery.objects.filter(event__in=event_ids).select_related("endpoint")
    for delivery in alone.defer("body", *ENCRYPTED_OF_ENDPOINT)[:MOST]:
        assert delivery.event_id is not None
        found.setdefault(delivery.event_id, []).append((delivery.endpoint.name, delivery))
    items = BatchItem.objects.filter(event__in=event_ids).select_related("endpoint", "delivery")
    for item in items.defer("body", "delivery__body", *ENCRYPTED_OF_ENDPOINT)[:MOST]:
        found.setdefault(item.event_id, []).append((item.endpoint.name, item.delivery))
    return found


def _lines_of(sent: _Sent | None) -> Sequence[str]:
    if not sent:
        return ("No endpoint hears it",)
    return [f"{name}: waits to be sent with others" for name, delivery in sent if delivery is None]


def in_order(*kinds: Iterable[Entry]) -> list[Entry]:
    return sorted((entry for kind in kinds for entry in kind), key=lambda entry: entry.at)


def _moments(call: Call) -> tuple[tuple[str, datetime | None], ...]:
    return (("rang", call.ringing_at), ("answered", call.answered_at), ("ended", call.ended_at))


def _clock(name: str, moment: datetime | None) -> str:
    return f"{name} {timezone.localtime(moment):%H:%M:%S}"


def _change(entry: AuditEntry) -> str:
    names = sorted({*entry.from_state, *entry.to_state})
    told = []
    for name in names:
        before, after = entry.from_state.get(name), entry.to_state.get(name)
        if before and after and before != after:
            told.append(f"{name}: {before} → {after}")
        elif after not in (None, "", [], {}):
            told.append(f"{name}: {after}")
    return "; ".join(told)


def _title(call: Call) -> str:
    number = call.number or "a forgotten number"
    if call.direction == Direction.INBOUND:
        return f"Call from {number}"
    return f"Call {call.attempt_number} to {number}"
