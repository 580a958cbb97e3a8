"""The queue at one moment: one active callback each, and nothing that is due lies there without a reason."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.simulation.checker.chains import LIVE
from tests.simulation.checker.evidence import Evidence, Rule, Violation

SLACK = timedelta(minutes=3)
"""For a lost message, a lease that runs out, and a trunk that is busy."""
LONGEST_SILENCE = timedelta(minutes=20)
"""After the end of a call on the phone; by then its report has come, or it was looked up."""


def judge_queue(evidence: Evidence) -> Iterator[Violation]:
    """Judge the rows as they lie there; nothing is late while no worker runs."""
    yield from _one_active(evidence)
    yield from _hang_together(evidence)
    at = evidence.rows.at
    if not evidence.has_stood_still(at - SLACK, at) and not evidence.was_out_of_reach(at - SLACK, at):
        yield from _none_is_forgotten(evidence)
    since = at - LONGEST_SILENCE
    if not evidence.has_stood_still(since, at) and not evidence.was_out_of_reach(since, at):
        yield from _live_calls_end(evidence)


def _one_active(evidence: Evidence) -> Iterator[Violation]:
    pending = Counter((row.contact, row.campaign) for row in evidence.rows.callbacks if row.status == "pending")
    for (contact, campaign), count in pending.items():
        if count > 1:
            seen = f"contact {contact} has {count} pending in campaign {campaign}"
            yield Violation(rule=Rule.ONE_ACTIVE_CALLBACK, seen=seen)


def _hang_together(evidence: Evidence) -> Iterator[Violation]:
    """A pending callback has a queued call, one that is dialled a live one."""
    for callback in evidence.rows.callbacks:
        call = evidence.call[callback.call]
        expected = {"pending": ("queued",), "dialing": LIVE}.get(callback.status, ("ended", "withdrawn"))
        if call.status not in expected:
            seen = f"callback {callback.id} is {callback.status}, its call {call.id} {call.status}"
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=seen)
        if call.workspace != callback.workspace:
            yield Violation(rule=Rule.WORKSPACES_ARE_APART, seen=f"callback {callback.id}")
    has_open = {
        call.member
        for call in evidence.rows.calls
        if call.member and (call.status == "queued" or call.status in LIVE or call.follow_up_pending)
    }
    for member in evidence.rows.members:
        if member.state in ("calling", "callback_pending") and member.id not in has_open:
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"member {member.id} is {member.state} without a call")
        if member.state not in ("calling", "callback_pending") and member.id in has_open:
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"member {member.id} is {member.state} and has a call")


def _none_is_forgotten(evidence: Evidence) -> Iterator[Violation]:
    """What is due is blocked by something that can be seen; what was moved says why."""
    at = evidence.rows.at
    for call in evidence.rows.calls:
        if call.status != "queued":
            continue
        callback = evidence.callback_of.get(call.id)
        if call.lease_until is not None and call.lease_until < at - SLACK:
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"call {call.id} is claimed since {call.lease_until}")
        if call.due_at < at - SLACK and not _is_blocked(evidence, call, callback):
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"call {call.id} is due since {call.due_at}: {call}")
        was_moved = callback is not None and call.due_at > callback.scheduled_at and not call.held_reason
        if callback is not None and was_moved and not _was_derived_into_the_past(evidence, call):
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"callback {callback.id} was moved without a reason")
    for member in evidence.rows.members:
        is_waiting = member.state == "waiting" and _runs_freely(evidence, member.campaign)
        if is_waiting and (member.due_at is None or member.due_at < at - SLACK):
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"member {member.id} waits since {member.due_at}")


def _was_derived_into_the_past(evidence: Evidence, call: Any) -> bool:
    """Tell whether the call is due since the contact's clock changed: on the new one its time had passed."""
    return any(entry.at == call.due_at for entry in evidence.history.all("contact", call.contact))


def _is_blocked(evidence: Evidence, call: Any, callback: Any) -> bool:
    is_retry = callback is not None and callback.type == "auto_retry"
    is_stale = is_retry and call.not_after is not None and evidence.rows.at > call.not_after
    return is_stale or not _runs_freely(evidence, call.campaign)


def _runs_freely(evidence: Evidence, campaign: str | None) -> bool:
    """Tell whether nothing but windows and limits holds the calls of a campaign."""
    if campaign is None:
        return True
    at = evidence.rows.at
    settings = evidence.history.at("campaign", campaign, at=at)
    return evidence.status_of(campaign, at=at) == "running" and not settings["is_paced"]


def _live_calls_end(evidence: Evidence) -> Iterator[Violation]:
    for call in evidence.rows.calls:
        if call.follow_up_pending and call.ended_at < evidence.rows.at - LONGEST_SILENCE:
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"what follows call {call.id} is not decided")
        if call.status not in LIVE:
            continue
        attempt = evidence.attempts.get(call.id)
        last_sign = attempt.ends_at or attempt.at if attempt else call.dialing_at
        if last_sign < evidence.rows.at - LONGEST_SILENCE:
            seen = f"call {call.id} is {call.status}, and was over at {last_sign}"
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=seen)
