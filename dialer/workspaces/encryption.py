"""Secrets at rest: Fernet (AES-128-CBC with HMAC) under the keys of ``settings.ENCRYPTION_KEYS``.

The first key encrypts, every key decrypts. To rotate, put a new key in front, and remove the old one when no
secret is left under it.
"""

from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class SecretUnreadable(Exception):
    """No key in the setting ``ENCRYPTION_KEYS`` decrypts this secret."""


@lru_cache(maxsize=4)
def _box(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> bytes:
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode())


def decrypt(token: bytes) -> str:
    """Decrypt the result of :func:`encrypt`; raises :class:`SecretUnreadable` if no key fits."""
    try:
        return _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(bytes(token)).decode()
    except InvalidToken as error:
        message = "none of ENCRYPTION_KEYS opens this secret; was the key that wrote it taken away?"
        raise SecretUnreadable(message) from error


class EncryptedTextField(models.Field):  # type: ignore[type-arg]
    """A text that the database stores encrypted; queries can neither search nor order by it."""

    def get_internal_type(self) -> str:
        return "BinaryField"

    def from_db_value(self, value: bytes | None, *_: object) -> str | None:
        return None if value is None else decrypt(value)

    def get_db_prep_value(self, value: str | None, connection: object, prepared: bool = False) -> bytes | None:  # noqa: ARG002, FBT001, FBT002 — Django's signature
        return None if value is None else encrypt(value)
