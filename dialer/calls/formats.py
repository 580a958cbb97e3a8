"""Calls in the other formats: items of batches, and the requests to a campaign's status URLs.

Each function returns an item that the outbox renders in the same transaction, and only if an endpoint or URL receives
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
"""How long the result of a talk waits for the analysis."""

Status = Callable[[], Mapping[str, object]]


def attempted_item(call: CallContext, *, outcome: Outcome, rang: bool, began_at: datetime) -> NewItem:
    def render(_: UUID) -> Mapping[str, object]:
        return batch_items.call_attempted(_party(call, call.number), outcome=outcome, rang=rang, at=began_at)

    return NewItem(type=BatchType.CALL_ATTEMPTED, render=render)


def attempted_status(call: CallContext, *, outcome: Outcome, began_at: datetime, ended_at: datetime) -> Status | None:
    if call.campaign_id is None:
        return None
    return partial(
        status_callbacks.attempt,
        campaign=public_id("camp", call.campaign_id),
        call=public_id("call", call.id),
        number=call.number or call.phone,
        outcome=outcome,
        began_at=began_at,
        ended_at=ended_at,
        zone=_zone(call),
    )


def received_item(call: CallContext, *, kind: str, at: datetime) -> NewItem:
    def render(_: UUID) -> Mapping[str, object]:
        return batch_items.call_received(_party(call, call.number), kind=kind, at=at)

    return NewItem(type=BatchType.CALL_RECEIVED, render=render)


def complete_item(call: CallContext, chain: Chain, *, at: datetime) -> NewItem | None:
    """Return the result of a chain that is over, held back while the analysis of its talk may still come.

    Returns ``None`` if nobody was dialled.
    """
    decided = chain.deciding
    if decided is None:
        return None
    is_awaited = decided.outcome in TALKS and decided.analysis is None
    told_at = max(at, decided.ended_at + WAIT_FOR_ANALYSIS) if is_awaited else at
    return NewItem(
        type=BatchType.CALL_COMPLETE,
        render=lambda item_id: complete(item_id, call, decided, at=told_at),
        ready_at=told_at if is_awaited else None,
    )


def complete(item_id: UUID, call: CallContext, decided: Attempt, *, at: datetime) -> Mapping[str, object]:
    """Render the result of a chain from its deciding attempt."""
    result = Result(
        call_id=decided.id,
        chain_id=call.chain_id,
        outcome=decided.outcome,
        started_at=decided.answered_at or decided.began_at,
        has_flow=call.persona_has_flow,
        analysis=decided.analysis or {},
    )
    return batch_items.call_complete(item_id, _party(call, decided.number), result, at=at)


def number_done_status(call: CallContext, chain: Chain, *, was_reached: bool, at: datetime) -> Status | None:
    """Return the status request for a number whose chain is over; ``None`` if it was never dialled.

    A contact who was reached in a call of their own is ``completed``, whatever our last call came to.
    """
    decided = chain.deciding
    if call.campaign_id is None or decided is None:
        return None
    return partial(
        status_callbacks.number_done,
        campaign=public_id("camp", call.campaign_id),
        to=chain.attempts[-1].number,
        from_=chain.attempts[-1].caller_id,
        calls=[public_id("call", attempt.id) for attempt in chain.attempts],
        outcome=Outcome.ANSWERED if was_reached else decided.outcome,
        began_at=chain.attempts[0].began_at,
        ended_at=at,
        zone=_zone(call),
    )


def _party(call: CallContext, number: str) -> Party:
    return Party(
        phone=number or call.phone,
        name=call.contact_name,
        external_id=call.external_id,
        campaign_id=call.campaign_id,
    )


def _zone(call: CallContext) -> str:
    return call.campaign_zone or call.workspace_zone
