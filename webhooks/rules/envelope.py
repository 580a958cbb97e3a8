"""The envelope profile: the JSON document that every event is frozen as.

The bytes are deterministic: keys in the order of the published contract, no spaces, unescaped UTF-8. They are rendered
once, and every attempt signs and sends the same bytes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from dialer.workspaces.instants import written
from webhooks.rules.json_bytes import encode

OWN_KEYS = frozenset({"event", "event_id", "workspace_id", "timestamp", "chain_id", "sequence", "data", "metadata"})
"""The envelope's own keys, which extra top-level keys must not use."""


class Envelope(NamedTuple):
    """One event with public ids; ``chain_id`` and ``sequence`` come together or not at all."""

    event: str
    event_id: str
    workspace_id: str
    occurred_at: datetime
    data: Mapping[str, object]
    metadata: Mapping[str, object]
    top_level: Mapping[str, object]
    chain_id: str | None = None
    sequence: int | None = None


def render(envelope: Envelope) -> bytes:
    """Return the bytes to sign and send; raises ``ValueError`` if a value is not JSON (NaN, infinity)."""
    if taken := OWN_KEYS & envelope.top_level.keys():
        message = f"the envelope sets {', '.join(sorted(taken))} itself"
        raise ValueError(message)
    document: dict[str, object] = {
        "event": envelope.event,
        "event_id": envelope.event_id,
        "workspace_id": envelope.workspace_id,
        "timestamp": written(envelope.occurred_at),
    }
    if envelope.chain_id is not None:
        document |= {"chain_id": envelope.chain_id, "sequence": envelope.sequence}
    document |= {**envelope.top_level, "data": envelope.data, "metadata": envelope.metadata}
    return encode(document)
