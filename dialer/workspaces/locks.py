"""Transaction-level advisory locks on things that are not one row: a phone number, a contact in all its campaigns."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from dialer.workspaces.statements import run


def lock_numbers(keys: Iterable[tuple[UUID, str]]) -> None:
    """Lock ``(workspace, number)`` pairs until the transaction ends, always in the same order.

    These locks come first in the lock order (see ``docs/design.md``): counting limits and checking suppressions is
    exact only under them.
    """
    hashed = sorted({_key(workspace_id, number) for workspace_id, number in keys})
    if hashed:
        run(
            "lock_numbers",
            "SELECT pg_advisory_xact_lock(k) FROM unnest(%(keys)s::bigint[]) WITH ORDINALITY AS t(k, o) ORDER BY o",
            {"keys": hashed},
        )


def _key(workspace_id: UUID, number: str) -> int:
    digest = hashlib.blake2b(f"{workspace_id}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
