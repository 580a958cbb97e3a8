"""The only place that filters rows by workspace.

Views never filter by workspace themselves: the API uses ``in_workspace(key.workspace_id)``, the admin uses
``visible_to(request.user)``.
"""

from typing import Any, Self, TypeVar
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

_Row = TypeVar("_Row", bound=models.Model)


class OwnedQuerySet(models.QuerySet[_Row]):
    """Rows that belong to a workspace."""

    workspace_path = "workspace"
    """The lookup from a row to its workspace."""

    def in_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(**{f"{self.workspace_path}_id": workspace_id})

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return the rows of open workspaces that the user is a member of; a superuser sees all."""
        if getattr(user, "is_superuser", False):
            return self
        path = self.workspace_path
        member: dict[str, Any] = {f"{path}__members__user_id": user.pk, f"{path}__closed_at": None}
        return self.filter(**member)


class WorkspaceQuerySet(OwnedQuerySet[_Row]):
    """Workspaces themselves, with the same methods."""

    def in_workspace(self, workspace_id: UUID) -> Self:
        return self.filter(pk=workspace_id)

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        return self if getattr(user, "is_superuser", False) else self.filter(members__user_id=user.pk, closed_at=None)
