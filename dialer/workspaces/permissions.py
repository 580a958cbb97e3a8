"""What a user may do: asked by Django's ``user.has_perm``, answered from the roles of the user's memberships alone.

``has_perm(permission)`` asks whether a role in any workspace has it, which decides what pages there are;
``has_perm(permission, row)`` asks about the role in the row's workspace, which decides what may be done to the row.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

from dialer.workspaces.models import Member, Workspace
from dialer.workspaces.roles import PERMISSIONS, Role


class RoleBackend(ModelBackend):
    """Signs in by password; grants nothing by groups or by permissions of the user."""

    def get_all_permissions(self, user_obj: Any, obj: object = None) -> set[str]:  # noqa: ANN401 — Django's signature
        if not user_obj.is_active or user_obj.is_anonymous:
            return set()
        roles = roles_of(user_obj)
        held = [role for workspace_id, role in roles.items() if obj is None or workspace_id == _workspace_of(obj)]
        return set[str]().union(*(PERMISSIONS[role] for role in held))


def roles_of(user: User) -> Mapping[UUID, Role]:
    """Return the user's role in each workspace; reads them once per request, as each request reads its user anew."""
    known: Mapping[UUID, Role] | None = getattr(user, "_roles", None)
    if known is None:
        members = Member.objects.filter(user_id=user.pk).values_list("workspace_id", "role")
        known = {workspace_id: Role(role) for workspace_id, role in members}
        user._roles = known  # type: ignore[attr-defined]  # noqa: SLF001 — cached on the user, as Django does it
    return known


def _workspace_of(row: object) -> object:
    return row.pk if isinstance(row, Workspace) else getattr(row, "workspace_id", None)
