"""What the carrier was asked, request by request, and whether that call might be made then."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.simulation.checker.evidence import Evidence, Rule, Violation
from tests.simulation.record import Request

EARLY = timedelta(seconds=1)


def judge_requests(evidence: Evidence) -> Iterator[Violation]:
    """Judge every request by what held at that moment."""
    asked: dict[str, Request] = {}
    for request in evidence.ledger:
        call = evidence.call.get(request.call_id)
        if call is None:
            yield Violation(rule=Rule.ONCE_PER_PROMISE, seen=f"{request}: no row knows this call")
            continue
        if request.call_id in asked:
            yield Violation(rule=Rule.ONCE_PER_PROMISE, seen=f"{request} after {asked[request.call_id]}")
        if request.is_attempt:
            asked[request.call_id] = request
        yield from _judge(evidence, request, call)
    yield from _live_at_once(evidence)


def _judge(evidence: Evidence, request: Request, call: Any) -> Iterator[Violation]:
    yield from _asked_for_whom(evidence, request, call)
    forced = evidence.forced(request.call_id, seq=request.seq)
    seen = f"{request}, {_about(evidence, call)}"
    if "outside_window" not in forced and not evidence.window_allows(
        call, request.number, at=request.at, seq=request.seq
    ):
        yield Violation(rule=Rule.INSIDE_THE_WINDOW, seen=seen)
    if evidence.is_suppressed(call.workspace, request.number, seq=request.seq):
        yield Violation(rule=Rule.NOT_AFTER_A_SUPPRESSION, seen=seen)
    status = evidence.history.of("campaign_status", call.campaign, seq=request.seq) if call.campaign else "running"
    if status != "running" and not (status == "paused" and "campaign_paused" in forced):
        yield Violation(rule=Rule.NOT_WHILE_STOPPED, seen=f"{seen}: {status}")
    exceeded = evidence.exceeded_limit(call, request.number, at=request.at, seq=request.seq)
    if exceeded and "contact_limit" not in forced and request.is_attempt:
        yield Violation(rule=Rule.CONTACT_LIMITS, seen=f"{seen}: {exceeded}")
    yield from _judge_time(evidence, request, seen)


def _asked_for_whom(evidence: Evidence, request: Request, call: Any) -> Iterator[Violation]:
    """Compare whom the row is about with whom the carrier was asked to call, and on behalf of which campaign."""
    contact = evidence.history.of("contact", call.contact, seq=request.seq)
    if request.number != contact["phone"]:
        yield Violation(rule=Rule.NUMBER_OF_THAT_MOMENT, seen=f"{request}: the contact's is {contact['phone']}")
    if evidence.campaign_called(request) != call.campaign:
        yield Violation(rule=Rule.CAMPAIGNS_OWN_NUMBER, seen=f"{request}: for campaign {call.campaign}")


def _judge_time(evidence: Evidence, request: Request, seen: str) -> Iterator[Violation]:
    """Judge a callback by its promise: not before it, and a retry not when it is stale."""
    callback = evidence.callback_of.get(request.call_id)
    if callback is None:
        return
    if request.at < callback.scheduled_at - EARLY:
        yield Violation(rule=Rule.NOT_BEFORE_ITS_TIME, seen=f"{seen}: promised for {callback.scheduled_at}")
    hours = evidence.history.of("workspace", callback.workspace, seq=request.seq)["stale_after_hours"]
    if callback.type == "auto_retry" and request.at > callback.scheduled_at + timedelta(hours=hours):
        yield Violation(rule=Rule.STALE_WAITS, seen=f"{seen}: promised for {callback.scheduled_at}")


def _live_at_once(evidence: Evidence) -> Iterator[Violation]:
    """Find calls to one number, or to one contact, that were on the phone at the same time."""
    by_whom: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for request in evidence.ledger:
        call = evidence.call.get(request.call_id)
        if request.ends_at is not None and call is not None:
            by_whom[call.workspace, request.number].append(request)
            by_whom["contact", call.contact].append(request)
    for requests in by_whom.values():
        last: Request | None = None
        for request in requests:
            overlaps = last is not None and last.ends_at is not None and request.at < last.ends_at
            if overlaps and last is not None and last.call_id != request.call_id:
                yield Violation(rule=Rule.ONE_LIVE_CALL, seen=f"{request} while {last}")
            if last is None or (last.ends_at and request.ends_at and request.ends_at > last.ends_at):
                last = request


def _about(evidence: Evidence, call: Any) -> str:
    campaign = f"campaign {call.campaign[-6:]}" if call.campaign else "no campaign"
    callback = evidence.callback_of.get(call.id)
    return f"{campaign}, contact {call.contact[-6:]}, {callback.type if callback else 'first call'}"
