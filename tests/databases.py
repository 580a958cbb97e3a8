"""The database of a test worker: copied from one that was migrated, and emptied after each test that commits.

Django empties by ``TRUNCATE``, which makes new files for each of some 150 tables and indexes: 0.35 s a test on two
cores, a quarter of the whole suite. Most tests leave a few rows in a few tables.
"""

from functools import cache
from typing import Any

import psycopg
from django.db import connection, transaction
from psycopg import sql

POOL = {"min_size": 1, "max_size": 60, "timeout": 10}
"""Connections of a test worker: a race has 32 threads."""
_MUCH = 4 * 1024 * 1024
"""Bytes of tables and indexes past which they are emptied by ``TRUNCATE``, so that the next test finds small ones."""


def copy_migrated(template: str) -> None:
    """Have the test database copied from this one, which the first worker that comes makes for all."""
    test: dict[str, Any] = connection.settings_dict["TEST"]
    with _server() as server:
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [template])
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
            _make(template)
    test |= {"TEMPLATE": template, "MIGRATE": False}


def drop(template: str) -> None:
    """Drop what :func:`copy_migrated` had made."""
    with _server() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(template)))


def _server() -> psycopg.Connection[Any]:
    its = connection.settings_dict
    return psycopg.connect(
        host=its["HOST"],
        port=its["PORT"],
        user=its["USER"],
        password=its["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    )


def _make(name: str) -> None:
    own: Any = connection
    its = own.settings_dict
    before, wanted = its["NAME"], its["TEST"]["NAME"]
    its["TEST"]["NAME"] = name
    own.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    own.close()
    own.close_pool()
    its["NAME"], its["TEST"]["NAME"] = before, wanted


@cache
def kept_tables() -> frozenset[str]:
    """Return the tables that have rows right after the migrations: no test is to find them empty."""
    return frozenset(_filled(frozenset()))


def empty() -> None:
    """Delete the rows of all other tables, in one transaction, so that foreign keys are checked at its end."""
    filled = _filled(kept_tables())
    if not filled:
        return
    names = sql.SQL(", ").join(sql.Identifier(name) for name in filled)
    with transaction.atomic(), connection.cursor() as cursor:
        if _size_of(filled) > _MUCH:
            cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
            return
        for name in filled:
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))


def _filled(but: frozenset[str]) -> list[str]:
    names = [name for name in connection.introspection.django_table_names(only_existing=True) if name not in but]
    asked = sql.SQL(", ").join(sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(name)) for name in names)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {}").format(asked))
        return [name for name, has_rows in zip(names, cursor.fetchone(), strict=True) if has_rows]


def _size_of(names: list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT sum(pg_total_relation_size(leaf.relid)) FROM unnest(%s::regclass[]) AS name,
                LATERAL (SELECT relid FROM pg_partition_tree(name) UNION SELECT name) AS leaf
            """,
            [names],
        )
        return int(cursor.fetchone()[0])
