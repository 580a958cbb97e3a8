"""Results that waited for an analysis."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dialer import formats
from dialer.chains import NOTHING_DIALLED, chains_of
from dialer.rules.statuses import Direction
from webhooks import batches


def analyzed(fact: Any, analysis: Mapping[str, Any], *, now: datetime) -> None:  # noqa: ANN401 — a row of facts
    """Let the result of a chain go that waited for what this talk meant; in the caller's transaction.

    Where the chain is not over yet, or has told its result, there is nothing to do.
    """
    decided = chains_of([fact.chain_id]).get(fact.chain_id, NOTHING_DIALLED).deciding
    if decided is None or decided.id != fact.id:
        return
    is_inbound = fact.direction == Direction.INBOUND
    told_by = f"call.ended:{fact.id}" if is_inbound else f"call.exhausted:{fact.chain_id}"
    meant = replace(decided, analysis=analysis)
    batches.release(fact.workspace_id, told_by, lambda item_id: formats.complete(item_id, fact, meant, at=now), now=now)
