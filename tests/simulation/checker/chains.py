"""What followed the calls: retries as the settings say, none after an answer, and every end told once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.simulation.checker.ends import End
from tests.simulation.checker.evidence import OVER, Evidence, Rule, Violation
from tests.simulation.checker.policy import Policy, used_up

LIVE = ("dialing", "ringing", "in_progress")


def judge_chains(evidence: Evidence) -> Iterator[Violation]:
    yield from _outcomes_are_the_carriers(evidence)
    yield from _retries_within_limits(evidence)
    yield from _every_end_is_followed(evidence)
    yield from _answers_end_retries(evidence)
    yield from _ends_are_told_once(evidence)


def _outcomes_are_the_carriers(evidence: Evidence) -> Iterator[Violation]:
    """Compare what a call is said to have come to with what the carrier said, and with who stopped it."""
    for call in evidence.rows.calls:
        end = evidence.ends.get(call.id)
        if call.direction != "outbound" or call.status != "ended":
            continue
        if end is not None and (end.taken_up_at, end.at) == (call.ended_at, call.ended_at):
            is_right = call.outcome == end.outcome
        elif call.outcome == "unknown":
            # Nobody could learn its fate then; what came later came too late.
            is_right = call.id in evidence.attempts and (end is None or end.taken_up_at > call.ended_at)
        elif call.outcome == "cancelled" and end is None:
            is_right = _was_stopped(evidence, call)
        else:
            is_right = end is not None and (call.outcome, call.ended_at) == (end.outcome, end.at)
        if not is_right:
            seen = f"call {call.id} is said to have ended {call.outcome} at {call.ended_at}: {end}"
            yield Violation(rule=Rule.OUTCOMES_ARE_THE_CARRIERS, seen=seen)


def _was_stopped(evidence: Evidence, call: Any) -> bool:
    """Tell whether a person cancelled a call of which the carrier says nothing, or its contact was not to be called."""
    if evidence.history.all("call cancelled", call.id):
        return True
    was_deleted = any(entry.at == call.ended_at for entry in evidence.history.all("deleted", call.contact))
    is_single = call.campaign is None and call.id not in evidence.attempts
    return is_single and (was_deleted or evidence.is_suppressed_at(call.contact, at=call.ended_at))


def _retries_within_limits(evidence: Evidence) -> Iterator[Violation]:
    """Find retries beyond the limit: of the ends that their chains came to, and of what was skipped."""
    for callback in evidence.rows.callbacks:
        if callback.type == "auto_retry" and is_beyond_limit(evidence, callback):
            used = used_up(evidence, callback.chain, seq=evidence.last_seq)
            seen = f"callback {callback.id} after {callback.original_outcome}, {used} retries being used up now"
            yield Violation(rule=Rule.RETRIES_WITHIN_THE_LIMIT, seen=seen)


def is_beyond_limit(evidence: Evidence, callback: Any) -> bool:
    """Tell whether the chain of a retry had used up all that it might when the retry was made."""
    end = evidence.ends.get(callback.origin)
    if end is None:
        return False
    seq = _decided(evidence, callback, end)
    limit = Policy(evidence, evidence.call[callback.call], seq=seq).limit(end.outcome)
    return used_up(evidence, callback.chain, seq=seq) >= limit


def _decided(evidence: Evidence, callback: Any, end: End) -> int:
    """Return when a retry was decided on: as its call's end was taken up, or as the retry before it was skipped."""
    skips = [
        entry.seq
        for before in evidence.callbacks_of_chain[callback.chain]
        for entry in evidence.history.all("taken out", before.call)
        if entry.value == "skipped" and entry.at == callback.created_at and before.id < callback.id
    ]
    return max([end.seq, *skips])


def _every_end_is_followed(evidence: Evidence) -> Iterator[Violation]:
    for call, end in unfollowed(evidence):
        seen = f"call {call.id} ended {end.outcome} at {end.at}, and no retry was made"
        yield Violation(rule=Rule.ENDS_ARE_FOLLOWED, seen=seen)


def unfollowed(evidence: Evidence) -> Iterator[tuple[Any, End]]:
    """Find calls that should have been called back and were not."""
    followed = {callback.origin for callback in evidence.rows.callbacks}
    for call in evidence.rows.calls:
        end = evidence.ends.get(call.id)
        if end is None or call.direction != "outbound" or call.id in followed or call.outcome != end.outcome:
            continue
        used = used_up(evidence, call.chain, seq=end.seq)
        if used < Policy(evidence, call, seq=end.seq).limit(end.outcome) and not _excused(evidence, call, end):
            yield call, end


