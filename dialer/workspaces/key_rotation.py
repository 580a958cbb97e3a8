"""Encrypts every stored secret with the newest key, so that old keys can be removed.

It is safe while the system runs: it reads a batch, encrypts it again, and writes only secrets that have not changed.
Processes started with the newest key use it for their own changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import connection

from dialer.workspaces.encryption import EncryptedTextField
from dialer.workspaces.models import IdempotentRequest
from dialer.workspaces.statements import fetch

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column with secrets."""

    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(slots=True, kw_only=True)
class Came:
    """Counts for the secrets of one column."""

    rewritten: int = 0
    """Rewritten with the newest key; in a dry run, those that would be."""
    newest: int = 0
    """Under the newest key already."""
    changed: int = 0
    """Changed by another process meanwhile: the next run checks them."""
    unreadable: list[str] = field(default_factory=list)
    """Ids of rows whose secret no key decrypts; they stay unchanged."""


def columns() -> list[Column]:
    """Return every column with encrypted values."""
    found = [
        Column(table=model._meta.db_table, name=str(column.column))  # noqa: SLF001 — Django's documented interface
        for model in apps.get_models()
        for column in model._meta.local_fields  # noqa: SLF001
        if isinstance(column, EncryptedTextField)
    ]
    return [*found, Column(table=IdempotentRequest._meta.db_table, name="body")]  # noqa: SLF001 — whole answers


def rotate(column: Column, *, batch: int = BATCH, dry_run: bool = False) -> Came:
    """Encrypt a column again in batches, each in its own transaction; safe to repeat and to interrupt."""
    newest, box = _boxes()
    came = Came()
    for rows in _batches(column, batch):
        fresh: list[tuple[str, bytes, bytes]] = []
        for row in rows:
            token = bytes(row.token)
            if _opens(newest, token):
                came.newest += 1
                continue
            try:
                fresh.append((row.id, token, box.rotate(token)))
            except InvalidToken:
                came.unreadable.append(row.id)
        written = len(fresh) if dry_run else _write(column, fresh)
        came.rewritten += written
        came.changed += len(fresh) - written
    return came


def _boxes() -> tuple[Fernet, MultiFernet]:
    keys = [Fernet(key) for key in settings.ENCRYPTION_KEYS]
    return keys[0], MultiFernet(keys)


def _opens(key: Fernet, token: bytes) -> bool:
    try:
        key.decrypt(token)
    except InvalidToken:
        return False
    return True


class _Secret(NamedTuple):
    id: str
    token: bytes


def _batches(column: Column, size: int) -> Iterator[list[_Secret]]:
    table, name = _quoted(column)
    sql = f"""
        SELECT id::text AS id, {name} AS token FROM {table} r WHERE {name} IS NOT NULL {{after}}
        ORDER BY r.id LIMIT %(size)s
    """  # noqa: S608 — names of our own models
    after = None
    while True:
        beyond = "" if after is None else "AND r.id > %(after)s"
        rows = fetch(_Secret, "read_secrets", sql.format(after=beyond), {"size": size, "after": after})
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = rows[-1].id


class _Rewritten(NamedTuple):
    one: int


def _write(column: Column, fresh: list[tuple[str, bytes, bytes]]) -> int:
    if not fresh:
        return 0
    table, name = _quoted(column)
    written = fetch(
        _Rewritten,
        "rewrite_secrets",
        f"""
        UPDATE {table} r SET {name} = t.fresh
        FROM unnest(%(ids)s::text[], %(old)s::bytea[], %(fresh)s::bytea[]) AS t (id, old, fresh)
        WHERE r.id = t.id::{_type_of_id(column)} AND r.{name} = t.old
        RETURNING 1 AS one
        """,  # noqa: S608
        {
            "ids": [row_id for row_id, _, _ in fresh],
            "old": [old for _, old, _ in fresh],
            "fresh": [new for _, _, new in fresh],
        },
    )
    return len(written)


def _type_of_id(column: Column) -> str:
    model = next(model for model in apps.get_models() if model._meta.db_table == column.table)  # noqa: SLF001
    return str(model._meta.pk.rel_db_type(connection))  # noqa: SLF001


def _quoted(column: Column) -> tuple[str, str]:
    return connection.ops.quote_name(column.table), connection.ops.quote_name(column.name)
