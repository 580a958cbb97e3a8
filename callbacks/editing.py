"""Edits the persona and the notes of a pending callback."""

from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

from callbacks.actions import Opened, leave_trace, opened
from callbacks.models import Callback
from dialer.models import Call, Campaign, Persona
from dialer.workspaces.audit import Actor


class Edits(TypedDict, total=False):
    """The fields to change; ``persona_id=None`` returns to the persona of the campaign or of the call before."""

    notes: str
    persona_id: UUID | None


def edit(
    callback_id: int, *, workspace_id: UUID, actor: Actor, now: datetime, reason: str = "", **edits: Unpack[Edits]
) -> Callback:
    """Write notes, or assign a persona, who then makes this call and those that follow it.

    Raises ``TransitionConflict`` for a callback that is not pending, and ``Persona.DoesNotExist`` for a persona that
    is archived or belongs to another workspace.
    """
    with opened(callback_id, workspace_id=workspace_id, to="edited") as row:
        changed: dict[str, object] = {}
        if "notes" in edits:
            changed["notes"] = edits["notes"]
        if "persona_id" in edits:
            changed["persona"] = _assign(row, edits["persona_id"])
        Callback.objects.filter(pk=callback_id).update(
            updated_at=now,
            **({"notes": edits["notes"]} if "notes" in edits else {}),
            **({"assigned_persona_id": edits["persona_id"]} if "persona_id" in edits else {}),
        )
        leave_trace(row, "edit", actor, to_state=changed, reason=reason, now=now)
    return Callback.objects.get(pk=callback_id)


def _assign(row: Opened, persona_id: UUID | None) -> str:
    """Let the persona make the queued call; return its name for the audit."""
    wanted = persona_id or _persona_unassigned(row.callback)
    usable = Persona.objects.in_workspace(row.callback.workspace_id)
    persona: Persona = (usable.filter(archived_at=None) if persona_id else usable).get(pk=wanted)
    Call.objects.filter(pk=row.callback.call_id, status="queued").update(persona=persona)
    return f"{persona.name} ({persona.public_id})"


def _persona_unassigned(callback: Callback) -> UUID:
    """Return the persona for a callback without an assigned one: the campaign's, else that of the call before."""
    if callback.campaign_id is not None:
        return Campaign.objects.values_list("persona_id", flat=True).get(pk=callback.campaign_id)
    before = callback.origin_call_id or callback.call_id
    return Call.objects.values_list("persona_id", flat=True).get(pk=before)
