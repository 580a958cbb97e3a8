"""Secrets at rest: Fernet (AES-128-CBC with HMAC) under the keys of ``settings.ENCRYPTION_KEYS``.

The first key encrypts, every key decrypts, so that a new key is put in front and the old one taken away when nothing
is left that it wrote.
"""

from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class SecretUnreadable(Exception):
    """No key of the setting ``ENCRYPTION_KEYS`` opens this secret."""


@lru_cache(maxsize=4)
def _box(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> bytes:
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode())


def decrypt(token: bytes) -> str:
    """Open what :func:`encrypt` made; raises :class:`SecretUnreadable` where no key fits."""
    try:
        return _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(bytes(token)).decode()
    except InvalidToken as error:
        message = "none of ENCRYPTION_KEYS opens this secret; was the key that wrote it taken away?"
        raise SecretUnreadable(message) from error


class EncryptedTextField(models.Field):  # type: ignore[type-arg]
    """Text that the database holds only encrypted; it can be neither searched nor ordered by."""

    def get_internal_type(self) -> str:
        return "BinaryField"

    def from_db_value(self, value: bytes | None, *_: object) -> str | None:
        return None if value is None else decrypt(value)

    def get_db_prep_value(self, value: str | None, connection: object, prepared: bool = False) -> bytes | None:  # noqa: ARG002, FBT001, FBT002 — Django's signature
        return None if value is None else encrypt(value)
