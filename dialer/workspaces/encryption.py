"""Secrets at rest: Fernet (AES-128-CBC with HMAC) under the keys of ``settings.ENCRYPTION_KEYS``.

The first key encrypts, every key decrypts. To rotate, put a new key in front, and remove the old one when no
secret is left under it.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

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


class EncryptedMappingField(EncryptedTextField):
    """A mapping of texts that the database stores encrypted; an empty one is stored as NULL."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default": dict, "null": True, **options})

    def from_db_value(self, value: bytes | None, *_: object) -> dict[str, str]:  # type: ignore[override]
        return decrypt_mapping(value)

    def get_db_prep_value(  # type: ignore[override]
        self,
        value: Mapping[str, str],
        connection: object,
        prepared: bool = False,  # noqa: FBT001, FBT002 — Django's signature
    ) -> bytes | None:
        return super().get_db_prep_value(json.dumps(value) if value else None, connection, prepared)


def decrypt_mapping(token: bytes | None) -> dict[str, str]:
    """Decrypt what :class:`EncryptedMappingField` stores; raises :class:`SecretUnreadable` if no key fits."""
    mapping: dict[str, str] = {} if token is None else json.loads(decrypt(token))
    return mapping
