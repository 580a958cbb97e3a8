"""Undo: makes a callback that an operator cancelled, skipped or completed pending again.

That is possible only while nothing took its place. The same row and the same call return to the queue, at the promised
time and with the chain's retry count as it was. Other systems receive a new ``callback.scheduled``.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from callbacks import callback_states, events
from callbacks.callers import INBOUND_CALL
from callbacks.local_times import derive_anew
from callbacks.models import Callback
from callbacks.refusals import AlreadyPending, CampaignOver, ContactSuppressed, NotUndoable
from callbacks.rules.explanation import Code, step
from callbacks.rules.statuses import UNDOABLE, CallbackStatus, CallbackType
from callbacks.scheduling import locked_contact, share_campaign
from dialer.calls import calls
from dialer.calls.hashed_numbers import is_suppressed
from dialer.models import Campaign, Contact
from dialer.rules.statuses import CAMPAIGN_OVER, Direction, Outcome
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.instants import written
from dialer.workspaces.statements import fetch, run
from dialer.workspaces.transitions import TransitionConflict
from webhooks.outbox import record_events

INBOUND_UNDOABLE = timedelta(hours=24)


def undo(callback_id: int, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "") -> Callback:
    """Make a cancelled, skipped or completed callback pending again, due when it was promised.

    It supersedes the retry that a skip scheduled. Raises ``TransitionConflict``, :class:`NotUndoable`,
    ``ContactSuppressed``, ``CampaignOver`` and, if another callback is pending, ``AlreadyPending``.
    """
    with transaction.atomic():
        callback = _locked(callback_id, workspace_id)
        _refuse_unless_operator_ended(callback, now=now)
        _refuse_if_chain_continued(callback)
        _make_room(callback, now=now)
        calls.requeue(callback.call_id, due_at=callback.scheduled_at)
        text = f"An operator undid that it was {callback.status}."
        undone = step(Code.UNDONE, text, at=now, to=callback.scheduled_at)
        callback_states.reopen(callback, explained=undone, now=now)
        record_events(events.of_callbacks([callback_id], "scheduled", reason="undone", at=now), now=now)
        pending = {"status": CallbackStatus.PENDING.value, "scheduled_at": written(callback.scheduled_at)}
        was = {"status": callback.status}
        change = Change.of(callback, "callback", "undo", from_state=was, to_state=pending, reason=reason)
        record(actor, [change], now=now)
        # The contact's time zone may have changed while the callback was not pending.
        derive_anew([callback.contact_id], now=now)
    return Callback.objects.get(pk=callback_id)


def _locked(callback_id: int, workspace_id: UUID) -> Callback:
    """Lock everything that could take the callback's place, in the global lock order, and the callback last."""
    owned = Callback.objects.in_workspace(workspace_id)
    seen: Callback = owned.get(pk=callback_id)
    try:
        contact = locked_contact(seen.contact_id, workspace_id)
    except Contact.DoesNotExist:
        raise NotUndoable(why="contact_deleted") from None
    if is_suppressed(workspace_id, contact.phone):
        raise ContactSuppressed
    share_campaign(seen.campaign_id)
    if seen.campaign_id and Campaign.objects.filter(pk=seen.campaign_id, status__in=CAMPAIGN_OVER).exists():
        raise CampaignOver
    run(
        "lock_calls_to_undo",
        """
        SELECT id FROM dialer_call
        WHERE id = %(call)s OR (contact_id = %(contact)s AND campaign_id IS NOT DISTINCT FROM %(campaign)s
            AND status IN ('queued', 'dialing', 'ringing', 'in_progress'))
        ORDER BY id FOR NO KEY UPDATE
        """,
        {"call": seen.call_id, "contact": seen.contact_id, "campaign": seen.campaign_id},
    )
    locked: Callback = (
        owned.select_related("call", "campaign").select_for_update(of=("self",), no_key=True).get(pk=callback_id)
    )
    return locked


def _refuse_unless_operator_ended(callback: Callback, *, now: datetime) -> None:
    if callback.status not in UNDOABLE:
        raise TransitionConflict(
            what=f"callback {callback.pk}", from_=callback.status, to=f"{CallbackStatus.PENDING} again"
        )
    if callback.completed_by == INBOUND_CALL:
        if now > callback.updated_at + INBOUND_UNDOABLE:
            raise NotUndoable(why="too_late")
    elif callback.call.held_reason != callback.status:
        # The call was withdrawn for a reason other than an operator's verb.
        raise NotUndoable(why="not_by_hand")


class _Since(NamedTuple):
    was_called: bool | None
    was_reached: bool | None


def _refuse_if_chain_continued(callback: Callback) -> None:
    """Refuse if the chain has continued since the callback ended, which was at its ``updated_at``.

    A later retry that was skipped has used up the number that would follow the restored callback.
    """
    later = Callback.objects.filter(call__chain_id=callback.call.chain_id, pk__gt=callback.pk)
    if later.filter(status=CallbackStatus.SKIPPED.value).exists():
        raise NotUndoable(why="skipped_again")
    since = fetch(
        _Since,
        "calls_since",
        """
        SELECT bool_or(direction = %(outbound)s AND dialing_at >= %(ended)s) AS was_called,
            bool_or(outcome = ANY(%(reached)s) AND ended_at >= %(ended)s) AS was_reached
        FROM dialer_call
        WHERE contact_id = %(contact)s
            AND (campaign_id IS NOT DISTINCT FROM %(campaign)s OR direction <> %(outbound)s)
        """,
        {
            "contact": callback.contact_id,
            "campaign": callback.campaign_id,
            "ended": callback.updated_at,
            "outbound": Direction.OUTBOUND.value,
            "reached": [Outcome.ANSWERED.value, Outcome.DNC_REQUEST.value],
        },
    )[0]
    if since.was_called:
        raise NotUndoable(why="contact_called")
    is_retry = callback.type == CallbackType.AUTO_RETRY
    if is_retry and since.was_reached and callback.completed_by != INBOUND_CALL:
        raise NotUndoable(why="contact_answered")


def _make_room(callback: Callback, *, now: datetime) -> None:
    """Withdraw the retry that a skip scheduled; raise ``AlreadyPending`` for any other pending callback."""
    pending: Callback | None = (
        Callback.objects.filter(
            contact_id=callback.contact_id, campaign=callback.campaign, status=CallbackStatus.PENDING.value
        )
        .select_related("call")
        .first()
    )
    if pending is None:
        return
    follows_from_skip = (
        callback.status == CallbackStatus.SKIPPED
        and pending.type == CallbackType.AUTO_RETRY
        and pending.call.chain_id == callback.call.chain_id
        and pending.call.retries_used == callback.call.retries_used + 1
    )
    if not follows_from_skip:
        raise AlreadyPending(pending.pk)
    calls.withdraw([pending.call_id], why=Withdrawal.SUPERSEDED, now=now, ends_chain=False)
