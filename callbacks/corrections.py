"""Corrections by a person: calls that a machine seemed to answer, and calls of unknown outcome.

A corrected contact counts as reached from then on: pending retries are withdrawn as after any answer, promises stay.
Events about the call's end are not taken back; the consequences of the correction are recorded as new events.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from callbacks import scheduling
from callbacks.follow_ups import cancel_needless_retries
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force, Scheduled
from dialer.calls import call_states, campaign_contacts, context
from dialer.calls.chains import NOTHING_DIALLED, chains_of, used_up
from dialer.calls.context import CallContext
from dialer.calls.events import call_exhausted
from dialer.dialing import reconciliation
from dialer.dialing.completion import reason_of_a_talk
from dialer.models import Call
from dialer.rules.statuses import CAMPAIGN_OVER, LIVE, Outcome
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.statements import run
from dialer.workspaces.transitions import TransitionConflict
from webhooks.outbox import record_events


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locked:
    """A call and its context, locked with all queued and live calls of its chain."""

    call: Call
    context: CallContext


def was_a_person(call_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "") -> Call:
    """Correct the verdict that a machine answered: the call is ``answered``, and its contact counts as reached.

    A live call is corrected when it ends, one that ended as ``voicemail`` at once. Repeating it on a live call changes
    nothing. Raises ``TransitionConflict`` for a call that ended in any other way or was never handed over.
    """
    with _locked(call_id, workspace_id) as row:
        before = row.call.outcome or row.call.status
        if row.call.status in LIVE:
            Call.objects.filter(pk=call_id, person_confirmed_at=None).update(person_confirmed_at=now)
        elif row.call.outcome == Outcome.VOICEMAIL:
            call_states.correct_to_answered(call_id, ended_reason=reason_of_a_talk(row.call.ended_reason), now=now)
            _count_as_reached(row, now=now)
        else:
            raise TransitionConflict(what="the call", from_=before, to=Outcome.ANSWERED)
        after = Outcome.ANSWERED if before == Outcome.VOICEMAIL else before
        was, to = {"outcome": before}, {"outcome": after}
        change = Change.of(row.call, "call", "was_a_person", from_state=was, to_state=to, reason=reason)
        record(actor, [change], now=now)
    return _read(call_id)


def mark_reached(call_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "") -> Call:
    """Settle an ``unknown`` call: its contact counts as reached, its outcome stays ``unknown``.

    Raises ``TransitionConflict`` for a call that does not need a person.
    """
    with _locked(call_id, workspace_id) as row:
        reconciliation.mark_handled(
            call_id, workspace_id=workspace_id, verb="mark_reached", actor=actor, reason=reason, now=now
        )
        _count_as_reached(row, now=now)
    return _read(call_id)


def call_back(
    call_id: UUID,
    *,
    workspace_id: UUID,
    scheduled_at: datetime | None = None,
    local_time: datetime | None = None,
    notes: str = "",
    force: Force | None = None,
    actor: Actor,
    now: datetime,
    reason: str = "",
) -> Scheduled:
    """Settle an ``unknown`` call by promising another one, now or at the given time.

    The promise belongs to the call's campaign, or to none if that has ended. Raises ``TransitionConflict`` for a call
    that does not need a person, and whatever :func:`scheduling.request` raises.
    """
    with transaction.atomic():
        call: Call = Call.objects.in_workspace(workspace_id).select_related("campaign").get(pk=call_id)
        is_open = call.campaign is not None and call.campaign.status not in CAMPAIGN_OVER
        done = scheduling.request(
            workspace_id=workspace_id,
            contact_id=call.contact_id,
            campaign_id=call.campaign_id if is_open else None,
            origin_call_id=call_id,
            type=CallbackType.MANUAL,
            scheduled_at=now if scheduled_at is None and local_time is None else scheduled_at,
            local_time=local_time,
            notes=notes,
            force=force,
            reason=reason,
            actor=actor,
            now=now,
        )
        reconciliation.mark_handled(
            call_id, workspace_id=workspace_id, verb="call_back", actor=actor, reason=reason, now=now
        )
    return done


@contextmanager
def _locked(call_id: UUID, workspace_id: UUID) -> Iterator[_Locked]:
    """Lock the call and the queued and live calls of its chain: each ends before the correction, or sees it."""
    with transaction.atomic():
        chain_id = Call.objects.in_workspace(workspace_id).values_list("chain_id", flat=True).get(pk=call_id)
        run(
            "lock_chain",
            """
            SELECT id FROM dialer_call
            WHERE id = %(id)s OR (chain_id = %(chain)s AND status IN ('queued', 'dialing', 'ringing', 'in_progress'))
            ORDER BY id FOR NO KEY UPDATE
            """,
            {"id": call_id, "chain": chain_id},
        )
        yield _Locked(call=_read(call_id), context=context.contexts_of([call_id])[0])


def _count_as_reached(row: _Locked, *, now: datetime) -> None:
    """Do what an answer does: withdraw pending retries, and end the chain unless something else is open in it."""
    call = row.context
    cancel_needless_retries([call], now=now)
    chain = used_up(call.chain_id)
    if call.campaign_contact_id:
        campaign_contacts.count_as_reached(call.campaign_contact_id, is_over=not chain.goes_on, now=now)
    if not chain.goes_on and not call.is_inbound:
        # Recorded once per chain: a second end of it is dropped. Inbound calls record none.
        so_far = chains_of([call.chain_id]).get(call.chain_id, NOTHING_DIALLED)
        told = call_exhausted(call, so_far, result="reached", reason=Outcome.ANSWERED, attempts=chain.attempts, at=now)
        record_events([told], now=now)


def _read(call_id: UUID) -> Call:
    found: Call = Call.objects.select_related("contact").get(pk=call_id)
    return found
