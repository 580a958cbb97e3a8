"""The chain of a promise, and what was called in it so far."""

from typing import NamedTuple
from uuid import UUID

from dialer.models import Call
from dialer.workspaces.statements import fetch


def outside_campaigns(origin: Call | None) -> UUID | None:
    """Return the chain that a promise outside campaigns goes on with; one after a campaign's call begins its own."""
    return origin.chain_id if origin and origin.campaign_id is None else None


class _SoFar(NamedTuple):
    attempts: int
    used: int


def made_in(chain_id: UUID | None) -> tuple[int, int]:
    """Count the calls of a chain that were handed over, and its retries used up: those dialled or skipped."""
    if chain_id is None:
        return 0, 0
    row = fetch(
        _SoFar,
        "chain_so_far",
        """
        SELECT COALESCE(max(attempt_number) FILTER (WHERE dialing_at IS NOT NULL), 0) AS attempts,
            COALESCE(max(retries_used) FILTER (WHERE dialing_at IS NOT NULL OR held_reason = 'skipped'), 0) AS used
        FROM dialer_call WHERE chain_id = %(chain)s
        """,
        {"chain": chain_id},
    )[0]
    return row.attempts, row.used
