"""Ids: UUIDv7 in the database, prefix and base32 in public.

A public id is the TypeID form: the prefix, an underscore, and the 128 bits in 26 characters of Crockford's base32 in
lower case (https://github.com/jetify-com/typeid). It sorts like the UUID, so by time of creation. The contract of the
batch profile asks for bare UUIDs, so whoever reads an id takes both forms.
"""

import re
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from uuid_utils.compat import uuid7

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 26
UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID = re.compile(UUID_PATTERN)
_FIRST_MAX = 7
"""26 characters hold 130 bits; the first character uses only three of its five bits."""


class MalformedId(ValueError):
    """The text is not a public id with the expected prefix."""


def new_id() -> UUID:
    """Make a UUIDv7: unique and increasing with time, so that new rows are adjacent in an index."""
    return uuid7()


def first_id_at(at: datetime) -> UUID:
    """Return the lower bound of all ids made at ``at`` or later."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


@lru_cache(maxsize=16_384)
def public_id(prefix: str, value: UUID) -> str:
    """Return ``prefix_`` and 26 characters; cached, since one event names the same rows several times."""
    bits = value.int
    pairs = []
    for _ in range(_LENGTH // 2):
        pairs.append(_PAIRS[bits & 1023])
        bits >>= 10
    return f"{prefix}_{''.join(reversed(pairs))}"


def parse_public_id(prefix: str, text: str) -> UUID:
    """Read the form that :func:`public_id` returns, or the UUID as items of arrays print it, and nothing else.

    Raises :class:`MalformedId`.
    """
    if _UUID.fullmatch(text):
        return UUID(text)
    head, _, body = text.rpartition("_")
    if head != prefix or len(body) != _LENGTH or _VALUES.get(body[0], 32) > _FIRST_MAX:
        message = f"is not an id of the form {prefix}_…"
        raise MalformedId(message)
    bits = 0
    for character in body:
        value = _VALUES.get(character)
        if value is None:
            message = f"is not an id of the form {prefix}_…"
            raise MalformedId(message)
        bits = bits << 5 | value
    return UUID(int=bits)
