"""Withdraws, requeues and cancels calls, with the consequences for their chains."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from dialer.calls import call_states, campaign_contacts, context, events
from dialer.calls.call_states import Withdrawn
from dialer.calls.chains import NOTHING_DIALLED, chains_of
from dialer.calls.context import CallContext
from dialer.calls.listener import CallEnd, FollowUp, listener
from dialer.models import Call
from dialer.rules.statuses import CallStatus, ContactState, Direction, Outcome
from dialer.rules.withdrawals import Withdrawal, end_of_chain
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.statements import Id, fetch, run
from dialer.workspaces.transitions import TransitionConflict
from webhooks.outbox import NewEvent, record_events


def withdraw(
    call_ids: Sequence[UUID], *, why: Withdrawal, now: datetime, ends_chain: bool = True, only_stale: bool = False
) -> list[UUID]:
    """Take queued calls out of the queue and tell the listener; returns those that were still queued.

    A call that a client made ends ``cancelled``, and its end is told like that of any call. The end of any other call
    is that of its callback, or nobody has heard of it. ``only_stale`` spares calls that are not too late any more,
    because an operator moved them meanwhile.

    Finishes their chains, unless something else follows (``ends_chain`` false) or a chain has a live call, which then
    ends the chain when it ends. Runs in the caller's transaction; locks live calls before queued ones, each in the
    order of their ids.
    """
    if not call_ids:
        return []
    live = _lock_live_chains(call_ids) if ends_chain else set()
    rows = call_states.withdraw(call_ids, why=why, only_stale=only_stale, now=now)
    withdrawn = [row.id for row in rows]
    if withdrawn:
        listener().calls_withdrawn(withdrawn, why, now=now)
    if accepted := [row.id for row in rows if row.status == CallStatus.ENDED]:
        record_events([_cancelled(call, why=why, at=now) for call in context.contexts_of(accepted)], now=now)
    if ends_chain:
        _end_chains([row for row in rows if row.chain_id not in live], why=why, now=now)
    return withdrawn


def _end_chains(rows: Sequence[Withdrawn], *, why: Withdrawal, now: datetime) -> None:
    """Finish the chains of withdrawn calls; an exhausted chain counts as reached if an earlier call was answered."""
    state, result = end_of_chain(why)
    ran_out = state is ContactState.EXHAUSTED
    chains = chains_of([row.chain_id for row in rows])
    reached = {chain_id for chain_id, chain in chains.items() if ran_out and chain.was_reached}
    record_events(
        [
            events.call_exhausted(
                call,
                chains.get(call.chain_id, NOTHING_DIALLED),
                result="reached" if call.chain_id in reached else result,
                reason=why,
                attempts=call.attempt_number - 1,
                at=now,
            )
            for call in context.contexts_of([row.id for row in rows])
            if call.attempt_number > 1 or call.status == CallStatus.ENDED
        ],
        now=now,
    )
    if why is Withdrawal.INBOUND_CALL:
        campaign_contacts.count_as_talked_to([row.campaign_contact_id for row in rows if row.campaign_contact_id])
    for end, mine in (
        (ContactState.REACHED, [row for row in rows if row.chain_id in reached]),
        (state, [row for row in rows if row.chain_id not in reached]),
    ):
        campaign_contacts.finish(
            [row.campaign_contact_id for row in mine if row.campaign_contact_id], state=end, end_reason=why, now=now
        )


class _ChainId(NamedTuple):
    chain_id: UUID


def _cancelled(call: CallContext, *, why: Withdrawal, at: datetime) -> NewEvent:
    """Build ``call.ended`` of a call that was never handed over."""
    end = CallEnd(call_id=call.id, outcome=Outcome.CANCELLED, ended_reason="cancelled", at=at)
    return events.call_ended(call, end, FollowUp(stop=why))


def _lock_live_chains(call_ids: Sequence[UUID]) -> set[UUID]:
    """Return the chains of these calls that have a live call, and lock those live calls."""
    rows = fetch(
        _ChainId,
        "lock_live_of_chains",
        """
        SELECT l.chain_id FROM dialer_call l
        WHERE l.chain_id IN (SELECT chain_id FROM dialer_call WHERE id = ANY(%(ids)s))
            AND l.status IN ('dialing', 'ringing', 'in_progress')
        ORDER BY l.id FOR NO KEY UPDATE OF l
        """,
        {"ids": list(call_ids)},
    )
    return {row.chain_id for row in rows}


def settle_live(chain_id: UUID, *, now: datetime) -> None:
    """Prevent retries after the live call of a chain that a person has ended; a promise may still follow."""
    run(
        "settle_live",
        """
        UPDATE dialer_call SET settled_at = %(now)s
        WHERE chain_id = %(chain)s AND status IN ('dialing', 'ringing', 'in_progress')
        """,
        {"chain": chain_id, "now": now},
    )


def requeue(call_id: UUID, *, due_at: datetime) -> None:
    """Put a withdrawn call back into the queue for ``due_at``, and set its campaign contact to ``callback_pending``.

    Placing checks it again. Runs in the caller's transaction; the caller holds the locks of
    the contact and the campaign, and has checked that no other call replaced it. Raises ``TransitionConflict``
    for a call in any other state.
    """
    rows = call_states.requeue(call_id, due_at=due_at)
    if not rows:
        raise TransitionConflict(what="the call", from_="no longer withdrawn", to=CallStatus.QUEUED)
    if rows[0].campaign_contact_id:
        # If the contact is being called, the end of that call sets its state.
        campaign_contacts.expect_callback(
            [rows[0].campaign_contact_id], from_=set(ContactState) - {ContactState.CALLING}
        )


def withdraw_numbers(workspace_id: UUID, numbers: Sequence[str], *, why: Withdrawal, now: datetime) -> list[UUID]:
    """Withdraw every queued call to contacts that have one of these numbers now."""
    rows = fetch(
        Id,
        "queued_calls_by_number",
        """
        SELECT c.id FROM dialer_contact p JOIN dialer_call c ON c.contact_id = p.id AND c.status = 'queued'
        WHERE p.workspace_id = %(workspace)s AND p.phone = ANY(%(numbers)s)
        """,
        {"workspace": workspace_id, "numbers": list(numbers)},
    )
    return withdraw([row.id for row in rows], why=why, now=now)


def withdraw_campaign(campaign_id: UUID, *, why: Withdrawal, limit: int, now: datetime) -> list[UUID]:
    """Withdraw up to ``limit`` queued calls of a stopped campaign; repeat until it returns none."""
    rows = fetch(
        Id,
        "queued_calls_of_campaign",
        "SELECT id FROM dialer_call WHERE campaign_id = %(campaign)s AND status = 'queued' LIMIT %(limit)s",
        {"campaign": campaign_id, "limit": limit},
    )
    return withdraw([row.id for row in rows], why=why, now=now)


def cancel(call_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str, now: datetime) -> Call:
    """Stop one call: a queued call ends ``cancelled``; a live one is marked, and a worker asks its carrier to hang up.

    Returns the changed call; raises ``TransitionConflict`` if it has ended or came in. Publish ``dialer.hang_up`` after
    the commit; otherwise the sweep asks the carrier (:mod:`dialer.dialing.hanging_up`).
    """
    from_ = Call.objects.in_workspace(workspace_id).get(pk=call_id).status
    with transaction.atomic():
        rows = call_states.cancel(call_id, now=now)
        call = Call.objects.select_related("contact", "campaign").get(pk=call_id)
        if not rows:
            # Only the caller or the persona ends an inbound call.
            from_ = call.status if call.direction == Direction.OUTBOUND else f"{call.direction} {call.status}"
            raise TransitionConflict(what="the call", from_=from_, to=Outcome.CANCELLED)
        if call.status == CallStatus.ENDED:
            _cancelled_before_dialling(call, now=now)
        change = Change.of(
            call, "call", "cancel", from_state={"status": from_}, to_state={"status": call.status}, reason=reason
        )
        record(actor, [change], now=now)
    return call


def end_cancelled(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """End queued calls that somebody cancelled while they were live; runs in the caller's transaction."""
    ended = call_states.end_cancelled(call_ids, now=now)
    for call in Call.objects.select_related("contact", "campaign").filter(pk__in=ended):
        _cancelled_before_dialling(call, now=now)


def _cancelled_before_dialling(call: Call, *, now: datetime) -> None:
    """End the callback of a call that was never handed over, and its chain unless the chain has a live call."""
    is_over = not _lock_live_chains([call.id])
    listener().calls_withdrawn([call.id], Withdrawal.CANCELLED, now=now)
    if call.campaign_contact_id and is_over:
        campaign_contacts.finish(
            [call.campaign_contact_id], state=ContactState.CANCELLED, end_reason="cancelled", now=now
        )
    record_events(_cancelled_events(call, is_over=is_over), now=now)


def _cancelled_events(call: Call, *, is_over: bool) -> list[NewEvent]:
    assert call.ended_at is not None
    (row,) = context.contexts_of([call.id])
    told = [_cancelled(row, why=Withdrawal.CANCELLED, at=call.ended_at)]
    if is_over:
        chain = chains_of([call.chain_id]).get(call.chain_id, NOTHING_DIALLED)
        attempts = call.attempt_number - 1
        told.append(
            events.call_exhausted(
                row, chain, result="cancelled", reason="cancelled", attempts=attempts, at=call.ended_at
            )
        )
    return told
