"""API keys: shown once in plain text, stored as a hash, checked in constant time."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.models import ApiKey

_PREFIX = "rb_"
_SHOWN = 10
_USED_STEP = timedelta(minutes=1)
"""The shortest time between two writes of ``last_used_at``, so that most requests cost no write."""


class KeyTaken(Exception):
    """A key with the requested plain text exists already."""


def issue(
    *,
    workspace_id: UUID,
    name: str,
    scope: str,
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
    plain: str | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its plain text, which is not stored.

    ``plain`` sets the key's text instead of random bytes (for the demo's fixed key); raises :class:`KeyTaken` if it
    is in use.
    """
    text = plain or _PREFIX + secrets.token_urlsafe(32)
    if ApiKey.objects.filter(key_hash=_hash(text)).exists():
        raise KeyTaken
    with transaction.atomic():
        key = ApiKey.objects.create(
            workspace_id=workspace_id,
            name=name,
            prefix=text[:_SHOWN],
            key_hash=_hash(text),
            scope=scope,
            expires_at=expires_at,
        )
        record(actor, [Change.of(key, "api_key", "issue", to_state={"name": name, "scope": scope})], now=now)
    return key, text


def authenticate(plain: str, *, now: datetime) -> ApiKey | None:
    """Return the key with this plain text; ``None`` if it is unknown, revoked, expired, or its workspace is closed."""
    digest = _hash(plain)
    key = (
        ApiKey.objects.select_related("workspace")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), key_hash=digest, revoked_at=None, workspace__closed_at=None)
        .first()
    )
    if key is None or not hmac.compare_digest(bytes(key.key_hash), digest):
        return None
    if key.last_used_at is None or now - key.last_used_at > _USED_STEP:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    found: ApiKey = key
    return found


def revoke(key: ApiKey, *, actor: Actor, reason: str, now: datetime) -> bool:
    """Revoke the key for good; returns whether it was active."""
    with transaction.atomic():
        changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
        if changed:
            record(actor, [Change.of(key, "api_key", "revoke", reason=reason)], now=now)
    return bool(changed)


def revoke_all(workspace_id: UUID, *, actor: Actor, reason: str, now: datetime) -> None:
    """Revoke every key of a workspace."""
    for key in ApiKey.objects.in_workspace(workspace_id).filter(revoked_at=None).order_by("id"):
        revoke(key, actor=actor, reason=reason, now=now)


def _hash(plain: str) -> bytes:
    # A random key of 256 bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(plain.encode()).digest()
