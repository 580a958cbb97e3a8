"""What is told of calls beside the envelope: items of arrays, and what the URLs of a campaign are told.

Each function takes the facts at hand and returns what the outbox renders, in the same transaction, where anybody hears
it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from dialer.calls.chains import Attempt, Chain
from dialer.calls.context import CallContext
from dialer.rules import batch_items, status_callbacks
from dialer.rules.batch_items import TALKS, Party, Result
from dialer.rules.statuses import Outcome
from dialer.workspaces.ids import public_id
from webhooks.outbox import NewItem
from webhooks.rules.statuses import BatchType

WAIT_FOR_ANALYSIS: Final = timedelta(minutes=10)
"""How long after a talk its result waits for what it meant."""

Status = Callable[[], Mapping[str, object]]


def attempted_item(fact: CallContext, *, outcome: Outcome, rang: bool, began_at: datetime) -> NewItem:
    def render(_: UUID) -> Mapping[str, object]:
        return batch_items.call_attempted(_party(fact, fact.number), outcome=outcome, rang=rang, at=began_at)

    return NewItem(type=BatchType.CALL_ATTEMPTED, render=render)


def attempted_status(fact: CallContext, *, outcome: Outcome, began_at: datetime, ended_at: datetime) -> Status | None:
    if fact.campaign_id is None:
        return None
    return partial(
        status_callbacks.attempt,
        campaign=public_id("camp", fact.campaign_id),
        call=public_id("call", fact.id),
        number=fact.number or fact.phone,
        outcome=outcome,
        began_at=began_at,
        ended_at=ended_at,
        zone=_zone(fact),
    )


def received_item(fact: CallContext, *, kind: str, at: datetime) -> NewItem:
    def render(_: UUID) -> Mapping[str, object]:
        return batch_items.call_received(_party(fact, fact.number), kind=kind, at=at)

    return NewItem(type=BatchType.CALL_RECEIVED, render=render)


def complete_item(fact: CallContext, chain: Chain, *, at: datetime) -> NewItem | None:
    """Return the result of a chain that is over, held back where its talk may yet be analyzed.

    Nothing where nobody was dialled.
    """
    decided = chain.deciding
    if decided is None:
        return None
    is_awaited = decided.outcome in TALKS and decided.analysis is None
    told_at = max(at, decided.ended_at + WAIT_FOR_ANALYSIS) if is_awaited else at
    return NewItem(
        type=BatchType.CALL_COMPLETE,
        render=lambda item_id: complete(item_id, fact, decided, at=told_at),
        ready_at=told_at if is_awaited else None,
    )


def complete(item_id: UUID, fact: CallContext, decided: Attempt, *, at: datetime) -> Mapping[str, object]:
    """Render the result of a chain by the call that decides about it."""
    result = Result(
        call_id=decided.id,
        chain_id=fact.chain_id,
        outcome=decided.outcome,
        started_at=decided.answered_at or decided.began_at,
        has_flow=fact.persona_has_flow,
        analysis=decided.analysis or {},
    )
    return batch_items.call_complete(item_id, _party(fact, decided.number), result, at=at)


def number_done_status(fact: CallContext, chain: Chain, *, at: datetime) -> Status | None:
    """Return what is told of a number whose chain is over; nothing where it was never dialled."""
    decided = chain.deciding
    if fact.campaign_id is None or decided is None:
        return None
    return partial(
        status_callbacks.number_done,
        campaign=public_id("camp", fact.campaign_id),
        to=chain.attempts[-1].number,
        from_=chain.attempts[-1].caller_id,
        calls=[public_id("call", attempt.id) for attempt in chain.attempts],
        outcome=decided.outcome,
        began_at=chain.attempts[0].began_at,
        ended_at=at,
        zone=_zone(fact),
    )


def _party(fact: CallContext, number: str) -> Party:
    return Party(
        phone=number or fact.phone,
        name=fact.contact_name,
        external_id=fact.external_id,
        campaign_id=fact.campaign_id,
    )


def _zone(fact: CallContext) -> str:
    return fact.campaign_zone or fact.workspace_zone
