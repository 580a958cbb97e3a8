"""Applies what happens to a queued call to its callback, and decides what follows a call that has ended.

Implements :class:`dialer.calls.listener.CallListener`. Everything works on batches, in the dialer's transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from callbacks import callback_states, events
from callbacks.callers import INBOUND_CALL, complete_for_callers
from callbacks.forgetting import forget_texts
from callbacks.local_times import derive_anew
from callbacks.resuming import reschedule_missed
from callbacks.retry_settings import settings_of
from callbacks.rules import explanation
from callbacks.rules.retry import Resolved, Retry, Stop, decide
from callbacks.rules.statuses import CallbackStatus, CallbackType
from callbacks.scheduled import NewCallback, insert
from dialer.calls import call_states, calls, context
from dialer.calls.call_states import QueuedCall
from dialer.calls.context import CallContext, parsed
from dialer.calls.listener import EndedCall, FollowUp, PendingCallback
from dialer.rules.openings import next_possible
from dialer.rules.statuses import Outcome, Rank
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.statements import fetch, run
from webhooks.outbox import NewEvent, record_events

_STATUS_WHEN_WITHDRAWN = {
    Withdrawal.SKIPPED: CallbackStatus.SKIPPED,
    Withdrawal.SUPERSEDED: CallbackStatus.SUPERSEDED,
    Withdrawal.COMPLETED: CallbackStatus.COMPLETED,
    Withdrawal.INBOUND_CALL: CallbackStatus.COMPLETED,
    Withdrawal.EXPIRED: CallbackStatus.EXPIRED,
}
"""The status of a callback whose call is withdrawn, by reason; any other reason cancels it."""
_REASON_TOLD = {Withdrawal.EXPIRED: "stale_for_7_days"}
"""The reason in ``callback.*`` events where the withdrawal's code would only repeat the event's name."""
_ENDS_RETRIES = (Outcome.ANSWERED, Outcome.DNC_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rules decide for an ended call; ``stop`` is empty where a retry follows."""

    ended: EndedCall
    settings: Resolved
    retry: Retry | None
    stop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A scheduled retry and its event, which the caller records."""

    pending: PendingCallback
    event: NewEvent


class Callbacks:
    """Updates the callback queue for each thing that happens to a call."""

    def calls_dialling(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        callback_states.dial(call_ids, now=now)

    def calls_put_back(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        """Make the callbacks of these calls pending again; withdraw a call if another callback is pending by now."""
        in_the_way = callback_states.put_back(call_ids, now=now)
        calls.withdraw(in_the_way, why=Withdrawal.SUPERSEDED, now=now)

    def calls_missed(self, call_ids: Sequence[UUID], *, now: datetime) -> None:
        reschedule_missed(call_ids, now=now)

    def calls_withdrawn(self, call_ids: Sequence[UUID], why: Withdrawal, *, now: datetime) -> None:
        status = _STATUS_WHEN_WITHDRAWN.get(why, CallbackStatus.CANCELLED)
        completed_by = INBOUND_CALL if why is Withdrawal.INBOUND_CALL else ""
        ids = callback_states.withdraw(call_ids, to=status, completed_by=completed_by, now=now)
        reason = _REASON_TOLD.get(why, why)
        record_events(events.of_callbacks(ids, status.value, reason=reason, at=now), now=now)

    def contacts_rezoned(self, contact_ids: Sequence[UUID], *, now: datetime) -> None:
        derive_anew(contact_ids, now=now)

    def contact_forgotten(self, contact_id: UUID, *, workspace_id: UUID) -> None:
        forget_texts(contact_id, workspace_id=workspace_id)

    def calls_ended(self, ended: Sequence[EndedCall], *, now: datetime) -> Mapping[UUID, FollowUp]:
        """Close the callbacks of these calls, cancel retries that an answer made needless, and make new retries."""
        callback_states.finish([each.call.id for each in ended], now=now)
        ours = [each for each in ended if not each.call.is_inbound]
        theirs = [each for each in ended if each.call.is_inbound]
        cancel_needless_retries([each.call for each in ours if each.end.outcome in _ENDS_RETRIES], now=now)
        complete_for_callers(theirs, now=now)
        pending = _pending_of([each.call for each in ended])
        _keep_outcomes(ended, pending)
        decisions = [decision_on(each, has_pending=_key(each.call) in pending) for each in ours]
        made = make_retries(decisions, now=now)
        follow_ups = {decision.ended.call.id: _follow_up(decision, made, pending) for decision in decisions}
        return follow_ups | {each.call.id: _after_their_call(each, pending) for each in theirs}


class _Needless(NamedTuple):
    call_id: UUID
    chain_id: UUID


def cancel_needless_retries(answered: Sequence[CallContext], *, now: datetime) -> None:
    """Withdraw the pending retries of contacts who were reached, in the campaign of the call; promises stay.

    The caller decides what follows in the chains of the answered calls.
    """
    if not answered:
        return
    rows = fetch(
        _Needless,
        "needless_retries",
        """
        SELECT b.call_id, c.chain_id FROM callbacks_callback b
        JOIN dialer_call c ON c.id = b.call_id
        JOIN unnest(%(contacts)s::uuid[], %(campaigns)s::uuid[]) AS t(contact_id, campaign_id)
            ON b.contact_id = t.contact_id AND b.campaign_id IS NOT DISTINCT FROM t.campaign_id
        WHERE b.status = 'pending' AND b.type = 'auto_retry'
        """,
        {
            "contacts": [call.contact_id for call in answered],
            "campaigns": [call.campaign_id for call in answered],
        },
    )
    # Outside campaigns the retries may belong to other chains, which nothing else would end.
    mine = {call.chain_id for call in answered}
    here = [row.call_id for row in rows if row.chain_id in mine]
    elsewhere = [row.call_id for row in rows if row.chain_id not in mine]
    calls.withdraw(here, why=Withdrawal.ANSWERED, now=now, ends_chain=False)
    calls.withdraw(elsewhere, why=Withdrawal.ANSWERED, now=now)


def _key(call: CallContext) -> tuple[UUID, UUID | None]:
    return call.contact_id, call.campaign_id


class _Pending(NamedTuple):
    id: int
    contact_id: UUID
    campaign_id: UUID | None
    scheduled_at: datetime
    chain_id: UUID


_PendingBy = Mapping[tuple[UUID, UUID | None], _Pending]
"""The pending callback of each contact and campaign; there is at most one."""


def _pending_of(ended: Sequence[CallContext]) -> _PendingBy:
    rows = fetch(
        _Pending,
        "pending_callbacks_of",
        """
        SELECT b.id, b.contact_id, b.campaign_id, b.scheduled_at, c.chain_id
        FROM callbacks_callback b JOIN dialer_call c ON c.id = b.call_id
        WHERE b.contact_id = ANY(%(contacts)s) AND b.status = 'pending'
        """,
        {"contacts": [call.contact_id for call in ended]},
    )
    return {(row.contact_id, row.campaign_id): row for row in rows}


def _keep_outcomes(ended: Sequence[EndedCall], pending: _PendingBy) -> None:
    """Store the outcomes of calls with the callbacks that were promised during them."""
    promised = [
        (row.id, each.end.outcome)
        for each in ended
        if (row := pending.get(_key(each.call))) is not None and row.chain_id == each.call.chain_id
    ]
    if promised:
        run(
            "keep_original_outcomes",
            """
            UPDATE callbacks_callback b SET original_outcome = t.outcome
            FROM unnest(%(ids)s::bigint[], %(outcomes)s::text[]) AS t(id, outcome) WHERE b.id = t.id
            """,
            {"ids": [id_ for id_, _ in promised], "outcomes": [outcome.value for _, outcome in promised]},
        )


def decision_on(ended: EndedCall, *, has_pending: bool) -> Decision:
    call = ended.call
    settings = settings_of(call)
    decision = decide(settings, outcome=ended.end.outcome, ended_at=ended.end.at, used=call.retries_used)
    match decision:
        case Stop():
            return Decision(ended=ended, settings=settings, retry=None, stop=decision.reason)
        case Retry():
            stop = _obstacle(call, has_pending=has_pending)
            return Decision(ended=ended, settings=settings, retry=None if stop else decision, stop=stop)


def _obstacle(call: CallContext, *, has_pending: bool) -> str:
    if call.is_suppressed:
        return "suppressed"
    if call.settled_at is not None:
        return "settled"
    if call.campaign_status in ("cancelled", "completed", "failed"):
        return f"campaign_{call.campaign_status}"
    return "already_pending" if has_pending else ""


def make_retries(decisions: Sequence[Decision], *, now: datetime, is_skip: bool = False) -> dict[UUID, Made]:
    """Make the retries of a batch, each a queued call and its callback; return them by the id of the call they follow.

    ``is_skip`` says that the retries follow skipped ones, not calls that ended. A retry that has no opening within
    366 days is not made.
    """
    wanted = [decision for decision in decisions if decision.retry is not None]
    ledger = context.ledger_of(
        ((d.ended.call.workspace_id, d.ended.call.phone, d.ended.terms) for d in wanted), now=now
    )
    made: list[tuple[CallContext, NewCallback]] = []
    taken: set[tuple[UUID, UUID | None]] = set()
    for decision in wanted:
        call, end, terms, retry = decision.ended.call, decision.ended.end, decision.ended.terms, decision.retry
        assert retry is not None
        possible = next_possible(terms, at=retry.candidate, ledger=ledger.get((call.workspace_id, call.phone), ()))
        if possible.at is None or _key(call) in taken:
            continue
        taken.add(_key(call))
        body = QueuedCall(
            workspace_id=call.workspace_id,
            contact_id=call.contact_id,
            campaign_id=call.campaign_id,
            campaign_contact_id=call.campaign_contact_id,
            persona_id=call.persona_id,
            line_id=call.line_id,
            number=call.phone,
            caller_id=call.caller_id,
            rank=Rank.RETRY,
            due_at=possible.at,
            chain_id=call.chain_id,
            attempt_number=call.attempt_number + 1,
            retries_used=retry.number,
            not_after=possible.at + timedelta(hours=call.stale_after_hours),
            schedule=parsed(call.call_schedule) or {},
            config_webhooks=parsed(call.config_webhooks),
            metadata=parsed(call.metadata) or {},
        )
        new = NewCallback(
            call=body,
            type=CallbackType.AUTO_RETRY,
            origin_call_id=call.id,
            original_outcome=end.outcome,
            number=retry.number,
            limit=retry.limit,
            scheduled_at=possible.at,
            time_zone=possible.zones[0],
            timezone_source=possible.source,
            adjusted_from=retry.candidate if possible.shifts else None,
            adjusted_reason=possible.shifts[0].reason if possible.shifts else "",
            explanation=[
                *explanation.of_retry(retry, outcome=end.outcome, ended_at=end.at, is_skip=is_skip, at=now),
                *explanation.of_shifts(possible, window_level=terms.window.hours_level, at=now),
            ],
        )
        made.append((call, new))
    call_states.queue([new.call for _, new in made], now=now)
    ids = insert([new for _, new in made], now=now)
    return {
        call.id: Made(
            pending=PendingCallback(id=ids[new.call.id], scheduled_at=new.scheduled_at),
            event=events.of_retry(ids[new.call.id], new, call, at=now),
        )
        for call, new in made
    }


def _follow_up(
    decision: Decision,
    made: Mapping[UUID, Made],
    pending: _PendingBy,
) -> FollowUp:
    call, retry = decision.ended.call, decision.retry
    new = made.get(call.id)
    if new is not None:
        assert retry is not None
        return FollowUp(
            next_retry_at=new.pending.scheduled_at,
            attempts_left=retry.limit - call.retries_used,
            pending=new.pending,
            events=[new.event],
        )
    waiting = _waiting(call, pending)
    return FollowUp(attempts_left=_retries_left(decision), pending=waiting, stop=decision.stop or "no_opening")


def _after_their_call(ended: EndedCall, pending: _PendingBy) -> FollowUp:
    """Return what follows an inbound call: never a retry, but possibly a callback that the contact asked for."""
    return FollowUp(pending=_waiting(ended.call, pending), stop=ended.end.outcome)


def _waiting(call: CallContext, pending: _PendingBy) -> PendingCallback | None:
    """Return the pending callback of the call's chain.

    Outside campaigns a contact may have several chains; the promise of another chain does not keep this one open.
    """
    row = pending.get(_key(call))
    if row is None or row.chain_id != call.chain_id:
        return None
    return PendingCallback(id=row.id, scheduled_at=row.scheduled_at)


def _retries_left(decision: Decision) -> int:
    """Return how many retries the limit leaves, even if the chain makes none of them."""
    rules = decision.settings.policy.rules
    rule = rules.get(decision.ended.end.outcome) or rules.get("no_answer")
    limit = decision.settings.limit
    if limit is None and decision.settings.schedule is not None:
        limit = len(decision.settings.schedule)
    if limit is None:
        limit = rule.limit if rule else 0
    return max(limit - decision.ended.call.retries_used, 0)
