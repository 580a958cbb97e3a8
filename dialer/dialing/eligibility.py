"""What would become of a call, were it to start now: everything that may forbid it, read for a batch and judged.

Placing asks it under its locks, the queue's pages without any: the same look, so that what a page says is what happens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from dialer.calls import context
from dialer.calls.context import CallContext
from dialer.rules.forcing import in_force
from dialer.rules.gate import Candidate, Go, Hold, Verdict, Waits, judge
from dialer.rules.openings import Terms
from dialer.rules.statuses import CallStatus, CampaignStatus
from dialer.workspaces.statements import fetch

TRIAL = timedelta(seconds=2)
"""While one call tries whether a carrier is back, the others over its line wait for its answer."""


_Taken = set[tuple[UUID, str | UUID]]
"""Numbers and contacts that are in a call, each with its workspace."""


class _Live(NamedTuple):
    workspace_id: UUID
    number: str
    contact_id: UUID


def verdicts_of(rows: Sequence[CallContext], *, phones: Mapping[UUID, str], now: datetime) -> dict[UUID, Verdict]:
    """Judge a batch of locked calls that would start together; ``phones`` are the numbers that are locked for them."""
    terms = {fact.id: context.terms_of(fact) for fact in rows}
    ledger = context.ledger_of(((f.workspace_id, f.phone, terms[f.id]) for f in rows), now=now)
    taken = _taken(rows)
    verdicts: dict[UUID, Verdict] = {}
    tried: set[UUID] = set()
    for fact in rows:
        if phones[fact.id] != fact.phone:
            # The number changed between reading and locking it; the new one is not locked.
            verdicts[fact.id] = Hold(reason="number_changed", due_at=fact.due_at)
            continue
        verdict = judge(
            _candidate(fact, terms[fact.id], taken, now=now),
            ledger=ledger.get((fact.workspace_id, fact.phone), ()),
            now=now,
        )
        if isinstance(verdict, Go) and fact.line_outages and fact.line_id in tried:
            verdict = Hold(reason=Waits.CARRIER_DOWN, due_at=now + TRIAL)
        if isinstance(verdict, Go):
            tried.add(fact.line_id)
            # The batch counts itself: the next call to this number, or to this contact, sees this one as live.
            taken |= {(fact.workspace_id, fact.phone), (fact.workspace_id, fact.contact_id)}
        verdicts[fact.id] = verdict
    return verdicts


def verdicts_on(call_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, tuple[CallContext, Verdict]]:
    """Say of queued calls what would become of each, were it to start now: facts and verdict, by its id.

    The very look that placing takes, without locks, and each call by itself; nothing is changed.
    """
    rows = [fact for fact in context.facts_of(call_ids) if fact.status == CallStatus.QUEUED]
    terms = {fact.id: context.terms_of(fact) for fact in rows}
    ledger = context.ledger_of(((f.workspace_id, f.phone, terms[f.id]) for f in rows), now=now)
    taken = _taken(rows) if rows else set()
    found: dict[UUID, tuple[CallContext, Verdict]] = {}
    for fact in rows:
        candidate = _candidate(fact, terms[fact.id], taken, now=now)
        handed = ledger.get((fact.workspace_id, fact.phone), ())
        due = replace(candidate, due_at=min(candidate.due_at, now))
        found[fact.id] = (fact, judge(due, ledger=handed, now=now))
    return found


def _candidate(fact: CallContext, terms: Terms, taken: _Taken, *, now: datetime) -> Candidate:
    return Candidate(
        due_at=fact.due_at,
        not_after=fact.not_after,
        terms=terms,
        is_suppressed=fact.is_suppressed,
        is_contact_gone=fact.phone == "",
        is_contact_busy=bool(taken & {(fact.workspace_id, fact.phone), (fact.workspace_id, fact.contact_id)}),
        campaign_status=_campaign_status(fact, now=now),
        line_down_until=fact.down_until,
        forced=in_force(context.parsed(fact.force), now=now),
    )


def _campaign_status(fact: CallContext, *, now: datetime) -> str | None:
    """Return the campaign's status; one whose ``end_at`` has come is paused, a moment before the sweep says so."""
    status = fact.campaign_status
    is_over = status == CampaignStatus.RUNNING and fact.campaign_end_at is not None and fact.campaign_end_at <= now
    return CampaignStatus.PAUSED.value if is_over else status


def _taken(rows: Sequence[CallContext]) -> _Taken:
    """Return the numbers and contacts of these rows that have a live call, one that they made to us included."""
    live = fetch(
        _Live,
        "live_calls",
        """
        -- By number and by contact, not by the partial indexes of live calls: to the planner those have a row or none,
        -- so it walks all of one, dead rows too (measured with 4,000 live: 12 to 47 ms instead of 0.3).
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
            "workspaces": [fact.workspace_id for fact in rows],
            "numbers": [fact.phone for fact in rows],
            "contacts": [fact.contact_id for fact in rows],
        },
    )
    return {(row.workspace_id, row.number) for row in live} | {(row.workspace_id, row.contact_id) for row in live}
