"""The judge of promises: how often each person was called, and what the receiver heard, against what had to be.

The carrier's ledger says how often; scripts and policy say how often it should be, by arithmetic of this module's own.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from dialer.carriers.simulation.ledger import Place
from tests.chaos.faults import CARRIER, POSTGRES, Fault, Kind
from tests.chaos.history import CANNOT_BE_LEARNT, CallRow, Hand, History
from tests.chaos.inbox import Receipt
from tests.chaos.judge import NOT_TAKEN, Finding
from tests.chaos.repeats import repeats_of

EARLY = 1.0
"""Seconds that a call may start before its time: what the product allows."""
NAMED = 3


def judge_promises(history: History) -> list[Finding]:
    """Apply every rule to a history of which all has ended."""
    return [
        _asked_once(history),
        _known_only(history),
        _not_too_often(history),
        _not_too_seldom(history),
        _not_too_early(history),
        _promises_kept(history),
        _unknown_explained(history),
        _unknown_listed(history),
        _ends_told(history),
        _exhausted_told(history),
        _campaigns_ended(history),
        _all_received(history),
        _repeats_explained(history),
    ]


def _asked_once(history: History) -> Finding:
    """A call is not asked for again once a request for it was taken or may have been."""
    by_call: dict[str, list[Place]] = defaultdict(list)
    for place in history.places:
        by_call[place.call_id].append(place)
    wrong = [asked[0].to for asked in by_call.values() if any(place.reason not in NOT_TAKEN for place in asked[:-1])]
    return _finding("no call is asked for after a request that may have been taken", f"{len(by_call)} calls", wrong)


def _known_only(history: History) -> Finding:
    known, handed = {person.number for person in history.people}, {hand.call for hand in history.hands}
    calls = {row.id for row in history.calls}
    wrong = [
        place.to
        for place in history.places
        if place.to not in known or place.public_id not in calls or place.public_id not in handed
    ]
    return _finding("only people of ours are called, by calls that were taken", f"{len(history.places)} asked", wrong)


def _not_too_often(history: History) -> Finding:
    dials = _dials(history)
    wrong = [p.number for p in history.people if len(dials[p.number]) > p.dials(retries=history.retries)]
    seen = f"{sum(map(len, dials.values()))} calls to {len(dials)} of {len(history.people)} people"
    return _finding("nobody is called more often than first call, promises and policy say", seen, wrong)


def _not_too_seldom(history: History) -> Finding:
    """One whose call ended ``unknown`` is left to a person; nobody else is called less often than is due."""
    dials, unknown = _dials(history), {row.number for row in history.calls if row.outcome == "unknown"}
    fewer = [p.number for p in history.people if len(dials[p.number]) < p.dials(retries=history.retries)]
    wrong = [number for number in fewer if number not in unknown]
    seen = f"{len(fewer)} less often after an unknown call"
    return _finding("nobody is called less often, but after an unknown call", seen, wrong)


def _not_too_early(history: History) -> Finding:
    """Of people without promises, each next call is a retry and keeps the policy's delay."""
    dials = _dials(history)
    wrong = []
    for person in history.people:
        times = [place.at.timestamp() for place in dials[person.number]]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        if person.is_retried and any(gap < history.delay_seconds - EARLY for gap in gaps):
            wrong.append(person.number)
    return _finding("no retry comes before its delay", f"{history.delay_seconds:g} s", wrong)


def _promises_kept(history: History) -> Finding:
    """Each promise's own call was accepted, not before its time; or could not be, or ended ``unknown``."""
    accepted = {place.public_id: place for place in history.places if place.accepted}
    unknown = {row.id for row in history.calls if row.outcome == "unknown"}
    wrong, count = [], 0
    for person in history.people:
        for promise in person.promises:
            count += 1
            place = accepted.get(promise.call)
            if place is None and promise.call not in unknown and person.dials(retries=history.retries):
                wrong.append(person.number)
            if place is not None and place.at.timestamp() < promise.due_at - EARLY:
                wrong.append(person.number)
    return _finding("each promise is kept by its own call, not before its time", f"{count} promises", wrong)


def _unknown_explained(history: History) -> Finding:
    """Whose fate is unknown has a script that says so, or a fault befell who had taken the call."""
    people = {person.number: person for person in history.people}
    hands: dict[str, list[Hand]] = defaultdict(list)
    for hand in history.hands:
        hands[hand.call].append(hand)
    wrong, by_fault = [], Counter[str]()
    for row in _unknown(history):
        person = people.get(row.number)
        if person is not None and person.script in CANNOT_BE_LEARNT:
            by_fault["by script"] += 1
        elif fault := _fault_of(hands[row.id], history) or _too_late_a_refusal(row.id, hands[row.id], history):
            by_fault[fault.id] += 1
        else:
            wrong.append(row.number)
    seen = ", ".join(f"{count} {name}" for name, count in sorted(by_fault.items()))
    return _finding("each unknown call has a script or a fault that explains it", seen, wrong)


