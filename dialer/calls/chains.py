"""Chains: their attempts, the attempt that decides the result, and how many attempts and retries are used up."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from dialer.rules.batch_items import TALKS
from dialer.rules.statuses import Outcome
from dialer.workspaces.statements import fetch, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A call that was handed over or received, and has ended."""

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
    """The attempts of a chain in order; empty if nobody was dialled."""

    attempts: tuple[Attempt, ...] = ()

    @property
    def was_reached(self) -> bool:
        """Tell whether any attempt was answered, even if later ones were not."""
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
    """Read the ended attempts of each chain; leaves out chains without any."""
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


class UsedUp(NamedTuple):
    """How many calls of a chain were handed over, how many retries were dialled or skipped, and whether one is open."""

    attempts: int = 0
    retries: int = 0
    goes_on: bool = False


_USED_UP = """
    COALESCE(max(attempt_number) FILTER (WHERE dialing_at IS NOT NULL), 0) AS attempts,
    COALESCE(max(retries_used) FILTER (WHERE dialing_at IS NOT NULL OR held_reason = 'skipped'), 0) AS retries,
    COALESCE(bool_or(status IN ('queued', 'dialing', 'ringing', 'in_progress')), false) AS goes_on
"""


def used_up(chain_id: UUID) -> UsedUp:
    """Count what a chain has used up."""
    sql = f"SELECT {_USED_UP} FROM dialer_call WHERE chain_id = %(chain)s"  # noqa: S608 — our own text
    return fetch(UsedUp, "chain_used_up", sql, {"chain": chain_id})[0]


def renumber(chain_ids: Collection[UUID]) -> None:
    """Renumber the queued promises of chains in which a call was superseded before it was dialled."""
    run(
        "renumber_promises",
        f"""
        UPDATE dialer_call q SET attempt_number = used_up.attempts + 1, retries_used = used_up.retries
        FROM (
            SELECT chain_id, {_USED_UP} FROM dialer_call WHERE chain_id = ANY(%(chains)s) GROUP BY chain_id
        ) used_up
        WHERE q.chain_id = used_up.chain_id AND q.status = 'queued' AND q.not_after IS NULL
        """,  # noqa: S608 — our own text
        {"chains": list(chain_ids)},
    )
