"""The pace of an owner of calls: a workspace, a campaign or a line."""

from uuid import UUID

from dialer.workspaces import values
from dialer.workspaces.statements import run

LEAST_CALLS_PER_SECOND = 0.001
MOST_CALLS_PER_SECOND = 10_000
MOST_CONCURRENT_CALLS = 1_000_000


def calls_per_second(value: object) -> float | None:
    """Read a pace; ``None`` is none."""
    return None if value is None else values.number(value, least=LEAST_CALLS_PER_SECOND, most=MOST_CALLS_PER_SECOND)


def max_concurrent_calls(value: object) -> int | None:
    """Read a number of slots; ``None`` is any."""
    return None if value is None else values.whole_number(value, within=range(1, MOST_CONCURRENT_CALLS + 1))


def forget_pace(workspace_id: UUID, owner_id: UUID) -> None:
    """Begin an owner's pace anew because it was changed: one call in a quarter of an hour must not hold up the next.

    Runs in the caller's transaction, and keeps claims of the workspace out until it ends.
    """
    run(
        "keep_claims_out",
        "SELECT id FROM workspaces_workspace WHERE id = %(id)s FOR NO KEY UPDATE",
        {"id": workspace_id},
    )
    run("forget_pace", "DELETE FROM dialer_pace WHERE owner_id = %(id)s", {"id": owner_id})
