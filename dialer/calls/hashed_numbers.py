"""Hashed numbers: suppressed numbers of deleted contacts, recognised when they return, and not readable.

Such an entry holds a keyed hash in the number's place. Telephone numbers are few enough to try them all; so the key,
without which nobody can, is no part of the database. SQL makes the same form of a number as Python does.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

from dialer.models import Suppression

_LENGTH = 32

HASHED_PHONE = f"'#' || left(encode(sha256(convert_to(%(number_key)s::text || p.phone, 'UTF8')), 'hex'), {_LENGTH})"
"""The hashed form of ``p.phone``; the statement is given ``number_key``."""


def number_key() -> str:
    return str(settings.NUMBER_HASH_KEY)


def hashed(phone: str) -> str:
    """Return what is kept of a number; cut short, so that knowing it for one number helps with no longer one."""
    return "#" + hashlib.sha256((number_key() + phone).encode()).hexdigest()[:_LENGTH]


def forms_of(phones: Iterable[str]) -> list[str]:
    """Return numbers as they may stand in the list: as they are, and hashed."""
    return [form for phone in phones for form in (phone, hashed(phone))]


def is_suppressed(workspace_id: UUID, phone: str) -> bool:
    found: bool = Suppression.objects.in_workspace(workspace_id).filter(phone__in=forms_of([phone])).exists()
    return found


def hash_suppressions(workspace_id: UUID, phone: str) -> None:
    """Take a number out of its suppression, which goes on holding; in the caller's transaction, under its lock."""
    Suppression.objects.in_workspace(workspace_id).filter(phone=phone).update(phone=hashed(phone))
