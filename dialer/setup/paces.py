"""The pace of an owner of calls: a workspace, a campaign or a line."""

from uuid import UUID

from dialer.workspaces.statements import run


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
