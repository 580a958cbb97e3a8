"""The end of calls: the outcome first, then what follows, then what other systems are told.

One transaction for a batch. The decision runs in a savepoint: where it fails, the outcomes stand, and the sweep
decides later, one call at a time, and tells both then.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction

from dialer.calls import context, events
from dialer.calls.chains import chains_of
from dialer.calls.events import Ended
from dialer.calls.listener import EndedCall, FollowUp, listener
from dialer.contacts import suppressions
from dialer.rules.statuses import BEST_FIRST, CallStatus, ContactState, Direction, Outcome
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import run
from webhooks.outbox import NewEvent, record_events

log = logging.getLogger(__name__)

UNDECIDED_WAIT = timedelta(minutes=1)
"""When a decision that failed again is tried the next time."""

_FINAL = (CallStatus.ENDED, CallStatus.WITHDRAWN)
_STANDS_AFTER_CANCEL = (Outcome.ANSWERED, Outcome.UNKNOWN)
"""What an operator's wish to stop a live call does not change: it connected first, or nobody knows that it did not."""
_STATE_BY_OUTCOME = {
    Outcome.ANSWERED: ContactState.REACHED,
    Outcome.DNC_REQUEST: ContactState.SUPPRESSED,
    Outcome.INVALID_NUMBER: ContactState.INVALID,
    Outcome.CANCELLED: ContactState.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of one call as its carrier, or a deadline, says."""

    call_id: UUID
    outcome: Outcome
    ended_reason: str
    at: datetime
    duration_seconds: int | None = None
    transcript: str | None = None
    recording_url: str | None = None
    carrier_call_id: str = ""
    ringing_at: datetime | None = None
    answered_at: datetime | None = None


def record_ends(ends: Sequence[End], *, now: datetime, locked: Sequence[Any] | None = None) -> list[UUID]:
    """End calls that have not ended; return their ids. The first of several ends of one call counts.

    Runs in one transaction, inside the caller's where there is one. A caller that holds the calls' locks gives their
    facts as ``locked``, and has called :func:`suppress_who_asked` before it took them.
    """
    first: dict[UUID, End] = {}
    for end in ends:
        first.setdefault(end.call_id, end)
    with transaction.atomic():
        if locked is None:
            suppress_who_asked([end.call_id for end in ends if end.outcome is Outcome.DNC_REQUEST], now=now)
            locked = context.locked_facts_of(first)
        rows = [fact for fact in locked if fact.id in first and fact.status not in _FINAL]
        if not rows:
            return []
        endings = {fact.id: _ended(fact, first[fact.id], now=now) for fact in rows}
        _write(rows, endings, first)
        attempted = [
            events.call_attempted(fact, endings[fact.id])
            for fact in rows
            if fact.dialing_at is not None and fact.direction == Direction.OUTBOUND
        ]
        try:
            with transaction.atomic():
                record_events([*attempted, *_decide(rows, endings, now=now)], now=now)
        except OperationalError:
            # A deadlock or a lost connection is no reason to leave anything undecided: the caller does all of it again.
            raise
        except Exception:
            # The outcomes are facts and must stand, whatever is wrong with the decision.
            log.exception("follow_up.failed calls=%s", [str(fact.id) for fact in rows])
            record_events(attempted, now=now)
            run(
                "mark_undecided",
                "UPDATE dialer_call SET follow_up_pending = true WHERE id = ANY(%(ids)s)",
                {"ids": [fact.id for fact in rows]},
            )
        return [fact.id for fact in rows]


def decide_undecided(*, limit: int, now: datetime) -> int:
    """Decide what follows calls whose decision failed, each in a transaction of its own; return how many were.

    One that fails again is left alone for a while, so that those behind it have their turn.
    """
    decided = 0
    for row in run(
        "undecided_calls",
        """
        SELECT id FROM dialer_call WHERE follow_up_pending AND (check_at IS NULL OR check_at <= %(now)s)
        ORDER BY id LIMIT %(limit)s
        """,
        {"limit": limit, "now": now},
    ):
        try:
            with transaction.atomic():
                decided += _decide_later(row.id, now=now)
        except Exception:
            # One call that cannot be decided must not keep the others waiting; it stays marked and is tried again.
            log.exception("follow_up.failed_again call=%s", row.id)
            run(
                "decide_later",
                "UPDATE dialer_call SET check_at = %(at)s WHERE id = %(id)s AND follow_up_pending",
                {"id": row.id, "at": now + UNDECIDED_WAIT},
            )
    return decided


def _decide_later(call_id: UUID, *, now: datetime) -> bool:
    rows = context.locked_facts_of([call_id])
    extra = run(
        "undecided_end",
        """
        SELECT outcome, ended_reason, ended_at, duration_seconds FROM dialer_call
        WHERE id = %(id)s AND follow_up_pending
        """,
        {"id": call_id},
    )
    if not extra:
        return False
    ended = Ended(
        outcome=extra[0].outcome,
        ended_reason=extra[0].ended_reason,
        ended_at=extra[0].ended_at,
        duration_seconds=extra[0].duration_seconds,
        transcript=rows[0].transcript,
        recording_url=rows[0].recording_url,
        ringing_at=rows[0].ringing_at,
        answered_at=rows[0].answered_at,
    )
    record_events(_decide(rows, {call_id: ended}, now=now), now=now)
    run(
        "mark_decided",
        "UPDATE dialer_call SET follow_up_pending = false, check_at = NULL WHERE id = %(id)s",
        {"id": call_id},
    )
    return True


def suppress_who_asked(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """Suppress the numbers of calls that end with the wish not to be called; before any call is locked (lock order)."""
    if not call_ids:
        return
    rows = context.facts_of(call_ids)
    # Whoever asked was on the number that was dialled; the contact may have another since, or be forgotten.
    numbers = {fact.id: sorted({fact.number, fact.phone} - {""}) for fact in rows}
    lock_numbers((fact.workspace_id, number) for fact in rows for number in numbers[fact.id])
    for fact in rows:
        suppressions.add_in_transaction(
            fact.workspace_id, numbers[fact.id], reason="dnc_request", source=str(fact.id), now=now
        )


def _ended(fact: Any, end: End, *, now: datetime) -> Ended:  # noqa: ANN401 — a row of facts
    outcome, reason = end.outcome, end.ended_reason
    if outcome is Outcome.VOICEMAIL and fact.person_confirmed_at is not None:
        outcome, reason = Outcome.ANSWERED, reason_of_a_talk(reason)
    if outcome is Outcome.ANSWERED and fact.dnc_requested_at is not None:
        outcome, reason = Outcome.DNC_REQUEST, "dnc_request"
    elif fact.cancel_requested_at is not None and fact.answered_at is None and outcome not in _STANDS_AFTER_CANCEL:
        outcome, reason = Outcome.CANCELLED, "cancelled"
    return Ended(
        outcome=outcome,
        ended_reason=reason,
        # A carrier's clock may be ahead or behind; retries are scheduled from a time at which the call can have ended.
        ended_at=min(max(end.at, fact.dialing_at or end.at), now),
        duration_seconds=end.duration_seconds,
        transcript=end.transcript or fact.transcript,
        recording_url=end.recording_url or fact.recording_url,
        ringing_at=fact.ringing_at or end.ringing_at,
        answered_at=fact.answered_at or end.answered_at,
    )


def reason_of_a_talk(reason: str) -> str:
    """Return why a call ended that was taken for a machine's: nobody knows then who hung up."""
    return "unknown" if reason == Outcome.VOICEMAIL else reason


def _write(rows: Sequence[Any], endings: Mapping[UUID, Ended], ends: Mapping[UUID, End]) -> None:
    written = [endings[fact.id] for fact in rows]
    reported = [ends[fact.id] for fact in rows]
    run(
        "end_calls",
        """
        UPDATE dialer_call c SET status = 'ended', outcome = t.outcome, ended_reason = t.reason, ended_at = t.at,
            duration_seconds = t.duration, transcript = t.transcript, recording_url = t.recording, check_at = NULL,
            lease_until = NULL,
            -- A report proves that a call was handed over, also one that the carrier said it refused.
            dialing_at = CASE WHEN t.carrier_id = '' THEN c.dialing_at ELSE COALESCE(c.dialing_at, t.at) END,
            ringing_at = COALESCE(c.ringing_at, t.ringing),
            answered_at = COALESCE(c.answered_at, t.answered),
            carrier_call_id = CASE WHEN t.carrier_id = '' THEN c.carrier_call_id ELSE t.carrier_id END
        FROM unnest(%(id)s::uuid[], %(outcome)s::text[], %(reason)s::text[], %(at)s::timestamptz[],
            %(duration)s::int[], %(transcript)s::text[], %(recording)s::text[], %(ringing)s::timestamptz[],
            %(answered)s::timestamptz[], %(carrier_id)s::text[])
            AS t(id, outcome, reason, at, duration, transcript, recording, ringing, answered, carrier_id)
        WHERE c.id = t.id
        """,
        {
            "id": [fact.id for fact in rows],
            "outcome": [ended.outcome for ended in written],
            "reason": [ended.ended_reason for ended in written],
            "at": [ended.ended_at for ended in written],
            "duration": [ended.duration_seconds for ended in written],
            "transcript": [ended.transcript for ended in written],
            "recording": [ended.recording_url for ended in written],
            "ringing": [end.ringing_at for end in reported],
            "answered": [end.answered_at for end in reported],
            "carrier_id": [end.carrier_call_id for end in reported],
        },
    )


def _decide(rows: Sequence[Any], endings: Mapping[UUID, Ended], *, now: datetime) -> list[NewEvent]:
    """Let the promises decide, move the campaign contacts, and return what is to be told, in its order."""
    follow_ups = listener().calls_ended([ended_call(fact, endings[fact.id]) for fact in rows], now=now)
    chains = chains_of(
        [fact.chain_id for fact in rows if follow_ups[fact.id].pending is None and fact.attempt_number > 1]
    )
    told: list[NewEvent] = []
    ids: list[UUID] = []
    states: list[str] = []
    reasons: list[str] = []
    for fact in rows:
        ended, follow_up = endings[fact.id], follow_ups[fact.id]
        told.extend(follow_up.events)
        told.append(events.call_ended(fact, ended, follow_up))
        chain = chains.get(fact.chain_id) or events.only_call(fact, ended)
        if follow_up.pending is None and fact.direction == Direction.OUTBOUND:
            told.append(
                events.call_exhausted(
                    fact,
                    chain,
                    result="reached" if ended.outcome == Outcome.ANSWERED or chain.was_reached else "exhausted",
                    reason=follow_up.stop,
                    attempts=fact.attempt_number,
                    at=ended.ended_at,
                )
            )
        if fact.campaign_contact_id:
            ids.append(fact.campaign_contact_id)
            state = _contact_state(ended.outcome, follow_up)
            has_been_reached = state == ContactState.EXHAUSTED and chain.was_reached
            states.append(ContactState.REACHED if has_been_reached else state)
            reasons.append("" if follow_up.pending else follow_up.stop)
    _write_contacts(ids, states, reasons, [endings[f.id].outcome for f in rows if f.campaign_contact_id], now=now)
    return told


def _contact_state(outcome: str, follow_up: FollowUp) -> str:
    if follow_up.pending is not None:
        return ContactState.CALLBACK_PENDING
    if follow_up.stop == "suppressed":
        return ContactState.SUPPRESSED
    return _STATE_BY_OUTCOME.get(Outcome(outcome), ContactState.EXHAUSTED)


def _write_contacts(
    ids: Sequence[UUID], states: Sequence[str], reasons: Sequence[str], results: Sequence[str], *, now: datetime
) -> None:
    if ids:
        run(
            "move_campaign_contacts",
            """
            UPDATE dialer_campaigncontact k SET state = t.state, end_reason = t.reason, due_at = NULL,
                result = CASE WHEN array_position(%(best)s::text[], k.result::text)
                    < array_position(%(best)s::text[], t.result) THEN k.result ELSE t.result END,
                ended_at = CASE WHEN t.state = 'callback_pending' THEN NULL ELSE %(now)s END
            FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(results)s::text[])
                AS t(id, state, reason, result)
            WHERE k.id = t.id AND k.state IN ('waiting', 'calling', 'callback_pending')
            """,
            {
                "ids": list(ids),
                "states": [str(s) for s in states],
                "reasons": list(reasons),
                "results": [str(r) for r in results],
                "best": list(BEST_FIRST),
                "now": now,
            },
        )


def ended_call(
    fact: Any,  # noqa: ANN401 — a row of facts
    ended: Ended,
    *,
    call_id: UUID | None = None,
    attempt_number: int | None = None,
) -> EndedCall:
    """Put together what deciding what follows a call needs; a skipped call stands in for the one before it."""
    return EndedCall(
        call_id=call_id or fact.id,
        workspace_id=fact.workspace_id,
        contact_id=fact.contact_id,
        campaign_id=fact.campaign_id,
        campaign_contact_id=fact.campaign_contact_id,
        persona_id=fact.persona_id,
        line_id=fact.line_id,
        number=fact.phone,
        caller_id=fact.caller_id,
        chain_id=fact.chain_id,
        attempt_number=fact.attempt_number if attempt_number is None else attempt_number,
        retries_used=fact.retries_used,
        outcome=ended.outcome,
        ended_at=ended.ended_at,
        is_inbound=fact.direction == Direction.INBOUND,
        began_at=fact.dialing_at,
        talked_seconds=_talked(fact, ended),
        was_dialled=fact.dialing_at is not None,
        is_suppressed=fact.is_suppressed,
        is_settled=fact.settled_at is not None,
        call_schedule=context.parsed(fact.call_schedule) or {},
        campaign_schedule=context.parsed(fact.campaign_schedule) or {},
        workspace_schedule=context.parsed(fact.workspace_schedule) or {},
        campaign_policy=context.parsed(fact.campaign_policy),
        workspace_policy=context.parsed(fact.workspace_policy),
        campaign_status=fact.campaign_status or "",
        stale_after_hours=fact.stale_after_hours,
        terms=context.terms_of(fact),
        config_webhooks=context.parsed(fact.config_webhooks),
        metadata=context.parsed(fact.metadata) or {},
    )


def _talked(fact: Any, ended: Ended) -> float:  # noqa: ANN401 — a row of facts
    """Say how long a talk lasted: as the carrier counts it, else from the answer to the end."""
    if ended.duration_seconds is not None or fact.answered_at is None:
        return ended.duration_seconds or 0
    lasted: timedelta = ended.ended_at - fact.answered_at
    return max(lasted.total_seconds(), 0)
