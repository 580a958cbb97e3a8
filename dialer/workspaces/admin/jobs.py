"""Pages of jobs: progress, results, and a button to stop one."""

from typing import Any, ClassVar, Generic, TypeVar

from django.http import HttpRequest

from dialer.workspaces.admin.base import ReadOnlyAdmin, StatefulAdmin
from dialer.workspaces.admin.columns import column

_RUNNING = "running"


_Job = TypeVar("_Job", bound=Any)
"""A job's model, with ``status`` and ``actor_label``; fields of Django's models satisfy no protocol."""


class JobAdmin(StatefulAdmin, ReadOnlyAdmin, Generic[_Job]):
    """The page of a job on many rows, with its progress; each kind of job defines the verb ``stop``."""

    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("id",)
    actions = None
    actions_detail = ("stop",)
    change_form_outer_before_template = "workspaces/admin/progress.html"
    seen_by: ClassVar[tuple[str, ...]]
    """Any one of these permissions lets a user view jobs."""
    stopped_by: ClassVar[str]
    """The permission to start jobs, and so to stop them."""

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        user: Any = request.user
        return any(user.has_perm(permission) for permission in self.seen_by)

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        user: Any = request.user
        return bool(user.has_perm(self.stopped_by))

    def verbs_for(self, row: _Job) -> tuple[str, ...]:
        return ("stop",) if row.status == _RUNNING else ()

    def beside(self, request: HttpRequest, row: _Job) -> dict[str, Any]:  # noqa: ARG002 — the base's signature
        under_way = {"row": row, "is_under_way": row.status == _RUNNING, "text": self.came_to(row)}
        return {"progress": under_way | self.progress(row)}

    def progress(self, row: _Job) -> dict[str, Any]:
        """Return the context of ``progress.html``: ``percent``, ``counts`` (pairs of a name and a number), and more."""
        raise NotImplementedError

    def came_to(self, row: _Job) -> str:
        """Return the result so far in words."""
        raise NotImplementedError

    @column("State", label={_RUNNING: "info", "done": "success", "stopped": "warning"})
    def state(self, row: _Job) -> str:
        return str(row.status)

    @column("Asked for by")
    def who(self, row: _Job) -> str:
        return str(row.actor_label)
