"""The judge: reads the carrier's ledger and the database, and nothing that the workers say of themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dialer.carriers.simulation.ledger import places
from tests.rows import read

NOT_TAKEN = frozenset({"down", "capacity", "capacity_once"})
"""Why a carrier says plainly that it does not take a call now: the same call may be asked for again."""
TICKS = timedelta(seconds=3)
"""What a sweep that runs every second may be behind."""
LONGEST_OPEN = timedelta(seconds=60)
"""After it a call that was handed over has ended, in accelerated time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule, what was seen, and whether it was kept."""

    rule: str
    seen: str
    is_kept: bool
    subjects: tuple[str, ...] = ()
    """Whom or what broke it: numbers, as a rule."""


def judge(ledger: Path, *, now: datetime) -> list[Finding]:
    """Compare what the carrier was asked with what the rows say."""
    asked = Counter(place.call_id for place in places(ledger) if place.reason not in NOT_TAKEN)
    accepted = {place.call_id for place in places(ledger) if place.accepted}
    calls = read(
        "chaos_calls",
        """
        SELECT id::text, status, outcome, due_at, lease_until, held_reason, dialing_at, handled_at FROM dialer_call
        """,
    )
    promised = {str(row.call_id) for row in read("chaos_callbacks", "SELECT call_id FROM callbacks_callback")}
    return [
        _at_most_once("one request per call", asked, {row.id for row in calls}),
        _at_most_once("one request per promise (callback)", asked, promised),
        _asked_for_nothing_else(asked, calls),
        _no_lease_is_past(calls, now=now),
        _all_are_somewhere(calls, now=now),
        _unknown_ones_are_listed(calls, accepted),
        _nobody_was_forgotten(now=now),
    ]


def _at_most_once(rule: str, asked: Counter[str], of: set[str]) -> Finding:
    twice = [call_id for call_id in of if asked[call_id] > 1]
    seen = f"{sum(asked[call_id] for call_id in of)} requests for {len(of & asked.keys())}, {len(twice)} asked twice"
    return Finding(rule=f"the ledger shows at most {rule}", seen=seen, is_kept=bool(asked) and not twice)


def _asked_for_nothing_else(asked: Counter[str], calls: Sequence[Any]) -> Finding:
    handed = {row.id for row in calls if row.dialing_at is not None}
    strange = asked.keys() - handed
    return Finding(
        rule="the ledger shows no call that its row does not say was handed over",
        seen=f"{len(strange)} of {len(asked)}",
        is_kept=not strange,
    )


def _no_lease_is_past(calls: Sequence[Any], *, now: datetime) -> Finding:
    claimed = [row for row in calls if row.lease_until is not None]
    past = [row for row in claimed if row.lease_until < now - TICKS]
    return Finding(
        rule="no claimed row is past its lease", seen=f"{len(past)} of {len(claimed)} claimed", is_kept=not past
    )


def _all_are_somewhere(calls: Sequence[Any], *, now: datetime) -> Finding:
    """A call has ended, or is on the phone since a short time, or waits for a time to come."""
    counted: Counter[str] = Counter()
    lost = []
    for row in calls:
        if row.status in ("ended", "withdrawn"):
            counted["ended"] += 1
        elif row.status != "queued" and row.dialing_at > now - LONGEST_OPEN:
            counted["on the phone"] += 1
        elif row.status == "queued" and row.due_at > now - TICKS:
            counted["queued for later"] += 1
        else:
            lost.append(f"{row.id} {row.status} due {now - row.due_at} ago")
    seen = ", ".join(f"{count} {state}" for state, count in counted.items())
    return Finding(
        rule="every call has ended, is on the phone, or is queued for later",
        seen=f"{seen}, {len(lost)} elsewhere{''.join(f'; {text}' for text in lost[:5])}",
        is_kept=bool(calls) and not lost,
    )


def _unknown_ones_are_listed(calls: Sequence[Any], accepted: set[str]) -> Finding:
    """What was handed over and never reached the carrier has ended as ``unknown``, and waits for a person."""
    unknown = {row.id for row in calls if row.outcome == "unknown"}
    listed = {row.id for row in calls if row.outcome == "unknown" and row.handled_at is None}
    never_arrived = {
        row.id for row in calls if row.status == "ended" and row.dialing_at is not None and row.id not in accepted
    }
    refused = {row.id for row in calls if row.outcome == "invalid_number"}
    hidden = (unknown - listed) | (never_arrived - refused - listed)
    return Finding(
        rule="each unknown call is listed for a person",
        seen=f"{len(listed)} listed, {len(never_arrived - refused)} never reached the carrier, {len(hidden)} hidden",
        is_kept=not hidden,
    )


def _nobody_was_forgotten(*, now: datetime) -> Finding:
    """Every contact of the campaign has been called, or is to be."""
    rows = read(
        "chaos_contacts",
        """
        SELECT k.state, count(*) AS n FROM dialer_campaigncontact k
        WHERE (k.state = 'waiting' AND k.due_at < %(now)s)
            OR (k.state IN ('calling', 'callback_pending') AND NOT EXISTS (
            SELECT FROM dialer_call c
            WHERE c.campaign_contact_id = k.id AND c.status IN ('queued', 'dialing', 'ringing', 'in_progress')
        )) GROUP BY 1
        """,
        {"now": now - TICKS},
    )
    count = sum(row.n for row in rows)
    return Finding(rule="no contact is left without a call", seen=f"{count} are", is_kept=not count)
