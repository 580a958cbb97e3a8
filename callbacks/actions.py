"""The operator's five actions on a pending callback, one guarded verb each.

Every verb locks the call before the callback, as placing does, and refuses a callback that is being dialled. It writes
an audit entry; the verbs that move a callback also add a step to its explanation.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from callbacks import events
from callbacks.follow_ups import decision_on, make_retries
from callbacks.models import Callback
from callbacks.refusals import ContactSuppressed, NotARetry, OutsideWindow
from callbacks.rules.explanation import Code, Step, step
from callbacks.rules.statuses import CallbackStatus, CallbackType
from callbacks.scheduling import Force, check_ahead
from dialer.calls import call_states, calls, campaign_contacts, context
from dialer.calls.call_states import Moved
from dialer.calls.chains import NOTHING_DIALLED, chains_of
from dialer.calls.context import CallContext
from dialer.calls.events import call_exhausted
from dialer.calls.listener import CallEnd, EndedCall
from dialer.rules.openings import next_possible
from dialer.rules.statuses import CallStatus, ContactState, Outcome, Rank
from dialer.rules.waits import Waits
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.instants import written
from dialer.workspaces.transitions import TransitionConflict
from webhooks.outbox import record_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A pending callback with its call's context, both locked."""

    callback: Callback
    call: CallContext


def call_now(
    callback_id: int,
    *,
    workspace_id: UUID,
    actor: Actor,
    now: datetime,
    force: Force | None = None,
    reason: str = "",
) -> Callback:
    """Make the callback due now, ahead of all others; ``force`` passes the window, a contact limit or a pause.

    Raises ``ContactSuppressed``, ``OutsideWindow`` or ``TransitionConflict``.
    """
    with opened(callback_id, workspace_id=workspace_id, to="due now") as row:
        _refuse_unless_possible(row, at=now, force=force, now=now)
        text = "An operator wants the call at once."
        _move(row, now, rank=Rank.CALL_NOW, force=force, steps=[step(Code.CALL_NOW, text, at=now, to=now)], now=now)
        moved = {"scheduled_at": written(now)}
        leave_trace(row, "call_now", actor, to_state=moved, reason=reason, force=force, now=now)
        record_events(events.of_callbacks([callback_id], "rescheduled", reason="call_now", at=now), now=now)
    return Callback.objects.get(pk=callback_id)


def reschedule(
    callback_id: int,
    *,
    workspace_id: UUID,
    scheduled_at: datetime,
    actor: Actor,
    now: datetime,
    force: Force | None = None,
    reason: str = "",
) -> Callback:
    """Move the callback to another time, unless the rules forbid that time and ``force`` does not pass them.

    Raises ``InvalidTime``, ``ContactSuppressed``, ``OutsideWindow`` with the next permitted time, or
    ``TransitionConflict``.
    """
    wanted = check_ahead(scheduled_at, now=now)
    with opened(callback_id, workspace_id=workspace_id, to="rescheduled") as row:
        _refuse_unless_possible(row, at=wanted, force=force, now=now)
        text = f"An operator moved it from {written(row.callback.scheduled_at)}."
        steps = [step(Code.RESCHEDULED, text, at=now, from_=row.callback.scheduled_at, to=wanted)]
        rank = Rank.RETRY if row.callback.type == CallbackType.AUTO_RETRY else Rank.PROMISED
        rank = force.rank(rank) if force else rank
        _move(row, wanted, rank=rank, force=force, steps=steps, now=now)
        moved = {"scheduled_at": written(wanted)}
        leave_trace(row, "reschedule", actor, to_state=moved, reason=reason, force=force, now=now)
        record_events(events.of_callbacks([callback_id], "rescheduled", reason=reason, at=now), now=now)
    return Callback.objects.get(pk=callback_id)


def skip(callback_id: int, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "") -> Callback:
    """Use up this retry without a call.

    The next retry is scheduled from ``max(scheduled_at, now)``; without one the chain ends ``exhausted``. Raises
    ``NotARetry`` or ``TransitionConflict``.
    """
    with opened(callback_id, workspace_id=workspace_id, to=CallbackStatus.SKIPPED) as row:
        if row.callback.type != CallbackType.AUTO_RETRY:
            raise NotARetry
        calls.withdraw([row.call.id], why=Withdrawal.SKIPPED, now=now, ends_chain=False)
        _retry_after_skip(row, now=now)
        leave_trace(row, "skip", actor, to_state={"status": "skipped"}, reason=reason, now=now)
    return Callback.objects.get(pk=callback_id)


def cancel(callback_id: int, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "") -> Callback:
    """Cancel the callback and all future retries of its chain; raises ``TransitionConflict``."""
    with _finished(callback_id, Withdrawal.CANCELLED, workspace_id=workspace_id, now=now) as row:
        leave_trace(row, "cancel", actor, to_state={"status": "cancelled"}, reason=reason, now=now)
    return Callback.objects.get(pk=callback_id)


def complete(callback_id: int, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "") -> Callback:
    """Mark the callback as handled by other means, which ends its chain; raises ``TransitionConflict``."""
    with _finished(callback_id, Withdrawal.COMPLETED, workspace_id=workspace_id, now=now) as row:
        Callback.objects.filter(pk=callback_id).update(completed_by=actor.kind)
        leave_trace(row, "complete", actor, to_state={"status": "completed"}, reason=reason, now=now)
    return Callback.objects.get(pk=callback_id)


