"""Rows of a test's own statements, by the names of their columns; the product's have types (``statements.fetch``)."""

from collections import namedtuple
from typing import Any

from django.db import connection


def read(name: str, sql: str, params: dict[str, Any] | None = None) -> list[Any]:
    """Run one statement, named as those of the product are, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"/* {name} */ {sql}", params)
        columns = [column.name for column in cursor.description or ()]
        row_type: Any = namedtuple("Row", columns)  # type: ignore[misc]  # noqa: PYI024 — known at run time only
        return [row_type(*row) for row in cursor.fetchall()]
