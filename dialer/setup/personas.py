"""Personas: who does the talking."""

from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

from dialer.models import Persona
from dialer.setup import recipe
from dialer.setup.recipe import Readers
from dialer.workspaces import values
from dialer.workspaces.audit import Actor

LONGEST_ENDPOINT = 500


class PersonaFields(TypedDict, total=False):
    name: str
    endpoint: str
    has_flow: bool


def create_persona(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[PersonaFields]) -> Persona:
    return recipe.create(Persona, workspace_id, recipe.read(fields, _PERSONA, required=("name",)), actor=actor, now=now)


def edit_persona(
    persona_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[PersonaFields]
) -> Persona:
    return recipe.edit(Persona, persona_id, workspace_id, recipe.read(fields, _PERSONA), actor=actor, now=now)


def archive_persona(persona_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Persona:
    return recipe.archive(Persona, persona_id, workspace_id, actor=actor, now=now)


def default_persona(workspace_id: UUID) -> UUID | None:
    """Return the id of the workspace's only persona, ``None`` if there is not exactly one."""
    ids = list(Persona.objects.in_workspace(workspace_id).filter(archived_at=None).values_list("pk", flat=True)[:2])
    return ids[0] if len(ids) == 1 else None


def _endpoint(value: object) -> str:
    return values.text(value or "", longest=LONGEST_ENDPOINT)


_PERSONA: Readers = {"name": values.name, "endpoint": _endpoint, "has_flow": values.boolean}