@contextmanager
def _finished(callback_id: int, why: Withdrawal, *, workspace_id: UUID, now: datetime) -> Iterator[Opened]:
    """Withdraw the call of a pending callback, and end its chain."""
    with opened(callback_id, workspace_id=workspace_id, to=why) as row:
        calls.withdraw([row.call.id], why=why, now=now)
        # A callback may be promised while a call is live. When that call ends, it must not make a retry.
        calls.settle_live(row.call.chain_id, now=now)
        yield row


@contextmanager
def opened(callback_id: int, *, workspace_id: UUID, to: str) -> Iterator[Opened]:
    """Lock a pending callback and its call in one transaction; raises ``TransitionConflict`` for any other state."""
    with transaction.atomic():
        callback = Callback.objects.in_workspace(workspace_id).get(pk=callback_id)
        call = context.locked_contexts_of([callback.call_id])[0]
        callback = Callback.objects.select_for_update(no_key=True).get(pk=callback_id)
        if callback.status != CallbackStatus.PENDING or call.status != CallStatus.QUEUED:
            from_ = callback.status if callback.status != CallbackStatus.PENDING else call.status
            raise TransitionConflict(what=f"callback {callback_id}", from_=from_, to=to)
        yield Opened(callback=callback, call=call)


def _refuse_unless_possible(row: Opened, *, at: datetime, force: Force | None, now: datetime) -> None:
    call = row.call
    if call.is_suppressed:
        raise ContactSuppressed
    forced = force.checks if force else frozenset()
    if at <= now and call.campaign_status not in (None, "running") and Waits.CAMPAIGN_PAUSED not in forced:
        raise OutsideWindow(Waits.CAMPAIGN_PAUSED, None)
    terms = context.terms_of(call)
    ledger = context.ledger_of([(call.workspace_id, call.phone, terms)], now=now)
    possible = next_possible(terms, at=at, ledger=ledger.get((call.workspace_id, call.phone), ()), forced=forced)
    if possible.shifts or possible.at is None:
        raise OutsideWindow(possible.shifts[0].reason if possible.shifts else Waits.OUTSIDE_WINDOW, possible.at)


def _move(row: Opened, at: datetime, *, rank: Rank, force: Force | None, steps: list[Step], now: datetime) -> None:
    """Give the call another time and raise its generation, so that a published message no longer claims it."""
    if force:
        checks = ", ".join(sorted(force.checks))
        steps.append(step(Code.FORCED, f"Forced past {checks}: {force.reason}", at=now))
    call = row.call
    stale_after = timedelta(hours=call.stale_after_hours)
    call_states.move(
        [
            Moved(
                call_id=call.id,
                due_at=at,
                not_after=at + stale_after if call.not_after else None,
                rank=rank,
                force=json.dumps(force.stored(at=at)) if force else None,
            )
        ]
    )
    Callback.objects.filter(pk=row.callback.pk).update(
        scheduled_at=at,
        local_time="",
        adjusted_from=None,
        adjusted_reason="",
        late_event_at=None,
        explanation=[*row.callback.explanation, *steps],
        updated_at=now,
    )


def _retry_after_skip(row: Opened, *, now: datetime) -> None:
    """Schedule the next retry as if the skipped call had failed like the one before it, or end the chain."""
    call, callback = row.call, row.callback
    origin, number = callback.origin_call_id, call.attempt_number - 1
    assert origin is not None  # a retry follows a call
    end = CallEnd(
        call_id=origin,
        outcome=Outcome(callback.original_outcome),
        ended_reason="skipped",
        at=max(callback.scheduled_at, now),
    )
    # The skipped call was never made, so the next retry takes its number and its origin call.
    skipped = EndedCall(call=call._replace(id=origin, attempt_number=number), end=end)
    decision = decision_on(skipped, has_pending=False)
    made = make_retries([decision], now=now, is_skip=True)
    if made:
        record_events([new.event for new in made.values()], now=now)
        return
    # A chain that reached the contact keeps that result, even if a later promise was never kept.
    chain = chains_of([call.chain_id]).get(call.chain_id, NOTHING_DIALLED)
    state = ContactState.REACHED if chain.was_reached else ContactState.EXHAUSTED
    reason = decision.stop or "no_opening"
    record_events([call_exhausted(call, chain, result=state.value, reason=reason, attempts=number, at=now)], now=now)
    if call.campaign_contact_id:
        campaign_contacts.finish([call.campaign_contact_id], state=state, end_reason=reason, now=now)


def leave_trace(
    row: Opened,
    verb: str,
    actor: Actor,
    *,
    to_state: dict[str, Any],
    reason: str,
    force: Force | None = None,
    now: datetime,
) -> None:
    """Write the audit entry of a verb: actor, old and new state, reason, and the checks that were forced."""
    change = Change.of(
        row.callback,
        "callback",
        verb,
        from_state={"status": row.callback.status, "scheduled_at": written(row.callback.scheduled_at)},
        to_state={**to_state, "forced": sorted(force.checks)} if force else to_state,
        reason=reason or (force.reason if force else ""),
    )
    record(actor, [change], now=now)
