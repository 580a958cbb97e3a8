"""Promises for a local time: they move when the contact's zone or number changes.

Only promises that were made for a local time move. Promises for an instant and retries keep their time; the window on
the new clock is checked when they are dialled, as for every call.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from callbacks import events
from callbacks.models import Callback
from callbacks.rules import explanation
from callbacks.rules.explanation import Code, Step, step
from callbacks.rules.statuses import CallbackStatus
from callbacks.scheduling import instant_of, zone_read_in
from dialer.calls import call_states, context
from dialer.calls.call_states import Moved
from dialer.calls.context import CallContext, Ledger
from dialer.rules.forcing import in_force, moved_to
from dialer.rules.openings import Terms, next_possible
from dialer.rules.statuses import CallStatus
from dialer.workspaces.audit import SYSTEM, Change, record
from dialer.workspaces.instants import written
from webhooks.outbox import record_events

_WRITTEN = (
    "scheduled_at",
    "time_zone",
    "timezone_source",
    "adjusted_from",
    "adjusted_reason",
    "late_event_at",
    "explanation",
    "updated_at",
)
_REASON = "time_zone_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    """A promise at its new time, or due now if that has passed."""

    callback: Callback
    due_at: datetime
    force: dict[str, Any] | None
    was: datetime
    was_in: str


def derive_anew(contact_ids: Sequence[UUID], *, now: datetime) -> list[int]:
    """Move promises for a local time to the instant at which the contacts' clocks now show it; return their ids.

    A promise whose new time has passed is due now, and late. Runs in the transaction that changed the contacts, and
    locks calls before callbacks.
    """
    pending = Callback.objects.filter(contact_id__in=contact_ids, status=CallbackStatus.PENDING.value)
    rows = {row.id: row for row in context.locked_contexts_of(pending.values_list("call_id", flat=True))}
    terms = {row.id: context.terms_of(row) for row in rows.values() if row.status == CallStatus.QUEUED}
    callbacks = [
        callback
        for callback in pending.select_for_update(no_key=True).order_by("id")
        if callback.call_id in terms and callback.time_zone != zone_read_in(terms[callback.call_id])
    ]
    ledger = context.ledger_of(
        ((row.workspace_id, row.phone, terms[row.id]) for b in callbacks if (row := rows[b.call_id])), now=now
    )
    moved = []
    for callback in callbacks:
        call = rows[callback.call_id]
        if callback.local_time:
            moved.append(_derived(callback, call, terms[call.id], ledger, now=now))
        else:
            _show_on(callback, terms[call.id], now=now)
    Callback.objects.bulk_update(callbacks, _WRITTEN)
    call_states.move(
        [
            Moved(
                call_id=(call := rows[move.callback.call_id]).id,
                due_at=move.due_at,
                not_after=call.not_after,
                rank=call.rank,
                force=json.dumps(move.force) if move.force else None,
            )
            for move in moved
        ]
    )
    ids = [move.callback.pk for move in moved]
    record_events(events.of_callbacks(ids, "rescheduled", reason=_REASON, at=now), now=now)
    record(SYSTEM, [_change(move) for move in moved], now=now)
    return ids


def _derived(callback: Callback, call: CallContext, terms: Terms, ledger: Ledger, *, now: datetime) -> _Moved:
    zone = zone_read_in(terms)
    was, was_in = callback.scheduled_at, callback.time_zone
    wanted = instant_of(datetime.fromisoformat(callback.local_time), zone)
    force = context.parsed(call.force)
    possible = next_possible(
        terms,
        at=max(wanted, now),
        ledger=ledger.get((call.workspace_id, call.phone), ()),
        forced=in_force(moved_to(force, wanted), now=now) if force else frozenset(),
    )
    is_past = wanted <= now
    # A late promise keeps the promised time. If it may not be dialled now, placing holds it with a reason.
    at = wanted if is_past else possible.at or wanted
    shifts = () if is_past else possible.shifts
    callback.scheduled_at = at
    callback.adjusted_from = wanted if shifts else None
    callback.adjusted_reason = shifts[0].reason if shifts else ""
    callback.late_event_at = callback.late_event_at if is_past else None
    late = "; that has passed, so it is due now" if is_past else ""
    text = f"The contact's time zone is now {zone}; the local time asked for is {written(wanted)}{late}."
    steps: list[Step] = [step(Code.CLOCK_CHANGED, text, at=now, from_=was, to=wanted)]
    if not is_past:
        steps += explanation.of_shifts(possible, window_level=terms.window.hours_level, at=now)
    callback.explanation = [*callback.explanation, *steps]
    _show_on(callback, terms, now=now)
    return _Moved(
        callback=callback,
        due_at=max(at, now),
        force=moved_to(force, at) if force else None,
        was=was,
        was_in=was_in,
    )


def _show_on(callback: Callback, terms: Terms, *, now: datetime) -> None:
    callback.time_zone = zone_read_in(terms)
    callback.timezone_source = terms.contact.source if terms.contact.zones else terms.fallback.source
    callback.updated_at = now


def _change(move: _Moved) -> Change:
    return Change(
        workspace_id=move.callback.workspace_id,
        verb="reschedule",
        object_type="callback",
        object_id=str(move.callback.pk),
        from_state={"scheduled_at": written(move.was), "time_zone": move.was_in},
        to_state={
            "scheduled_at": written(move.callback.scheduled_at),
            "time_zone": move.callback.time_zone,
        },
        reason=_REASON,
    )
