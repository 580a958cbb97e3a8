"""Pace and slots of a workspace, a campaign or a line."""

from uuid import UUID

from dialer.workspaces import values
from dialer.workspaces.statements import run

LEAST_CALLS_PER_SECOND = 0.001
MOST_CALLS_PER_SECOND = 10_000
MOST_CONCURRENT_CALLS = 1_000_000


def calls_per_second(value: object) -> float | None:
    """Check a pace in calls per second; ``None`` means no limit."""
    return None if value is None else values.number(value, least=LEAST_CALLS_PER_SECOND, most=MOST_CALLS_PER_SECOND)


def max_concurrent_calls(value: object) -> int | None:
    """Check a number of slots; ``None`` means no limit."""
    return None if value is None else values.whole_number(value, within=range(1, MOST_CONCURRENT_CALLS + 1))


def forget_pace(workspace_id: UUID, owner_id: UUID) -> None:
    """Reset an owner's pace after a change, so that the gap of a slow old pace does not delay the next call.

    Runs in the caller's transaction, and blocks claims of the workspace until it ends.
    """
    run(
        "keep_claims_out",
        "SELECT id FROM workspaces_workspace WHERE id = %(id)s FOR NO KEY UPDATE",
        {"id": workspace_id},
    )
    run("forget_pace", "DELETE FROM dialer_pace WHERE owner_id = %(id)s", {"id": owner_id})
