"""Placing: the only code that hands calls to carriers.

It checks everything again under the locks of the numbers, moves the rows to ``dialing`` by compare-and-set, and
commits; only then does it ask the carrier, once. After an ambiguous answer it never sends a second request:
``dialer.dialing.reconciliation`` looks the call up by its id later.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple, assert_never
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction

from dialer import carriers
from dialer.calls import call_states, calls, campaign_contacts, chains, context
from dialer.calls.call_states import Postponed
from dialer.calls.context import CallContext
from dialer.calls.listener import CallEnd, listener
from dialer.carriers.base import Accepted, Answer, Busy, HandedOver, Health, PlaceRequest, Refused, Unknown
from dialer.dialing import eligibility, line_health
from dialer.dialing.completion import record_ends
from dialer.models import Call, Line
from dialer.rules.eligibility import Drop, Eligibility, Go, Hold
from dialer.rules.statuses import CallStatus, ContactState, Outcome, Rank
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.ids import public_id
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import fetch, run

log = logging.getLogger(__name__)

FIRST_LOOK = timedelta(seconds=15)
"""How long after hand-over a call without any report is looked up at its carrier."""
LOOK_AFTER_DOUBT = timedelta(seconds=2)
"""How long after an ambiguous answer a call is looked up."""

STALLED_SECONDS = 10.0
"""After so long the carrier is not asked any more: reconciliation may look the call up by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A call and the generation of its claim; a row of another generation was claimed or changed by others since."""

    call_id: UUID
    generation: int


def place(claims: Sequence[Claim], *, now: datetime) -> dict[str, int]:
    """Place a batch of claimed calls; returns how many were placed, held, dropped, or no longer ours.

    Safe to repeat: a second run finds other generations. Gives the database connection back before the carrier
    is asked.
    """
    began = time.monotonic()
    try:
        with transaction.atomic():
            dialing, counts = _take(claims, now=now)
            requests = _requests(dialing)
    except OperationalError:
        # A deadlock or a lost connection is no call's fault: the lease runs out, and the batch is claimed again.
        raise
    except Exception:
        if len(claims) == 1:
            raise
        log.exception("calls.batch_failed count=%s", len(claims))
        return _place_one_by_one(claims, now=now, began=began)
    if not dialing:
        return counts
    connection.close()
    answers = _ask(requests, until=began + STALLED_SECONDS)
    _record(dialing, answers, now=now)
    # The pause of a line starts now, not when its carrier was asked.
    waited = timedelta(seconds=time.monotonic() - began)
    line_health.note(zip((line for line, _ in requests), answers, strict=True), now=now + waited)
    return counts


def _place_one_by_one(claims: Sequence[Claim], *, now: datetime, began: float) -> dict[str, int]:
    """Place calls one by one because one of them breaks the batch; only that one waits until its lease runs out.

    Each is placed at its own time; ``now`` is when the monotonic clock showed ``began``. The carrier may have taken
    long over the calls before it.
    """
    counts: Counter[str] = Counter()
    for claim in claims:
        try:
            counts.update(place([claim], now=now + timedelta(seconds=time.monotonic() - began)))
        except Exception:
            log.exception("call.not_placed call=%s", public_id("call", claim.call_id))
    return dict(counts)


def hang_up(call_id: UUID) -> None:
    """Ask the carrier to end a live call; a report tells whether it did."""
    call = Call.objects.select_related("line").get(pk=call_id)
    assert call.dialing_at is not None  # as of every live call, the database says
    asked = HandedOver(
        call_id=call.pk,
        carrier_call_id=call.carrier_call_id,
        to=call.number,
        caller_id=call.caller_id,
        at=call.dialing_at,
    )
    connection.close()
    carriers.of(call.line).hang_up(asked)


def _take(claims: Sequence[Claim], *, now: datetime) -> tuple[list[CallContext], dict[str, int]]:
    """Move eligible calls to ``dialing``; hold or drop the rest."""
    wanted = {claim.call_id: claim.generation for claim in claims}
    phones = {row.id: row.phone for row in _lock_numbers_of(list(wanted))}
    _lock_campaigns(list(wanted))
    rows = [
        call
        for call in context.locked_contexts_of(wanted)
        if call.status == CallStatus.QUEUED
        and call.generation == wanted[call.id]
        and call.lease_until is not None
        and call.lease_until > now
    ]
    eligible = eligibility.check(rows, phones=phones, now=now)
    go = _take_to_dialing([call for call in rows if isinstance(eligible[call.id], Go)], now=now)
    held = _hold(rows, eligible)
    dropped = _drop(rows, eligible, now=now)
    counts = {"placed": len(go), "held": held, "dropped": dropped, "not_ours": len(wanted) - len(go) - held - dropped}
    return go, counts


class _Number(NamedTuple):
    """The number that a call goes to."""

    id: UUID
    workspace_id: UUID
    contact_id: UUID
    phone: str


def _lock_numbers_of(call_ids: list[UUID]) -> list[_Number]:
    rows = fetch(
        _Number,
        "numbers_of_calls",
        """
        SELECT c.id, c.workspace_id, c.contact_id, p.phone
        FROM dialer_call c JOIN dialer_contact p ON p.id = c.contact_id WHERE c.id = ANY(%(ids)s)
        """,
        {"ids": call_ids},
    )
    # Also lock the contact: it stays the same person even if its number has just changed.
    lock_numbers(
        key for row in rows for key in ((row.workspace_id, row.phone), (row.workspace_id, str(row.contact_id)))
    )
    return rows


def _lock_campaigns(call_ids: list[UUID]) -> None:
    """Wait for a pause or cancel that is under way, and block the next one until these calls are decided."""
    run(
        "share_campaigns",
        """
        SELECT id FROM dialer_campaign
        WHERE id IN (SELECT campaign_id FROM dialer_call WHERE id = ANY(%(ids)s)) ORDER BY id FOR SHARE
        """,
        {"ids": call_ids},
    )


def _take_to_dialing(rows: Sequence[CallContext], *, now: datetime) -> list[CallContext]:
    """Move rows to ``dialing`` and return those that moved: only these go to the carrier."""
    if not rows:
        return []
    ids = call_states.take_to_dialing(
        [(call.id, call.generation, call.phone) for call in rows], check_at=now + FIRST_LOOK, now=now
    )
    taken = [call for call in rows if call.id in ids]
    # First calls have no callback, and the claim has set their contacts to ``calling`` already.
    callbacks = [call for call in taken if call.rank != Rank.NEW]
    if callbacks:
        listener().calls_dialling([call.id for call in callbacks], now=now)
        campaign_contacts.call([call.campaign_contact_id for call in callbacks if call.campaign_contact_id])
    return taken


def _hold(rows: Sequence[CallContext], eligible: dict[UUID, Eligibility]) -> int:
    held = [
        Postponed(call_id=call.id, due_at=answer.due_at, reason=answer.reason)
        for call in rows
        if isinstance(answer := eligible[call.id], Hold)
    ]
    call_states.hold(held)
    return len(held)


def _drop(rows: Sequence[CallContext], eligible: dict[UUID, Eligibility], *, now: datetime) -> int:
    by_reason: dict[Withdrawal, list[UUID]] = {}
    for call in rows:
        answer = eligible[call.id]
        if isinstance(answer, Drop):
            by_reason.setdefault(answer.reason, []).append(call.id)
    return sum(len(calls.withdraw(ids, why=reason, now=now)) for reason, ids in by_reason.items())


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.CARRIER_REQUESTS_AT_ONCE, thread_name_prefix="carrier")


def _requests(rows: Sequence[CallContext]) -> list[tuple[Line, PlaceRequest]]:
    if not rows:
        return []
    lines = {line.pk: line for line in Line.objects.filter(pk__in={call.line_id for call in rows})}
    return [
        (
            lines[call.line_id],
            PlaceRequest(
                call_id=call.id,
                public_id=public_id("call", call.id),
                to=call.phone,
                caller_id=call.caller_id,
                ring_timeout=timedelta(seconds=call.ring_timeout_seconds),
                max_duration=timedelta(seconds=call.max_duration_seconds),
                persona_endpoint=call.persona_endpoint,
            ),
        )
        for call in rows
    ]


def _ask(requests: Sequence[tuple[Line, PlaceRequest]], *, until: float) -> list[Answer]:
    if len(requests) == 1:
        return [_ask_one(*requests[0], until=until)]
    return list(_pool().map(lambda pair: _ask_one(*pair, until=until), requests))


def _ask_one(line: Line, request: PlaceRequest, *, until: float) -> Answer:
    if time.monotonic() > until:
        return Busy(reason="worker_stalled", retry_after=timedelta(), health=Health.UNSAID)
    try:
        return carriers.of(line).place(request)
    except Exception as error:
        # Whatever failed, the request may have arrived: only a look-up can tell.
        log.exception("call.place_failed call=%s", request.public_id)
        return Unknown(reason=type(error).__name__)


def _record(rows: Sequence[CallContext], answers: Sequence[Answer], *, now: datetime) -> None:
    accepted: list[tuple[UUID, str]] = []
    refused: list[CallEnd] = []
    busy: list[Postponed] = []
    ambiguous: list[UUID] = []
    for call, answer in zip(rows, answers, strict=True):
        match answer:
            case Accepted():
                accepted.append((call.id, answer.carrier_call_id))
            case Refused():
                outcome = Outcome(answer.outcome)
                refused.append(CallEnd(call_id=call.id, outcome=outcome, ended_reason=outcome.value, at=now))
            case Busy():
                busy.append(Postponed(call_id=call.id, due_at=now + answer.retry_after, reason=answer.reason))
            case Unknown():
                ambiguous.append(call.id)
            case _:
                assert_never(answer)
        if log.isEnabledFor(logging.INFO):
            log.info("call.placed call=%s answer=%s", public_id("call", call.id), type(answer).__name__.lower())
    with transaction.atomic():
        if refused:
            record_ends(refused, now=now)
        _record_accepted(accepted)
        if ambiguous:
            run(
                "look_up_soon",
                """
                UPDATE dialer_call SET check_at = %(at)s
                WHERE id = ANY(%(ids)s) AND status IN ('dialing', 'ringing', 'in_progress')
                """,
                {"ids": ambiguous, "at": now + LOOK_AFTER_DOUBT},
            )
    if busy:
        with transaction.atomic():
            _lock_numbers_of([held.call_id for held in busy])
            _put_back(busy, now=now)


def _record_accepted(accepted: Sequence[tuple[UUID, str]]) -> None:
    if accepted:
        run(
            "record_accepted",
            """
            UPDATE dialer_call c SET carrier_call_id = t.carrier_call_id
            FROM unnest(%(ids)s::uuid[], %(carrier_ids)s::text[]) AS t(id, carrier_call_id)
            WHERE c.id = t.id AND c.carrier_call_id = ''  -- else a report came first
            """,
            {"ids": [call_id for call_id, _ in accepted], "carrier_ids": [text for _, text in accepted]},
        )


def _put_back(holds: Sequence[Postponed], *, now: datetime) -> None:
    """Put calls back into the queue because the carrier was too busy to take them: no attempt was made.

    Skips calls that are not ``dialing``, or that have reports: a report proves that the carrier took the call.
    A call is withdrawn if its chain got another queued call meanwhile, and ends if it was cancelled meanwhile.
    """
    rows = call_states.put_back(holds)
    superseded = [row for row in rows if row.status == CallStatus.WITHDRAWN]
    if superseded:
        listener().calls_withdrawn([row.id for row in superseded], Withdrawal.SUPERSEDED, now=now)
        campaign_contacts.expect_callback(
            [row.campaign_contact_id for row in superseded if row.campaign_contact_id], from_=[ContactState.CALLING]
        )
        chains.renumber([row.chain_id for row in superseded])
    back = [row.id for row in rows if row.status == CallStatus.QUEUED]
    listener().calls_put_back(back, now=now)
    calls.end_cancelled(back, now=now)
