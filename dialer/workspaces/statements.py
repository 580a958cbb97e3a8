"""Set-based SQL of the hot path: every statement has a name, and the name travels with it.

The name is a comment in front of the text, so that ``pg_stat_statements`` and the log show it, and tests can stop the
code under test before or after one statement.
"""

from collections import namedtuple
from functools import lru_cache
from typing import Any

from django.db import connection


@lru_cache(maxsize=512)
def _row_type(name: str, columns: tuple[str, ...]) -> type[Any]:
    return namedtuple(f"{name}_row", columns)  # noqa: PYI024 — the columns are known at run time only


def run(name: str, sql: str, params: dict[str, Any] | None = None) -> list[Any]:
    """Run one statement and return its rows as named tuples; no rows where it returns none."""
    with connection.cursor() as cursor:
        cursor.execute(f"/* {name} */ {sql}", params)
        if cursor.description is None:
            return []
        make = _row_type(name, tuple(column.name for column in cursor.description))._make
        return [make(row) for row in cursor.fetchall()]
