"""What a storm has left behind, read into one history; and the story of one number out of it."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dialer.carriers.simulation.ledger import places
from dialer.workspaces.ids import public_id
from tests.chaos import faults, inbox
from tests.chaos.history import CallRow, Hand, History
from tests.chaos.world import RETRIES, World
from tests.rows import read, without_parents
from webhooks.models import Delivery, DeliveryAttempt, Event

_AROUND = 10.0
"""Seconds on both sides of what happened to a number in which faults belong to its story."""


def history_of(
    world: World, *, ledger: Path, received: Path, hands: Path, log: Path, delay_seconds: float, in_hand_seconds: float
) -> History:
    """Read the carrier's ledger, the receiver's file, what workers noted, the faults, and the rows."""
    return History(
        people=world.people(),
        places=places(ledger),
        calls=_calls(),
        hands=_hands(hands),
        receipts=inbox.read(received),
        faults=faults.read(log),
        recorded={public_id(Event.public_prefix, pk) for pk in Event.objects.values_list("id", flat=True)},
        answered={
            (public_id(Delivery.public_prefix, delivery_id), number)
            for delivery_id, number in DeliveryAttempt.objects.filter(
                status_code__gte=200, status_code__lt=300
            ).values_list("delivery_id", "number")
        },
        campaigns=[campaign.public_id for campaign in world.campaigns],
        retries=RETRIES,
        delay_seconds=delay_seconds,
        in_hand_seconds=in_hand_seconds,
    )


def left_undone() -> dict[str, int]:
    """Count what is still to be done, and rows without their parents: nothing, once a storm has drained."""
    (row,) = read(
        "left_undone",
        """
        SELECT (SELECT count(*) FROM dialer_call WHERE status NOT IN ('ended', 'withdrawn')) AS calls,
            (SELECT count(*) FROM dialer_call WHERE lease_until IS NOT NULL OR follow_up_pending) AS leases,
            (SELECT count(*) FROM callbacks_callback WHERE status IN ('pending', 'dialing')) AS callbacks,
            (SELECT count(*) FROM dialer_campaigncontact
                WHERE state IN ('waiting', 'calling', 'callback_pending')) AS contacts,
            (SELECT count(*) FROM dialer_campaign WHERE status <> 'completed') AS campaigns,
            (SELECT count(*) FROM webhooks_delivery WHERE status = 'pending') AS deliveries
        """,
    )
    return {name: count for name, count in row._asdict().items() if count} | without_parents()


def story_of(subject: str, history: History) -> Iterator[str]:
    """Tell what happened to one number, or to one delivery or event, in the order of time."""
    rows = [row for row in history.calls if row.number == subject]
    calls = {row.id for row in rows}
    told: list[tuple[float, str]] = []
    for place in history.places:
        if place.to == subject:
            answer = "accepted" if place.accepted else place.reason
            told.append((place.at.timestamp(), f"carrier   {place.public_id} {answer}"))
    told += [(hand.at, f"worker    {hand.life} takes {hand.call}") for hand in history.hands if hand.call in calls]
    told += [
        (receipt.at, f"receiver  {receipt.type} {receipt.event_id} attempt {receipt.attempt} from {receipt.sender}")
        for receipt in history.receipts
        if subject in (receipt.phone, receipt.event_id, receipt.delivery_id, receipt.campaign) or receipt.call in calls
    ]
    times = [at for at, _ in told]
    told += [
        (fault.at, f"fault     {_told(fault)}")
        for fault in history.faults
        if times and fault.touches(min(times) - _AROUND, max(times) + _AROUND)
    ]
    for person in history.people:
        if person.number == subject:
            yield f"due: {person.dials(retries=history.retries)} calls; {person}"
    yield from (f"row  {row.text}" for row in rows)
    yield from (f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {text}" for at, text in sorted(told))


def listed_faults(history: History) -> Sequence[str]:
    return [
        f"{datetime.fromtimestamp(fault.at, UTC):%H:%M:%S} {_told(fault)}"
        for fault in sorted(history.faults, key=lambda fault: fault.at)
    ]


def _told(fault: faults.Fault) -> str:
    lasted = f", {fault.until - fault.at:.1f} s" if fault.until is not None and fault.until > fault.at else ""
    return f"{fault.id} {fault.kind} ({', '.join(fault.concerns)}) {fault.note}{lasted}"


def _calls() -> list[CallRow]:
    return [
        CallRow(
            id=public_id("call", row.id),
            number=row.number,
            status=row.status,
            outcome=row.outcome or "",
            is_handled=row.handled_at is not None,
            text=" ".join(f"{name}={value}" for name, value in row._asdict().items()),
        )
        for row in read(
            "chaos_rows",
            """
            SELECT id, number, status, outcome, ended_reason, rank, attempt_number, retries_used, generation, due_at,
                lease_until, held_reason, dialing_at, ended_at, check_at, carrier_call_id, handled_at
            FROM dialer_call ORDER BY id
            """,
        )
    ]


def _hands(file: Path) -> list[Hand]:
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [Hand(at=line["at"], life=line["life"], call=call) for line in lines for call in line["calls"]]
