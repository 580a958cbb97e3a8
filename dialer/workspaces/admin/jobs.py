"""Pages of jobs: progress, results, and a button to stop one."""

from typing import Any, Generic, TypeVar

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
