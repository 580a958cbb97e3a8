"""What a change leaves in the database: its rows, and the entries that say who did what, and why."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection

from dialer.workspaces.models import AuditEntry, Workspace

WHY = "So that the entry says why"
AUDIT = "workspaces_auditentry"
_OF_DJANGO = {"auth_permission", "django_content_type", "django_migrations"}
_SEEN_ONLY = ["last_used_at", "last_login", "seen_at"]
"""Columns that looking at something writes."""


class AuditNotWritten(Exception):
    """The test keeps the audit from being written."""


def rows_of_all_tables(workspace: Workspace | None = None) -> dict[str, str]:
    """Return a fingerprint of the rows of each table; of a workspace, where one is named, of tables that say whose."""
    tables = sorted(set(connection.introspection.table_names()) - _OF_DJANGO)
    of_workspace = ""
    with connection.cursor() as cursor:
        if workspace is not None:
            cursor.execute("SELECT table_name FROM information_schema.columns WHERE column_name = 'workspace_id'")
            owned = {name for (name,) in cursor.fetchall()}
            tables = [table for table in tables if table in owned]
            of_workspace = f"WHERE workspace_id = '{workspace.pk}'"
        each = [
            f"SELECT '{table}', md5(COALESCE(string_agg(row, ' ' ORDER BY row), '')) "  # noqa: S608 — our own tables
            f"FROM (SELECT (to_jsonb(t) - %s::text[])::text AS row "
            f"FROM {connection.ops.quote_name(table)} t {of_workspace}) rows"
            for table in tables
        ]
        cursor.execute(" UNION ALL ".join(each), [_SEEN_ONLY] * len(tables))
        return dict(cursor.fetchall())


def changed_since(before: Mapping[str, str]) -> set[str]:
    """Return the tables whose rows are not what they were."""
    return {table for table, rows in rows_of_all_tables().items() if rows != before[table]}


def newest_entry() -> int:
    newest = AuditEntry.objects.order_by("-id").first()
    return newest.pk if newest else 0


def entries_since(newest: int) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(pk__gt=newest).order_by("id"))


@contextmanager
def audit_not_writable() -> Iterator[None]:
    """Let every insertion of an audit entry fail, before it reaches the server."""

    def refuse(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if f'INSERT INTO "{AUDIT}"' in sql:
            raise AuditNotWritten
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield
