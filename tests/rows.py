"""Rows of a test's own statements, by the names of their columns; the product's have types (``statements.fetch``)."""

from collections import namedtuple
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Exists, ForeignKey, OuterRef


def read(name: str, sql: str, params: dict[str, Any] | None = None) -> list[Any]:
    """Run one statement, named as those of the product are, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"/* {name} */ {sql}", params)
        columns = [column.name for column in cursor.description or ()]
        row_type: Any = namedtuple("Row", columns)  # type: ignore[misc]  # noqa: PYI024 — known at run time only
        return [row_type(*row) for row in cursor.fetchall()]


def without_parents() -> dict[str, int]:
    """Count the rows whose foreign keys name rows that are missing, for the keys that PostgreSQL does not check."""
    found = {}
    for model in apps.get_models():
        for key in model._meta.concrete_fields:  # noqa: SLF001 — Django documents it
            if isinstance(key, ForeignKey) and not key.db_constraint:  # type: ignore[attr-defined]  # not in the stubs
                missing = ~Exists(key.related_model._base_manager.filter(pk=OuterRef(key.attname)))  # noqa: SLF001
                if count := model._base_manager.filter(missing, **{f"{key.attname}__isnull": False}).count():  # noqa: SLF001
                    found[f"{model._meta.label} without {key.name}"] = count  # noqa: SLF001
    return found
