"""How late callbacks were dialled, and whether something that can be seen was the reason."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.checker.evidence import Evidence, Rule, Violation
from tests.simulation.checker.queue import SLACK
from tests.simulation.record import Request

LONGEST_RING = timedelta(minutes=2)
"""So long a contact who calls us is on the phone at most."""
AFTERGLOW = timedelta(minutes=15)
"""For so long after a call its number may count as busy: until its end is reported, or looked up."""


def lateness_of_all(evidence: Evidence) -> list[timedelta]:
    """Return how long after their promise callbacks were dialled, ascending."""
    return sorted(attempt.at - callback.scheduled_at for callback, attempt in _dialled(evidence))


def lateness_of_unhindered(evidence: Evidence) -> list[timedelta]:
    """Return the same of those that nothing stood in the way of when they were due."""
    return sorted(
        attempt.at - callback.scheduled_at
        for callback, attempt in _dialled(evidence)
        if not _is_hindered(evidence, callback, attempt)
    )


def judge_lateness(evidence: Evidence) -> Iterator[Violation]:
    """Find callbacks that were late, and nothing says why."""
    for callback, attempt in _dialled(evidence):
        late = attempt.at - callback.scheduled_at
        if late > SLACK and not _is_hindered(evidence, callback, attempt):
            yield Violation(rule=Rule.NOTHING_IS_LOST, seen=f"{callback} was dialled {late} late: {attempt}")


def _dialled(evidence: Evidence) -> Iterator[tuple[Any, Request]]:
    for callback in evidence.rows.callbacks:
        attempt = evidence.attempts.get(callback.call)
        if attempt is not None:
            yield callback, attempt


def _is_hindered(evidence: Evidence, callback: Any, attempt: Request) -> bool:
    call, due = evidence.call[callback.call], callback.scheduled_at
    contact = evidence.history.at("contact", callback.contact, at=due)
    campaign = evidence.history.at("campaign", callback.campaign, at=due) if callback.campaign else None
    return (
        evidence.has_stood_still(due - SLACK, attempt.at)
        or evidence.was_out_of_reach(due - SLACK, attempt.at)
        or any(
            ring.at + LONGEST_RING > due
            for ring in evidence.history.all("rang us", callback.contact)
            if ring.at < attempt.at
        )
        or (campaign is not None and campaign["is_paced"])
        or evidence.status_of(callback.campaign, at=due) != "running"
        or _was_told_anew(evidence, callback, since=due, until=attempt.at)
        or contact["phone"] != attempt.number
        or _was_busy(evidence, callback, attempt)
        or not evidence.window_allows(call, attempt.number, at=due, seq=attempt.seq)
        or bool(evidence.exceeded_limit(call, attempt.number, at=due, seq=attempt.seq))
    )


def _was_told_anew(evidence: Evidence, callback: Any, *, since: datetime, until: datetime) -> bool:
    """Tell whether the contact, the campaign or the callback itself was changed while it was due."""
    subjects = (("contact", callback.contact), ("campaign", callback.campaign), ("undone", callback.call))
    return any(
        since <= entry.at <= until
        for what, subject in subjects
        if subject is not None
        for entry in evidence.history.all(what, subject)
    )


def _was_busy(evidence: Evidence, callback: Any, attempt: Request) -> bool:
    """Tell whether the number or the contact was on the phone, or the trunk refused this very call."""
    others = [
        *evidence.attempts_to[callback.workspace, attempt.number],
        *evidence.attempts_to_contact[callback.contact],
    ]
    return callback.call in evidence.refused_by_trunk or any(
        other.call_id != attempt.call_id
        and other.at <= attempt.at
        and (other.ends_at or other.at) + AFTERGLOW > callback.scheduled_at
        for other in others
    )
