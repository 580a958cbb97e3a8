"""What followed the calls: retries as the settings say, none after an answer, and every end told once."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.simulation.checker.evidence import OVER, Evidence, Violation

LIVE = ("dialing", "ringing", "in_progress")


def judge_chains(evidence: Evidence) -> Iterator[Violation]:
    yield from _retries_within_limits(evidence)
    yield from _every_end_is_followed(evidence)
    yield from _answers_end_retries(evidence)
    yield from _ends_are_told_once(evidence)


def limit_for(evidence: Evidence, call: Any, outcome: str, *, at: datetime) -> int:
    """Return how many retries may follow calls of a chain that end so; 0 where none may."""
    workspace = evidence.history.at("workspace", call.workspace, at=at)
    campaign = evidence.history.at("campaign", call.campaign, at=at) if call.campaign else {}
    levels: list[Mapping[str, Any]] = [call.schedule, campaign.get("schedule", {}), workspace["schedule"]]
    rules = campaign.get("rules") or workspace["rules"]
    if campaign.get("rules"):
        levels[2] = {name: value for name, value in levels[2].items() if name == "auto_callback"}
    if outcome not in rules or _first(levels, "auto_callback") is False:
        return 0
    limit, delays = _first(levels, "max_callback_attempts"), _first(levels, "callback_retry_schedule")
    if limit is not None:
        return int(limit)
    return len(delays) if delays is not None else int(rules[outcome]["limit"])


def _first(levels: list[Mapping[str, Any]], field: str) -> Any:
    return next((level[field] for level in levels if level.get(field) is not None), None)


def _used_before(evidence: Evidence, chain: list[Any], callback_id: int | None) -> int:
    """Count the retries of a chain that were dialled or skipped, those made before ``callback_id`` only."""
    return sum(
        1
        for callback in chain
        if callback.type == "auto_retry"
        and (callback_id is None or callback.id < callback_id)
        and (callback.status == "skipped" or callback.call in evidence.attempts)
    )


def _chains(evidence: Evidence) -> dict[str, list[Any]]:
    chains: dict[str, list[Any]] = defaultdict(list)
    for callback in evidence.rows.callbacks:
        chains[callback.chain].append(callback)
    return chains


def _retries_within_limits(evidence: Evidence) -> Iterator[Violation]:
    for chain in _chains(evidence).values():
        for callback in chain:
            if callback.type != "auto_retry":
                continue
            used = _used_before(evidence, chain, callback.id)
            call = evidence.call[callback.call]
            limit = limit_for(evidence, call, callback.original_outcome, at=callback.created_at)
            if used >= limit:
                seen = f"callback {callback.id} after {used} retries of at most {limit} ({callback.original_outcome})"
                yield Violation(rule="retries within the limit", seen=seen)


def _every_end_is_followed(evidence: Evidence) -> Iterator[Violation]:
    """Find calls that should have been called back and were not."""
    chains = _chains(evidence)
    followed = {callback.origin for callback in evidence.rows.callbacks}
    for call in evidence.rows.calls:
        if call.status != "ended" or call.follow_up_pending or call.id in followed or call.id not in evidence.attempts:
            continue
        at = evidence.rows.ends_taken_in.get(call.id, evidence.attempts[call.id].at)
        chain = [callback for callback in chains.get(call.chain, []) if callback.created_at < at]
        if _used_before(evidence, chain, None) >= limit_for(evidence, call, call.outcome, at=at):
            continue
        if not _excused(evidence, call, at=at):
            seen = f"call {call.id} ended {call.outcome} at {at}, and no retry was made"
            yield Violation(rule="nothing is lost", seen=seen)


def _excused(evidence: Evidence, call: Any, *, at: datetime) -> bool:
    """Tell whether a retry was not to be made: campaign over, number suppressed, or another promise pending."""
    contact = evidence.history.at("contact", call.contact, at=at)
    is_pending = any(
        callback.contact == call.contact
        and callback.campaign == call.campaign
        and callback.created_at <= at
        and (callback.dialled_at is None or callback.dialled_at >= at)
        for callback in evidence.callbacks_of_contact[call.contact]
    )
    return (
        is_pending
        or evidence.status_of(call.campaign, at=at) in OVER
        or bool(evidence.history.at("suppressed", call.workspace, contact["phone"], at=at))
    )


def _answers_end_retries(evidence: Evidence) -> Iterator[Violation]:
    for call in evidence.rows.calls:
        if call.outcome not in ("answered", "dnc_request") or call.id not in evidence.rows.ends_taken_in:
            continue
        answered_at = evidence.rows.ends_taken_in[call.id]
        for callback in evidence.callbacks_of_contact[call.contact]:
            if callback.type != "auto_retry" or callback.campaign != call.campaign or callback.created_at > answered_at:
                continue
            attempt = evidence.attempts.get(callback.call)
            if callback.status == "pending" or (attempt is not None and attempt.at > answered_at):
                seen = f"callback {callback.id} ({callback.status}) outlived the answer of {answered_at} to {call.id}"
                yield Violation(rule="an answer ends retries", seen=seen)


def _ends_are_told_once(evidence: Evidence) -> Iterator[Violation]:
    told = Counter((event.type, _subject(event)) for event in evidence.rows.events)
    for call in evidence.rows.calls:
        expected = call.status == "ended" and not call.follow_up_pending
        if told["call.ended", call.id] != expected:
            seen = f"call {call.id} is {call.status}, and call.ended was told {told['call.ended', call.id]} times"
            yield Violation(rule="ends are told once", seen=seen)
    by_chain: dict[str, list[Any]] = defaultdict(list)
    for call in evidence.rows.calls:
        by_chain[call.chain].append(call)
    for chain, calls in by_chain.items():
        is_open = any(call.status == "queued" or call.status in LIVE or call.follow_up_pending for call in calls)
        was_called = any(call.status == "ended" for call in calls)
        count = told["call.exhausted", chain]
        if count > 1 or (was_called and not is_open and count != 1):
            states = [f"{call.status} {call.outcome or call.held_reason}" for call in calls]
            yield Violation(rule="ends are told once", seen=f"chain {chain} {states}: exhausted told {count} times")
    for campaign in evidence.rows.campaigns:
        if told["campaign.ended", campaign.id] != (campaign.ended_at is not None):
            seen = (
                f"campaign {campaign.id} is {campaign.status}, ended told {told['campaign.ended', campaign.id]} times"
            )
            yield Violation(rule="ends are told once", seen=seen)
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
            yield Violation(rule="ends are told once", seen=f"chain {event.chain} was exhausted before a call ended")
