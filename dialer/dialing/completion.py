"""Completion: writes the outcome of calls, decides what follows, records the events.

A batch is one transaction. The decision runs in a savepoint: if it fails, the outcomes stand, and the sweep
decides later, one call at a time, and records the events then.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import OperationalError, transaction

from dialer.calls import call_states, campaign_contacts, context, events
from dialer.calls.campaign_contacts import AfterCall
from dialer.calls.chains import chains_of
from dialer.calls.context import CallContext
from dialer.calls.listener import CallEnd, EndedCall, FollowUp, listener
from dialer.contacts import suppressions
from dialer.rules.statuses import CallStatus, ContactState, Outcome
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import Id, fetch, run
from webhooks.outbox import NewEvent, record_events

log = logging.getLogger(__name__)

UNDECIDED_WAIT = timedelta(minutes=1)
"""How long to wait after a decision has failed again."""

_FINAL = (CallStatus.ENDED, CallStatus.WITHDRAWN)
_STANDS_AFTER_CANCEL = (Outcome.ANSWERED, Outcome.UNKNOWN)
"""Outcomes that a cancel does not change, because the call connected or may have connected."""
_STATE_BY_OUTCOME = {
    Outcome.ANSWERED: ContactState.REACHED,
    Outcome.DNC_REQUEST: ContactState.SUPPRESSED,
    Outcome.INVALID_NUMBER: ContactState.INVALID,
    Outcome.CANCELLED: ContactState.CANCELLED,
}


def record_ends(ends: Sequence[CallEnd], *, now: datetime, locked: Sequence[CallContext] | None = None) -> list[UUID]:
    """End calls that have not ended; returns their ids. The first of several ends of one call counts.

    Runs in one transaction, or in the caller's. A caller that holds the calls' locks passes their
    contexts as ``locked``, and must have called :func:`suppress_who_asked` before it locked them.
    """
    first: dict[UUID, CallEnd] = {}
    for end in ends:
        first.setdefault(end.call_id, end)
    with transaction.atomic():
        if locked is None:
            suppress_who_asked([end.call_id for end in ends if end.outcome is Outcome.DNC_REQUEST], now=now)
            locked = context.locked_contexts_of(first)
        rows = [call for call in locked if call.id in first and call.status not in _FINAL]
        if not rows:
            return []
        ended = [EndedCall(call=call, end=_corrected(first[call.id], call, now=now)) for call in rows]
        call_states.end([each.end for each in ended])
        attempted = [
            events.call_attempted(each.call, each.end)
            for each in ended
            if each.call.dialing_at is not None and not each.call.is_inbound
        ]
        try:
            with transaction.atomic():
                followed = _make_follow_ups(ended, now=now)
                record_events([*attempted, *followed], now=now)
        except OperationalError:
            # After a deadlock or a lost connection nothing stays undecided: the caller repeats the whole transaction.
            raise
        except Exception:
            # The outcomes are facts and must be kept, even if the decision fails.
            log.exception("follow_up.failed calls=%s", [str(call.id) for call in rows])
            record_events(attempted, now=now)
            run(
                "mark_undecided",
                "UPDATE dialer_call SET follow_up_pending = true WHERE id = ANY(%(ids)s)",
                {"ids": [call.id for call in rows]},
            )
        return [call.id for call in rows]


def decide_undecided(*, limit: int, now: datetime) -> int:
    """Decide what follows calls whose decision failed, each in its own transaction; returns how many succeeded.

    A call that fails again is skipped for a while, so that the others have their turn.
    """
    decided = 0
    for row in fetch(
        Id,
        "undecided_calls",
        """
        SELECT id FROM dialer_call WHERE follow_up_pending AND (check_at IS NULL OR check_at <= %(now)s)
        ORDER BY id LIMIT %(limit)s
        """,
        {"limit": limit, "now": now},
    ):
        try:
            with transaction.atomic():
                decided += _decide_one(row.id, now=now)
        except Exception:
            # One call that cannot be decided must not block the others; it stays marked and is tried again.
            log.exception("follow_up.failed_again call=%s", row.id)
            run(
                "decide_later",
                "UPDATE dialer_call SET check_at = %(at)s WHERE id = %(id)s AND follow_up_pending",
                {"id": row.id, "at": now + UNDECIDED_WAIT},
            )
    return decided


class _UndecidedEnd(NamedTuple):
    outcome: str
    ended_reason: str
    ended_at: datetime
    duration_seconds: int | None


def _decide_one(call_id: UUID, *, now: datetime) -> bool:
    rows = context.locked_contexts_of([call_id])
    ends = fetch(
        _UndecidedEnd,
        "undecided_end",
        """
        SELECT outcome, ended_reason, ended_at, duration_seconds FROM dialer_call
        WHERE id = %(id)s AND follow_up_pending
        """,
        {"id": call_id},
    )
    if not ends:
        return False
    (call,) = rows
    (end,) = ends
    told = CallEnd(
        call_id=call_id,
        outcome=Outcome(end.outcome),
        ended_reason=end.ended_reason,
        at=end.ended_at,
        duration_seconds=end.duration_seconds,
        transcript=call.transcript,
        recording_url=call.recording_url,
        ringing_at=call.ringing_at,
        answered_at=call.answered_at,
    )
    record_events(_make_follow_ups([EndedCall(call=call, end=told)], now=now), now=now)
    run(
        "mark_decided",
        "UPDATE dialer_call SET follow_up_pending = false, check_at = NULL WHERE id = %(id)s",
        {"id": call_id},
    )
    return True


def suppress_who_asked(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """Suppress the numbers of calls that end ``dnc_request``; must run before any call is locked (lock order)."""
    if not call_ids:
        return
    rows = context.contexts_of(call_ids)
    # The wish came from the number that was dialled; the contact may have another by now, or be forgotten.
    numbers = {call.id: sorted({call.number, call.phone} - {""}) for call in rows}
    lock_numbers((call.workspace_id, number) for call in rows for number in numbers[call.id])
    for call in rows:
        suppressions.add_in_transaction(
            call.workspace_id, numbers[call.id], reason="dnc_request", source=str(call.id), now=now
        )


def _corrected(end: CallEnd, call: CallContext, *, now: datetime) -> CallEnd:
    """Return the end corrected by what people said about the call earlier, and with the times of the call."""
    outcome, reason = end.outcome, end.ended_reason
    if outcome is Outcome.VOICEMAIL and call.person_confirmed_at is not None:
        outcome, reason = Outcome.ANSWERED, reason_of_a_talk(reason)
    if outcome is Outcome.ANSWERED and call.dnc_requested_at is not None:
        outcome, reason = Outcome.DNC_REQUEST, "dnc_request"
    elif call.cancel_requested_at is not None and call.answered_at is None and outcome not in _STANDS_AFTER_CANCEL:
        outcome, reason = Outcome.CANCELLED, "cancelled"
    return end._replace(
        outcome=outcome,
        ended_reason=reason,
        # A carrier's clock may be wrong; retries need a time between hand-over and now.
        at=min(max(end.at, call.dialing_at or end.at), now),
        transcript=end.transcript or call.transcript,
        recording_url=end.recording_url or call.recording_url,
        ringing_at=call.ringing_at or end.ringing_at,
        answered_at=call.answered_at or end.answered_at,
    )


def reason_of_a_talk(reason: str) -> str:
    """Return ``ended_reason`` for a call that first counted as voicemail: nobody knows who hung up."""
    return "unknown" if reason == Outcome.VOICEMAIL else reason


def _make_follow_ups(ended: Sequence[EndedCall], *, now: datetime) -> list[NewEvent]:
    """Let the listener decide, move the campaign contacts, and return the events in their order."""
    follow_ups = listener().calls_ended(ended, now=now)
    chains = chains_of(
        [each.call.chain_id for each in ended if not follow_ups[each.call.id].pending and each.call.attempt_number > 1]
    )
    told: list[NewEvent] = []
    moved: list[AfterCall] = []
    for each in ended:
        call, end, follow_up = each.call, each.end, follow_ups[each.call.id]
        told.extend(follow_up.events)
        told.append(events.call_ended(call, end, follow_up))
        chain = chains.get(call.chain_id) or events.only_call(call, end)
        if follow_up.pending is None and not call.is_inbound:
            told.append(
                events.call_exhausted(
                    call,
                    chain,
                    result="reached" if end.outcome is Outcome.ANSWERED or chain.was_reached else "exhausted",
                    reason=follow_up.stop,
                    attempts=call.attempt_number,
                    at=end.at,
                )
            )
        if call.campaign_contact_id:
            state = _contact_state(end.outcome, follow_up)
            has_been_reached = state is ContactState.EXHAUSTED and chain.was_reached
            moved.append(
                AfterCall(
                    id=call.campaign_contact_id,
                    state=ContactState.REACHED if has_been_reached else state,
                    end_reason="" if follow_up.pending else follow_up.stop,
                    result=end.outcome,
                )
            )
    campaign_contacts.move_after_calls(moved, now=now)
    return told


def _contact_state(outcome: Outcome, follow_up: FollowUp) -> ContactState:
    if follow_up.pending is not None:
        return ContactState.CALLBACK_PENDING
    if follow_up.stop == "suppressed":
        return ContactState.SUPPRESSED
    return _STATE_BY_OUTCOME.get(outcome, ContactState.EXHAUSTED)
