"""The only place that filters rows by workspace.

Views never filter by workspace themselves: the API uses ``in_workspace(key.workspace_id)``, the admin uses
``visible_to(request.user)``.
"""

from typing import Any, Self, TypeVar
from uuid import UUID

from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from dialer.workspaces.roles import roles_with

_Row = TypeVar("_Row", bound=models.Model)


class OwnedQuerySet(models.QuerySet[_Row]):
    """Rows that belong to a workspace."""

    workspace_path = "workspace"
    """The lookup from a row to its workspace."""

    def in_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(**{f"{self.workspace_path}_id": workspace_id})

    def visible_to(self, user: AbstractBaseUser | AnonymousUser, permission: str = "") -> Self:
        """Return the rows of open workspaces in which the user's role has the permission; a superuser has all rows.

        Without a permission, it is that to view such rows.
        """
        if getattr(user, "is_superuser", False):
            return self
        opts = self.model._meta  # noqa: SLF001 — Django's documented interface
        needed = permission or f"{opts.app_label}.{get_permission_codename('view', opts)}"
        # One call of filter(): the user and the role are those of the same membership.
        member: dict[str, Any] = {
            self._closed_at: None,
            f"{self._members}__user_id": user.pk,
            f"{self._members}__role__in": roles_with(needed),
        }
        return self.filter(**member)

    @property
    def _members(self) -> str:
        return f"{self.workspace_path}__members"

    @property
    def _closed_at(self) -> str:
        return f"{self.workspace_path}__closed_at"


class WorkspaceQuerySet(OwnedQuerySet[_Row]):
    """Workspaces themselves, with the same methods."""

    _members = "members"
    _closed_at = "closed_at"

    def in_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(pk=workspace_id)