def _excused(evidence: Evidence, call: Any, end: End) -> bool:
    """Tell whether no retry was to be made: campaign over, number suppressed, chain settled, or a promise pending."""
    contact = evidence.history.of("contact", call.contact, seq=end.seq)
    settled = (
        entry.value in ("cancelled", "completed") and evidence.attempts[call.id].seq < entry.seq < end.seq
        for other in evidence.calls_of_chain[call.chain]
        for entry in evidence.history.all("taken out", other.id)
    )
    return (
        any(settled)
        or evidence.is_promised(call.contact, call.campaign, at=end.taken_up_at)
        or (call.campaign is not None and evidence.history.of("campaign_status", call.campaign, seq=end.seq) in OVER)
        or evidence.is_suppressed(contact["workspace"], contact["phone"], seq=end.seq + 1)
    )


def _answers_end_retries(evidence: Evidence) -> Iterator[Violation]:
    for call in evidence.rows.calls:
        end = evidence.ends.get(call.id)
        if end is None or end.outcome not in ("answered", "dnc_request") or call.outcome != end.outcome:
            continue
        for callback in evidence.callbacks_of_contact[call.contact]:
            if callback.type != "auto_retry" or callback.campaign != call.campaign:
                continue
            attempt = evidence.attempts.get(callback.call)
            outlived = callback.status == "pending" or (attempt is not None and attempt.seq > end.seq)
            came_back = any(entry.seq > end.seq for entry in evidence.history.all("undone", callback.call))
            if callback.created_at <= end.taken_up_at and outlived and not came_back:
                seen = f"callback {callback.id} ({callback.status}) outlived the answer of {end} to {call.id}"
                yield Violation(rule=Rule.AN_ANSWER_ENDS_RETRIES, seen=seen)


def _ends_are_told_once(evidence: Evidence) -> Iterator[Violation]:
    told = Counter((event.type, _subject(event)) for event in evidence.rows.events)
    for call in evidence.rows.calls:
        expected = call.status == "ended" and not call.follow_up_pending
        if told["call.ended", call.id] != expected:
            seen = f"call {call.id} is {call.status}, and call.ended was told {told['call.ended', call.id]} times"
            yield Violation(rule=Rule.ENDS_ARE_TOLD_ONCE, seen=seen)
    by_chain: dict[str, list[Any]] = defaultdict(list)
    for call in evidence.rows.calls:
        if call.direction == "outbound":  # who calls us begins no chain that could be exhausted
            by_chain[call.chain].append(call)
    for chain, calls in by_chain.items():
        is_open = any(call.status == "queued" or call.status in LIVE or call.follow_up_pending for call in calls)
        was_called = any(call.status == "ended" for call in calls)
        count = told["call.exhausted", chain]
        if count > 1 or (was_called and not is_open and count != 1):
            states = [f"{call.status} {call.outcome or call.held_reason}" for call in calls]
            yield Violation(rule=Rule.ENDS_ARE_TOLD_ONCE, seen=f"chain {chain} {states}: exhausted told {count} times")
    for campaign in evidence.rows.campaigns:
        if told["campaign.ended", campaign.id] != (campaign.ended_at is not None):
            seen = (
                f"campaign {campaign.id} is {campaign.status}, ended told {told['campaign.ended', campaign.id]} times"
            )
            yield Violation(rule=Rule.ENDS_ARE_TOLD_ONCE, seen=seen)
    yield from _in_their_order(evidence)


def _subject(event: Any) -> Any:
    return {"call.ended": event.call, "call.exhausted": event.chain, "campaign.ended": event.campaign}[event.type]


def _in_their_order(evidence: Evidence) -> Iterator[Violation]:
    first_end: dict[str, int] = {}
    for event in evidence.rows.events:
        if event.type == "call.ended" and event.chain:
            first_end[event.chain] = min(first_end.get(event.chain, event.sequence), event.sequence)
    for event in evidence.rows.events:
        if event.type == "call.exhausted" and event.sequence < first_end.get(event.chain, event.sequence):
            yield Violation(rule=Rule.ENDS_ARE_TOLD_ONCE, seen=f"chain {event.chain} was exhausted before a call ended")
