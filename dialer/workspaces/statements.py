"""Set-based SQL for the hot path; every statement has a name.

The name is sent as a comment before the SQL, so that ``pg_stat_statements`` and the log show it, and tests can stop the
code under test before or after one statement.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import orjson
from django.db import connection

Row = TypeVar("Row", bound=tuple[Any, ...])
Params = dict[str, Any]

_checked: set[tuple[str, type[Any]]] = set()
"""Statements whose columns were checked against the fields of their rows."""


class Id(NamedTuple):
    """A row of a statement that returns ids."""

    id: UUID


def fetch(row: type[Row], name: str, sql: str, params: Params | None = None) -> list[Row]:
    """Run one statement and return its rows as ``row``, a ``NamedTuple`` whose fields are the statement's columns.

    Lists become arrays; the statement casts them (``%(ids)s::uuid[]``). Raises ``TypeError`` if the columns have
    other names, or another order.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"/* {name} */ {sql}", _with_arrays(params))
        if (name, row) not in _checked:
            _check(row, name, [column.name for column in cursor.description or ()])
        return list(map(row._make, cursor.fetchall()))  # type: ignore[attr-defined]


def _check(row: type[Any], name: str, columns: Sequence[str]) -> None:
    if tuple(columns) != row._fields:
        message = f"{name} returns {', '.join(columns)}, and {row.__name__} has {', '.join(row._fields)}"
        raise TypeError(message)
    _checked.add((name, row))


def _with_arrays(params: Params | None) -> Params | None:
    return params and {key: _array(value) if isinstance(value, list) else value for key, value in params.items()}


def run(name: str, sql: str, params: Params | None = None) -> None:
    """Run one statement without reading a result; lists become arrays, as in :func:`fetch`."""
    with connection.cursor() as cursor:
        cursor.execute(f"/* {name} */ {sql}", _with_arrays(params))


def _array(values: Sequence[Any]) -> str:
    """Return an array in PostgreSQL's text form, for the few types that the hot path uses.

    The driver's own conversion visits every element several times: it took a sixth of the time of placing a call. A
    JSON list of these types is such an array but for its brackets, and one call in C writes it.
    """
    kind = next((type(value) for value in values if value is not None), NoneType)
    if not issubclass(kind, _WRITTEN_AS_JSON):
        write = _WRITERS.get(kind)
        if write is None:
            message = f"no array of {kind.__name__} is written here"
            raise TypeError(message)
        return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"
    text = orjson.dumps(values)
    if issubclass(kind, str) and _ESCAPED_CONTROL.search(text):
        return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"
    return "{" + text[1:-1].decode() + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_ESCAPED_CONTROL = re.compile(rb"(?<!\\)(?:\\\\)*\\[^\"\\]")
"""A line break and its like, which JSON writes as a backslash and a letter: an array would read the letter."""
_WRITTEN_AS_JSON = (UUID, str, int, datetime, NoneType)
"""All elements of an array have one type, or are null."""
_WRITERS: dict[type, Callable[[Any], str]] = {
    float: repr,  # JSON has no infinity
    bytes: lambda value: '"\\\\x' + value.hex() + '"',
}