def _fault_of(hands: Sequence[Hand], history: History) -> Fault | None:
    """Return the fault that befell the worker that had the call in hand, or the server or carrier it spoke to then."""
    for hand in hands:
        until = hand.at + history.in_hand_seconds
        for fault in history.faults:
            is_its_own = hand.life in fault.concerns and fault.touches(hand.at, until)
            is_beside = _loses_requests(fault) and fault.touches(hand.at, until)
            if is_its_own or is_beside:
                return fault
    return None


def _too_late_a_refusal(call: str, hands: Sequence[Hand], history: History) -> Fault | None:
    """Return the carrier's slowness that kept a refusal from us: it has no call then by which it could be learnt."""
    asked = [place for place in history.places if place.public_id == call]
    if not asked or asked[-1].reason not in NOT_TAKEN:
        return None
    slow = [fault for fault in history.faults if fault.kind == Kind.CARRIER and "answer_delay" in fault.note]
    return next(
        (fault for hand in hands for fault in slow if fault.touches(hand.at, hand.at + history.in_hand_seconds)),
        None,
    )


def _loses_requests(fault: Fault) -> bool:
    """Say whether a fault may lose what others have just written or asked; a carrier's mischief alone does not."""
    return POSTGRES in fault.concerns or any(name.startswith(f"{CARRIER}.") for name in fault.concerns)


def _unknown_listed(history: History) -> Finding:
    """What ended without the carrier having taken it, and was not refused, is listed; so is all that is unknown."""
    accepted = {place.public_id for place in history.places if place.accepted}
    taken = {hand.call for hand in history.hands}
    listed = {row.id for row in _unknown(history) if not row.is_handled}
    wrong = [row.number for row in _unknown(history) if row.id not in listed]
    wrong += [
        row.number
        for row in history.calls
        if row.status == "ended"
        and row.id in taken
        and row.id not in accepted | listed
        and row.outcome != "invalid_number"
    ]
    return _finding("each unknown call is listed for a person", f"{len(listed)} listed", wrong)


def _ends_told(history: History) -> Finding:
    """Of every call that was accepted, the receiver heard the attempt and the end, each under one id."""
    ids = _ids(history, lambda receipt: receipt.call)
    wrong = [
        place.to
        for place in history.places
        if place.accepted and any(len(ids[kind, place.public_id]) != 1 for kind in ("call.attempted", "call.ended"))
    ]
    return _finding("the receiver heard once of each call's attempt and end", f"{len(history.places)} calls", wrong)


def _exhausted_told(history: History) -> Finding:
    """A chain ends once; a promise made beside or after a first call goes on with its chain or begins one."""
    ids = _ids(history, lambda receipt: receipt.phone)
    wrong = []
    for person in history.people:
        most = person.has_first_call + len(person.promises)
        if most and not 1 <= len(ids["call.exhausted", person.number]) <= most:
            wrong.append(person.number)
    return _finding("the receiver heard once of each chain's end", f"{len(history.people)} people", wrong)


def _campaigns_ended(history: History) -> Finding:
    ids = _ids(history, lambda receipt: receipt.campaign)
    wrong = [name for name in history.campaigns if len(ids["campaign.ended", name]) != 1]
    return _finding("the receiver heard once of each campaign's end", f"{len(history.campaigns)} campaigns", wrong)


def _all_received(history: History) -> Finding:
    received = {receipt.event_id for receipt in history.receipts}
    digests: dict[str, set[str]] = defaultdict(set)
    for receipt in history.receipts:
        digests[receipt.event_id].add(receipt.digest)
    wrong = sorted(history.recorded ^ received) + [name for name, found in digests.items() if len(found) > 1]
    return _finding("each event reached the receiver, with the same bytes each time", f"{len(received)} events", wrong)


def _repeats_explained(history: History) -> Finding:
    repeats = repeats_of(history.receipts, faults=history.faults, answered=history.answered)
    counted = Counter(repeat.fault.id for repeat in repeats if repeat.fault is not None)
    seen = ", ".join(f"{count} by {fault}" for fault, count in sorted(counted.items()))
    wrong = [repeat.later.delivery_id for repeat in repeats if repeat.fault is None]
    return _finding("each repeat is explained by a fault", f"{len(repeats)} repeats: {seen}", wrong)


def _dials(history: History) -> Mapping[str, list[Place]]:
    dials: dict[str, list[Place]] = defaultdict(list)
    for place in history.places:
        if place.accepted:
            dials[place.to].append(place)
    return dials


def _unknown(history: History) -> list[CallRow]:
    return [row for row in history.calls if row.outcome == "unknown"]


def _ids(history: History, of: Callable[[Receipt], str]) -> Mapping[tuple[str, str], set[str]]:
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for receipt in history.receipts:
        ids[receipt.type, of(receipt)].add(receipt.event_id)
    return ids


def _finding(rule: str, seen: str, wrong: Iterable[str]) -> Finding:
    subjects = tuple(dict.fromkeys(wrong))
    named = "".join(f"; {subject}" for subject in subjects[:NAMED])
    return Finding(rule=rule, seen=f"{seen}, {len(subjects)} wrong{named}", is_kept=not subjects, subjects=subjects)
