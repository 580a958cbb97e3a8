"""Hashed numbers: the suppressed numbers of deleted contacts, unreadable but recognised when they return.

The entry holds a keyed hash instead of the number. Phone numbers are few enough to try them all, so the key that this
needs is not in the database. SQL and Python compute the same hash.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

from dialer.models import Suppression

_LENGTH = 32

HASHED_PHONE = f"'#' || left(encode(sha256(convert_to(%(number_key)s::text || p.phone, 'UTF8')), 'hex'), {_LENGTH})"
"""The hashed form of ``p.phone``; the statement needs the parameter ``number_key``."""


def number_key() -> str:
    return str(settings.NUMBER_HASH_KEY)


def hashed(phone: str) -> str:
    """Return the keyed hash of a number, truncated so that it cannot be extended to the hash of a longer number."""
    return "#" + hashlib.sha256((number_key() + phone).encode()).hexdigest()[:_LENGTH]


def forms_of(phones: Iterable[str]) -> list[str]:
    """Return both forms in which each number may be stored: plain and hashed."""
    return [form for phone in phones for form in (phone, hashed(phone))]


def is_suppressed(workspace_id: UUID, phone: str) -> bool:
    found: bool = Suppression.objects.in_workspace(workspace_id).filter(phone__in=forms_of([phone])).exists()
    return found


def hash_suppressions(workspace_id: UUID, phone: str) -> None:
    """Replace a number by its hash in its suppression; the caller's transaction holds the number's lock."""
    Suppression.objects.in_workspace(workspace_id).filter(phone=phone).update(phone=hashed(phone))
