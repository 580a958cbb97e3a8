"""The end of chains as it was told: not while something went on, and with the result that the facts give."""

from collections.abc import Iterator
from typing import Any

from tests.simulation.checker.chains import unfollowed
from tests.simulation.checker.evidence import OVER, Evidence, Rule, Violation
from tests.simulation.checker.policy import Policy, used_up


def judge_exhaustion(evidence: Evidence) -> Iterator[Violation]:
    broken_off = {call.chain for call, _ in unfollowed(evidence)}
    for event in evidence.rows.events:
        if event.type == "call.exhausted" and event.chain not in broken_off:
            yield from _not_too_early(evidence, event)
            yield from _right_result(evidence, event)


def _not_too_early(evidence: Evidence, event: Any) -> Iterator[Violation]:
    """Find calls of the chain that were queued or on the phone when its end was told."""
    at = event.created_at
    for call in evidence.calls_of_chain[event.chain]:
        attempt, end = evidence.attempts.get(call.id), evidence.ends.get(call.id)
        came_back = any(entry.at >= at for entry in evidence.history.all("undone", call.id))
        was_on_the_phone = attempt is not None and attempt.at <= at and end is not None and end.taken_up_at > at
        was_queued = (
            call.queued_at <= at
            and not came_back
            and (call.status == "queued" or (attempt is not None and attempt.at > at))
        )
        is_unknown = call.outcome == "unknown"
        if was_queued or (was_on_the_phone and not is_unknown):
            seen = f"chain {event.chain} ended {event.result} ({event.reason}) at {at}, before call {call.id}"
            yield Violation(rule=Rule.EXHAUSTED_AT_THE_END, seen=seen)


def _right_result(evidence: Evidence, event: Any) -> Iterator[Violation]:
    expected = _result(evidence, event)
    if event.result not in expected:
        seen = (
            f"chain {event.chain}: {event.result} ({event.reason}) at {event.created_at}, and the facts say {expected}"
        )
        yield Violation(rule=Rule.EXHAUSTED_AT_THE_END, seen=seen)


def _result(evidence: Evidence, event: Any) -> set[str]:
    """Return the results that the facts allow; none where nothing that is known ended the chain."""
    at, calls = event.created_at, evidence.calls_of_chain[event.chain]
    was_reached = any(
        (end := evidence.ends.get(call.id)) and end.outcome == "answered" and end.taken_up_at <= at for call in calls
    ) or any(_told(evidence, "marked reached", call.id, at) for call in calls)
    ran_out = "reached" if was_reached else "exhausted"
    allowed = set()
    if _ran_out(evidence, event):
        allowed.add(ran_out)
    for call in calls:
        for entry in evidence.history.all("taken out", call.id):
            if entry.at == at:
                allowed.add({"skipped": ran_out}.get(entry.value, entry.value))
        if _told(evidence, "call cancelled", call.id, at):
            allowed.add("cancelled")
    contact, campaign = calls[0].contact, calls[0].campaign
    if evidence.is_suppressed_at(contact, at=at):
        allowed |= {"suppressed", ran_out}
    if evidence.status_of(campaign, at=at) in OVER or _ends_by_deed(evidence, calls[0], at):
        allowed |= {"cancelled", ran_out}
    if evidence.was_answered(contact, campaign, at=at) or _told(evidence, "talked", contact, at):
        allowed.add("reached")
    return allowed


def _ends_by_deed(evidence: Evidence, call: Any, at: Any) -> bool:
    """Tell whether the contact was deleted, the campaign resumed without what was due, or another promise made."""
    return (
        _told(evidence, "deleted", call.contact, at)
        or any(entry.value == "cancel" and entry.at == at for entry in evidence.history.all("resumed", call.campaign))
        or any(
            callback.created_at == at and callback.campaign == call.campaign
            for callback in evidence.callbacks_of_contact[call.contact]
        )
    )


def _ran_out(evidence: Evidence, event: Any) -> bool:
    """Tell whether nothing was to follow the chain's last end: its limit is used up, or such ends have none."""
    at, calls = event.created_at, evidence.calls_of_chain[event.chain]
    ended = [(end.seq, call, end) for call in calls if (end := evidence.ends.get(call.id)) and end.taken_up_at <= at]
    if any(call.outcome in ("unknown", "cancelled") and call.ended_at <= at for call in calls):
        return True
    if any(
        callback.type == "auto_retry" and callback.status == "expired" and callback.updated_at == at
        for callback in evidence.callbacks_of_chain[event.chain]
    ):
        return True
    if not ended:
        return False
    _, call, end = max(ended, key=lambda found: found[0])
    seq = max(
        [end.seq, *(entry.seq for c in calls for entry in evidence.history.all("taken out", c.id) if entry.at == at)]
    )
    is_used_up = used_up(evidence, event.chain, seq=seq) >= Policy(evidence, call, seq=end.seq).limit(end.outcome)
    is_settled = any(
        entry.at <= at and evidence.attempts[call.id].at <= entry.at
        for c in calls
        for entry in evidence.history.all("taken out", c.id)
        if entry.value in ("cancelled", "completed")
    )
    # Outside campaigns a contact may have several chains; one whose contact waits for another's call makes none.
    waits_elsewhere = call.campaign is None and evidence.is_promised(call.contact, None, at=at, but_not=event.chain)
    return is_used_up or is_settled or waits_elsewhere


def _told(evidence: Evidence, what: str, subject: str, at: Any) -> bool:
    return any(entry.at == at for entry in evidence.history.all(what, subject))
