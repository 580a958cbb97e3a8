"""Audit entries: every verb that a person or a key can run writes one, in the transaction of the change.

Entries are never changed or deleted, but texts that name a forgotten contact are erased from them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypedDict, Unpack
from uuid import UUID

from dialer.workspaces.client import NOWHERE, Client
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.statements import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and from where: a user, an API key, or the system itself."""

    kind: Literal["user", "key", "system"]
    id: str = ""
    label: str
    client: Client = NOWHERE


SYSTEM = Actor(kind="system", label="Ringback")


class About(TypedDict):
    """The arguments common to all verbs: the workspace, who acts, and when."""

    workspace_id: UUID
    actor: Actor
    now: datetime


class Audited(Protocol):
    """A row of a workspace with a public id: a model's, or the result of a statement."""

    @property
    def workspace_id(self) -> UUID: ...
    @property
    def public_id(self) -> str: ...


class Said(TypedDict, total=False):
    """The optional fields of a change."""

    from_state: Mapping[str, Any]
    to_state: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one row; the states hold only changed fields, as JSON values.

    Without a workspace, the change is of the installation, and only superusers see its entry.
    """

    workspace_id: UUID | None
    verb: str
    object_type: str
    object_id: str
    from_state: Mapping[str, Any] = field(default_factory=dict)
    to_state: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def of(cls, row: Audited, object_type: str, verb: str, **said: Unpack[Said]) -> "Change":
        """Build the change for a row with a public id."""
        return cls(workspace_id=row.workspace_id, verb=verb, object_type=object_type, object_id=row.public_id, **said)


def record(actor: Actor, changes: Iterable[Change], *, now: datetime) -> None:
    """Write one entry per change, in one statement."""
    AuditEntry.objects.bulk_create(
        [
            AuditEntry(
                workspace_id=change.workspace_id,
                at=now,
                actor_kind=actor.kind,
                actor_id=actor.id,
                actor_label=actor.label,
                address=actor.client.address,
                agent=actor.client.agent,
                verb=change.verb,
                object_type=change.object_type,
                object_id=change.object_id,
                from_state=dict(change.from_state),
                to_state=dict(change.to_state),
                reason=change.reason,
            )
            for change in changes
        ]
    )


def erase_texts(workspace_id: UUID, object_type: str, object_ids: Sequence[str]) -> None:
    """Remove what people wrote from the entries of these objects, whose contact is forgotten; verbs and states stay."""
    run(
        "erase_texts_of_audit",
        """
        UPDATE workspaces_auditentry SET reason = '', from_state = from_state - %(texts)s::text[],
            to_state = to_state - %(texts)s::text[]
        WHERE workspace_id = %(workspace)s AND object_type = %(type)s AND object_id = ANY(%(ids)s::text[])
        """,
        {"workspace": workspace_id, "type": object_type, "ids": list(object_ids), "texts": list(_TEXTS)},
    )


_TEXTS = ("notes", "outcome_id")
"""Parts of a state that people wrote."""
