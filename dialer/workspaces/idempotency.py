"""Stores answers under the client's ``Idempotency-Key``: a repeated request gets the first answer, with no new effect.

Answers are kept for a day, encrypted, and given again only to the API key that asked, since they may contain a secret
that is shown once. Keys are stored as hashes, since clients put numbers and names in them. Two ways: ``once`` stores
the answer in the transaction of the effect; ``once_in_steps`` is for effects that commit in steps, and reserves the
key first.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from dialer.workspaces.encryption import decrypt, encrypt
from dialer.workspaces.models import IdempotentRequest
from dialer.workspaces.statements import fetch

KEPT = timedelta(hours=24)
_FORGOTTEN = 410
"""The status of an answer whose content was dropped; no request is answered with it."""
STEPS_TAKE = timedelta(minutes=10)
"""A reservation older than this belongs to a dead process and may be taken over."""


class KeyInUse(Exception):
    """The first request with this key is still being worked on."""


class KeyReused(Exception):
    """The key was used for another request."""


class KeyOfAnother(Exception):
    """The key was used with another API key, which alone gets the answer again: it may hold a secret."""


class AnswerForgotten(Exception):
    """The first answer was about a contact who has been deleted since; the request is not done again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer; ``is_replay`` means that it was given before."""

    status: int
    body: str
    is_replay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request with a key; equal fingerprints mean the same request."""

    workspace_id: UUID
    api_key_id: UUID
    key: str
    fingerprint: Callable[[], bytes]

    @property
    def name(self) -> str:
        """The form in which the key is stored."""
        return hashlib.sha256(self.key.encode()).hexdigest()


def once(asked: Asked, act: Callable[[], Kept], *, now: datetime) -> Kept:
    """Act and store the answer in one transaction, or return the first answer.

    An exception from ``act`` rolls everything back and frees the key. Raises :class:`KeyInUse`, :class:`KeyReused`,
    :class:`KeyOfAnother`, :class:`AnswerForgotten`.
    """
    with transaction.atomic():
        if not _try_lock(asked):
            raise KeyInUse
        row = IdempotentRequest.objects.in_workspace(asked.workspace_id).filter(name=asked.name).first()
        if row is not None and now - row.created_at < KEPT:
            return _kept(row, asked)
        answer = act()
        IdempotentRequest.objects.update_or_create(
            workspace_id=asked.workspace_id,
            name=asked.name,
            defaults={
                "api_key_id": asked.api_key_id,
                "fingerprint": asked.fingerprint(),
                "status": answer.status,
                "body": encrypt(answer.body),
                "created_at": now,
            },
        )
    return answer


class _Reserved(NamedTuple):
    id: int


def once_in_steps(asked: Asked, act: Callable[[], Kept], *, now: datetime) -> Kept:
    """Reserve the key, act outside any transaction, then store the answer; or return the first answer.

    If the process dies in between, the same request runs again after ten minutes: ``act`` must be safe to repeat.
    """
    rows = fetch(
        _Reserved,
        "reserve_idempotency_key",
        """
        INSERT INTO workspaces_idempotentrequest (workspace_id, name, api_key_id, fingerprint, status, body, created_at)
        VALUES (%(workspace)s, %(key)s, %(api_key)s, ''::bytea, NULL, NULL, %(now)s)
        ON CONFLICT (workspace_id, name) DO UPDATE
            SET created_at = excluded.created_at, api_key_id = excluded.api_key_id, fingerprint = ''::bytea,
                status = NULL, body = NULL
            WHERE workspaces_idempotentrequest.created_at < CASE WHEN workspaces_idempotentrequest.status IS NULL
                THEN %(died_before)s ELSE %(kept_since)s END
        RETURNING id
        """,
        {
            "workspace": asked.workspace_id,
            "key": asked.name,
            "api_key": asked.api_key_id,
            "now": now,
            "died_before": now - STEPS_TAKE,
            "kept_since": now - KEPT,
        },
    )
    if not rows:
        return _kept(IdempotentRequest.objects.in_workspace(asked.workspace_id).get(name=asked.name), asked)
    mine = IdempotentRequest.objects.filter(pk=rows[0].id, created_at=now)
    try:
        answer = act()
    except BaseException:
        mine.delete()
        raise
    mine.update(status=answer.status, body=encrypt(answer.body), fingerprint=asked.fingerprint())
    return answer


def forget(*, limit: int, now: datetime) -> int:
    """Delete up to ``limit`` answers older than a day; returns how many."""
    old = IdempotentRequest.objects.filter(created_at__lt=now - KEPT).order_by("created_at").values("pk")[:limit]
    deleted: int = IdempotentRequest.objects.filter(pk__in=old).delete()[0]
    return deleted


def forget_answers(workspace_id: UUID, *, mentioning: Sequence[str]) -> None:
    """Drop the content of answers that contain one of these; the same requests are then refused, not done again."""
    answers = IdempotentRequest.objects.in_workspace(workspace_id).filter(body__isnull=False)
    for row in answers.only("body").iterator(chunk_size=500):
        body = decrypt(bytes(row.body or b""))
        if any(text in body for text in mentioning):
            IdempotentRequest.objects.filter(pk=row.pk).update(status=_FORGOTTEN, body=encrypt(""))


def _kept(row: IdempotentRequest, asked: Asked) -> Kept:
    if row.api_key_id != asked.api_key_id:
        raise KeyOfAnother
    if row.status is None or row.body is None:
        raise KeyInUse
    if bytes(row.fingerprint) != asked.fingerprint():
        raise KeyReused
    if row.status == _FORGOTTEN:
        raise AnswerForgotten
    return Kept(status=row.status, body=decrypt(bytes(row.body)), is_replay=True)


class _Lock(NamedTuple):
    is_held: bool


def _try_lock(asked: Asked) -> bool:
    digest = hashlib.blake2b(f"idempotency:{asked.workspace_id}:{asked.key}".encode(), digest_size=8).digest()
    rows = fetch(
        _Lock,
        "try_idempotency_lock",
        "SELECT pg_try_advisory_xact_lock(%(key)s) AS is_held",
        {"key": int.from_bytes(digest, "big", signed=True)},
    )
    return rows[0].is_held
