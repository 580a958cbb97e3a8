"""When each callback was promised for, worked out anew from the ends of calls and from what people asked for.

A retry is wanted some minutes after the end of the call that it follows; a promise when somebody said. Both then wait
for the first instant at which the window is open and no contact limit is exceeded. What the row says must be just that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulation.checker.chains import is_beyond_limit
from tests.simulation.checker.evidence import Evidence, Rule, Violation
from tests.simulation.checker.policy import Policy, used_up
from tests.simulation.record import Entry

MINUTE = timedelta(minutes=1)
WIDEST_OFFSET = timedelta(hours=15)
CHANGES = ("moved", "undone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A time that a callback was wanted for, the moment that decided it, and the checks that it may pass."""

    at: datetime
    decided_at: datetime
    seq: int
    forced: frozenset[str] = frozenset()


def judge_times(evidence: Evidence) -> Iterator[Violation]:
    for callback in evidence.rows.callbacks:
        rule = Rule.RETRIES_AT_THEIR_TIME if callback.type == "auto_retry" else Rule.PROMISES_AT_THEIR_TIME
        wanted = _wanted(evidence, callback)
        if wanted is None and callback.type == "auto_retry" and is_beyond_limit(evidence, callback):
            continue  # A violation already, and no time is right for it.
        if wanted is None:
            yield Violation(
                rule=rule, seen=f"{_named(callback)} was made at {callback.created_at}, and nobody knows why"
            )
            continue
        expected = _times(evidence, callback, wanted)
        if callback.scheduled_at not in expected:
            seen = f"{_named(callback)} wanted at {wanted.at} is promised for {callback.scheduled_at}, not {expected}"
            yield Violation(rule=rule, seen=seen)


def _named(callback: Any) -> str:
    return f"{callback.type} {callback.id} after {callback.original_outcome or 'nothing'} (chain {callback.chain[-6:]})"


def _wanted(evidence: Evidence, callback: Any) -> Wanted | None:
    if callback.type == "auto_retry":
        return _after_end(evidence, callback) or _after_skip(evidence, callback)
    for entry in evidence.history.all("promised", callback.call):
        said = entry.value
        at = said["wanted"]
        if said["local"] is not None:
            at = instant_of(said["local"], evidence.zone_of(callback, seq=entry.seq))
        forced = frozenset(said["forced"])
        return Wanted(at=max(at, entry.at), decided_at=entry.at, seq=entry.seq, forced=forced)
    return None


def _after_end(evidence: Evidence, callback: Any) -> Wanted | None:
    """Return when a retry was wanted, that was made the moment its call's end was taken up."""
    end = evidence.ends.get(callback.origin)
    if end is None or end.taken_up_at != callback.created_at:
        return None
    return _retry(evidence, callback, outcome=end.outcome, base=end.at, decided_at=end.taken_up_at, seq=end.seq)


def _after_skip(evidence: Evidence, callback: Any) -> Wanted | None:
    """Return when a retry was wanted, that took the place of one that an operator skipped at that moment."""
    end = evidence.ends.get(callback.origin)
    for skipped in evidence.callbacks_of_chain[callback.chain]:
        for entry in evidence.history.all("taken out", skipped.call):
            if end and entry.value == "skipped" and entry.at == callback.created_at and skipped.id < callback.id:
                was = _wanted(evidence, skipped)
                times = _times(evidence, skipped, was, until=entry.seq) if was else ()
                base = max(*times, entry.at) if times else entry.at
                return _retry(evidence, callback, outcome=end.outcome, base=base, decided_at=entry.at, seq=entry.seq)
    return None


def _retry(
    evidence: Evidence, callback: Any, *, outcome: str, base: datetime, decided_at: datetime, seq: int
) -> Wanted | None:
    policy = Policy(evidence, evidence.call[callback.call], seq=seq)
    used = used_up(evidence, callback.chain, seq=seq)
    if used >= policy.limit(outcome):
        return None
    return Wanted(at=base + policy.delay(outcome, used=used), decided_at=decided_at, seq=seq)


def _times(evidence: Evidence, callback: Any, wanted: Wanted, *, until: int | None = None) -> list[datetime]:
    """Return what the promised time may be after all that happened to it; several only where a campaign resumed."""
    times = [evidence.first_start(callback, wanted.at, seq=wanted.seq, forced=wanted.forced)]
    local = _local_time(evidence, callback)
    zone = evidence.zone_of(callback, seq=wanted.seq)
    for entry in _changes(evidence, callback, after=wanted.seq, until=until):
        if entry.what == "moved":
            times, local = [entry.value], None
        elif entry.what == "resumed" and entry.value == "reschedule":
            times += [_moved_with_campaign(evidence, callback, entry)]
        elif entry.what in ("contact", "undone") and local is not None:
            zone_now = evidence.zone_of(callback, seq=entry.seq)
            if zone_now != zone:
                times, zone = [_derived_anew(evidence, callback, local, zone_now, entry)], zone_now
    return [time for time in times if time is not None]


def _local_time(evidence: Evidence, callback: Any) -> datetime | None:
    return next((entry.value["local"] for entry in evidence.history.all("promised", callback.call)), None)


def _changes(evidence: Evidence, callback: Any, *, after: int, until: int | None) -> list[Entry]:
    """Return what may have changed the time while the callback was pending, in order."""
    dialled = evidence.attempts.get(callback.call)
    end = min(until or evidence.last_seq, dialled.seq if dialled else evidence.last_seq)
    subjects = [(what, callback.call) for what in CHANGES] + [("contact", callback.contact)]
    if callback.campaign and callback.type == "auto_retry":
        subjects.append(("resumed", callback.campaign))
    found = [entry for what, subject in subjects for entry in evidence.history.all(what, subject)]
    return sorted(
        (entry for entry in found if after < entry.seq < end and _is_pending(evidence, callback, entry)),
        key=lambda entry: entry.seq,
    )


def _is_pending(evidence: Evidence, callback: Any, entry: Entry) -> bool:
    if entry.what in CHANGES:
        return True
    is_over = callback.status not in ("pending", "dialing", "done") and entry.at >= callback.updated_at
    return not is_over and not evidence.history.of("taken out", callback.call, seq=entry.seq)


def _moved_with_campaign(evidence: Evidence, callback: Any, entry: Entry) -> datetime | None:
    policy = Policy(evidence, evidence.call[callback.call], seq=entry.seq)
    used = used_up(evidence, callback.chain, seq=entry.seq)
    wanted = entry.at + policy.delay(evidence.ends[callback.origin].outcome, used=used)
    return evidence.first_start(callback, wanted, seq=entry.seq)


def _derived_anew(evidence: Evidence, callback: Any, local: datetime, zone: str, entry: Entry) -> datetime | None:
    """Read the time on the contact's new clock; one that has passed there stays as it was said."""
    at = instant_of(local, zone)
    return at if at <= entry.at else evidence.first_start(callback, at, seq=entry.seq)


def instant_of(local: datetime, zone: str) -> datetime:
    """Look at the wall clock minute by minute: the first that shows the time, else the first that shows a later one."""
    clock = ZoneInfo(zone)
    first = local.replace(tzinfo=UTC) - WIDEST_OFFSET
    looks = [first + MINUTE * n for n in range(2 * WIDEST_OFFSET // MINUTE)]
    shown = [look.astimezone(clock).replace(tzinfo=None) for look in looks]
    exact = next((look for look, wall in zip(looks, shown, strict=True) if wall == local), None)
    return exact or next(look for look, wall in zip(looks, shown, strict=True) if wall > local)
