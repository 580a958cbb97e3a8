"""Rows to ask about: a workspace with some of everything, beside another one whose ids must never be shown."""

import json
from pathlib import Path

from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.api.routes import ROWS
from tests.factories import make_line, make_persona, make_workspace


def furnish(foreign: Path, *, key: str | None = None) -> str:
    """Make both workspaces; write the ids of the other one to ``foreign``, and return the key of the first."""
    ours, theirs = make_workspace(name="Acme"), make_workspace(name="Globex")
    _fill(ours)
    foreign.write_text(json.dumps(_fill(theirs)))
    _, plain = api_keys.issue(
        workspace_id=ours.pk, name="Fuzz", scope="admin", plain=key, actor=SYSTEM, now=database_now()
    )
    return plain


def _fill(workspace: Workspace) -> list[str]:
    make_persona(workspace)
    make_line(workspace, is_default=True)
    return [make(workspace) for make in ROWS.values()]
