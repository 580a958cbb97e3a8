"""Chains: their attempts, and the attempt that decides the result."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from dialer.rules.batch_items import TALKS
from dialer.rules.statuses import Outcome
from dialer.workspaces.statements import fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A call that was handed over, or came in, and has ended."""

    id: UUID
    outcome: Outcome
    number: str
    caller_id: str
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    analysis: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The attempts of a chain in their order; none where nobody was dialled."""

    attempts: tuple[Attempt, ...] = ()

    @property
    def was_reached(self) -> bool:
        """Tell whether the contact was reached, also where a later promise was in vain."""
        return any(attempt.outcome is Outcome.ANSWERED for attempt in self.attempts)

    @property
    def deciding(self) -> Attempt | None:
        """Return the last talk, else the last attempt."""
        talks = [attempt for attempt in self.attempts if attempt.outcome in TALKS]
        return (talks or self.attempts or (None,))[-1]


class _Row(NamedTuple):
    chain_id: UUID
    id: UUID
    outcome: str
    number: str
    caller_id: str
    dialing_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    analysis: str | None


NOTHING_DIALLED = Chain()


def chains_of(chain_ids: Collection[UUID]) -> Mapping[UUID, Chain]:
    """Read the chains in which somebody was dialled, with the calls that have ended."""
    if not chain_ids:
        return {}
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    for row in fetch(
        _Row,
        "chains",
        """
        SELECT chain_id, id, outcome, number, caller_id, dialing_at, answered_at, ended_at, analysis::text AS analysis
        FROM dialer_call WHERE chain_id = ANY(%(chains)s) AND dialing_at IS NOT NULL AND status = 'ended'
        ORDER BY chain_id, attempt_number, dialing_at, id
        """,
        {"chains": list(chain_ids)},
    ):
        found[row.chain_id].append(
            Attempt(
                id=row.id,
                outcome=Outcome(row.outcome),
                number=row.number,
                caller_id=row.caller_id,
                began_at=row.dialing_at,
                answered_at=row.answered_at,
                ended_at=row.ended_at,
                analysis=json.loads(row.analysis) if row.analysis else None,
            )
        )
    return {chain_id: Chain(attempts=tuple(attempts)) for chain_id, attempts in found.items()}
