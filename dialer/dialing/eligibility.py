"""Eligibility: whether each call of a batch may start now; reads everything that decides at once.

Placing checks under its locks. The queue's pages ask the same rules without locks, each call alone and as if due now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from dialer.calls import context
from dialer.calls.context import CallContext
from dialer.rules.eligibility import Candidate, Eligibility, Go, Hold, eligibility_of
from dialer.rules.forcing import in_force
from dialer.rules.openings import Terms
from dialer.rules.statuses import CallStatus, CampaignStatus
from dialer.rules.waits import Waits
from dialer.workspaces.statements import fetch

TRIAL = timedelta(seconds=2)
"""How long the other calls over a line wait while one call tries whether its carrier is back."""


_Taken = set[tuple[UUID, str | UUID]]
"""Numbers and contacts with a live call, each with its workspace."""


class _Live(NamedTuple):
    workspace_id: UUID
    number: str
    contact_id: UUID


def check(rows: Sequence[CallContext], *, phones: Mapping[UUID, str], now: datetime) -> dict[UUID, Eligibility]:
    """Judge a batch of locked calls that would start together; ``phones`` are the numbers locked for them."""
    terms = {call.id: context.terms_of(call) for call in rows}
    ledger = context.ledger_of(((call.workspace_id, call.phone, terms[call.id]) for call in rows), now=now)
    taken = _taken(rows)
    answers: dict[UUID, Eligibility] = {}
    tried: set[UUID] = set()
    for call in rows:
        if phones[call.id] != call.phone:
            # The number changed before it was locked; the new one is not locked.
            answers[call.id] = Hold(reason=Waits.NUMBER_CHANGED, due_at=call.due_at)
            continue
        answer = eligibility_of(
            _candidate(call, terms[call.id], taken, now=now),
            ledger=ledger.get((call.workspace_id, call.phone), ()),
            now=now,
        )
        if isinstance(answer, Go) and call.line_outages and call.line_id in tried:
            answer = Hold(reason=Waits.CARRIER_DOWN, due_at=now + TRIAL)
        if isinstance(answer, Go):
            tried.add(call.line_id)
            # Within the batch, this call counts as live for later calls to the same number or contact.
            taken |= {(call.workspace_id, call.phone), (call.workspace_id, call.contact_id)}
        answers[call.id] = answer
    return answers


def check_unlocked(
    call_ids: Iterable[UUID], *, first_calls_of: Iterable[UUID] = (), now: datetime
) -> dict[UUID, tuple[CallContext, Eligibility]]:
    """Predict Go, Hold or Drop for queued calls, each with its context, by id.

    With ``first_calls_of``, also for campaign contacts that wait for their first call, by their ids.
    Asks the same rules as placing, but without locks, for each call alone and as if it were due now; changes nothing.
    """
    rows = [call for call in context.contexts_of(call_ids) if call.status == CallStatus.QUEUED]
    if waiting := list(first_calls_of):
        rows += context.contexts_of_first_calls(waiting, now=now)
    terms = {call.id: context.terms_of(call) for call in rows}
    ledger = context.ledger_of(((call.workspace_id, call.phone, terms[call.id]) for call in rows), now=now)
    taken = _taken(rows) if rows else set()
    found: dict[UUID, tuple[CallContext, Eligibility]] = {}
    for call in rows:
        candidate = _candidate(call, terms[call.id], taken, now=now)
        handed = ledger.get((call.workspace_id, call.phone), ())
        due = replace(candidate, due_at=min(candidate.due_at, now))
        found[call.id] = (call, eligibility_of(due, ledger=handed, now=now))
    return found


def _candidate(call: CallContext, terms: Terms, taken: _Taken, *, now: datetime) -> Candidate:
    return Candidate(
        due_at=call.due_at,
        not_after=call.not_after,
        terms=terms,
        is_suppressed=call.is_suppressed,
        is_contact_gone=call.phone == "",
        is_contact_busy=bool(taken & {(call.workspace_id, call.phone), (call.workspace_id, call.contact_id)}),
        campaign_status=_campaign_status(call, now=now),
        line_down_until=call.down_until,
        forced=in_force(context.parsed(call.force), now=now),
    )


def _campaign_status(call: CallContext, *, now: datetime) -> str | None:
    """Return the campaign's status; ``paused`` as soon as ``end_at`` has passed, even before the sweep pauses it."""
    status = call.campaign_status
    is_over = status == CampaignStatus.RUNNING and call.campaign_end_at is not None and call.campaign_end_at <= now
    return CampaignStatus.PAUSED.value if is_over else status


def _taken(rows: Sequence[CallContext]) -> _Taken:
    """Return the numbers and contacts of these rows that have a live call, inbound calls included."""
    live = fetch(
        _Live,
        "live_calls",
        """
        -- By number and by contact, not by the partial indexes of live calls: the planner takes those for tiny and
        -- scans a whole one, dead rows too (measured with 4,000 live: 12 to 47 ms instead of 0.3).
        SELECT c.workspace_id, c.number, c.contact_id
        FROM unnest(%(workspaces)s::uuid[], %(numbers)s::text[]) AS t(workspace_id, number)
        CROSS JOIN LATERAL (
            SELECT * FROM dialer_call l WHERE l.workspace_id = t.workspace_id AND l.number = t.number
                AND l.dialing_at IS NOT NULL OFFSET 0
        ) AS c
        WHERE c.status NOT IN ('queued', 'ended', 'withdrawn')
        UNION ALL
        SELECT c.workspace_id, c.number, c.contact_id
        FROM unnest(%(contacts)s::uuid[]) AS t(contact_id)
        CROSS JOIN LATERAL (SELECT * FROM dialer_call l WHERE l.contact_id = t.contact_id OFFSET 0) AS c
        WHERE c.status NOT IN ('queued', 'ended', 'withdrawn')
        """,
        {
            "workspaces": [call.workspace_id for call in rows],
            "numbers": [call.phone for call in rows],
            "contacts": [call.contact_id for call in rows],
        },
    )
    return {(row.workspace_id, row.number) for row in live} | {(row.workspace_id, row.contact_id) for row in live}
