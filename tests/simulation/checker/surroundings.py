"""What goes on beside the queue: contacts who call us, bulk actions, a carrier out of reach, text messages."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.simulation.checker.evidence import Evidence, Rule, Violation
from tests.simulation.record import Entry, Request

A_TALK = 10
"""Seconds, from which on a talk keeps the promise to call back."""
SETTLED = timedelta(minutes=20)
"""So long after the first failure the carrier is tried seldom: after the fifth in 5 s, 10, 20, up to 5 minutes."""
SELDOM = timedelta(minutes=4)
SENT_WITHIN = timedelta(minutes=5)
STATUS = {"skip": "skipped", "cancel": "cancelled", "complete": "completed"}


def judge_surroundings(evidence: Evidence) -> Iterator[Violation]:
    yield from _callers(evidence)
    yield from _bulks(evidence)
    yield from _outages(evidence)
    yield from _texts(evidence)


def is_needless(callback: Any, talk: Entry) -> bool:
    """Tell whether a talk that the contact began makes a callback needless: a retry always, a promise if long."""
    if callback.created_at > talk.at:
        return False
    asked_before = callback.type == "customer_requested" and callback.created_at <= talk.value["began"]
    is_long = bool(talk.value["seconds"] >= A_TALK)
    return callback.type == "auto_retry" or (asked_before and is_long)


def _callers(evidence: Evidence) -> Iterator[Violation]:
    for (contact,), talks in evidence.history.of_all("talked"):
        for talk in talks:
            for callback in evidence.callbacks_of_contact[contact]:
                if is_needless(callback, talk) and _outlived(evidence, callback, talk):
                    seen = f"callback {callback.id} ({callback.status}) outlived the contact's own call of {talk.at}"
                    yield Violation(rule=Rule.CALLERS_ARE_NOT_CALLED, seen=seen)


def _outlived(evidence: Evidence, callback: Any, talk: Entry) -> bool:
    if any(entry.seq > talk.seq for entry in evidence.history.all("undone", callback.call)):
        return False
    attempt = evidence.attempts.get(callback.call)
    return callback.status == "pending" if attempt is None else attempt.seq > talk.seq


def _bulks(evidence: Evidence) -> Iterator[Violation]:
    by_call = evidence.callback_of
    for (job,), entries in evidence.history.of_all("bulk"):
        said = entries[0].value
        if len(said["done"]) != said["said"]:
            seen = f"bulk {job} says {said['said']} of {said['total']}, and refused all but {len(said['done'])}"
            yield Violation(rule=Rule.BULKS_DO_WHAT_THEY_SAY, seen=seen)
        for call_id in said["done"]:
            callback = by_call[str(call_id)]
            is_undone = any(entry.seq > entries[0].seq for entry in evidence.history.all("undone", callback.call))
            if (callback.status, callback.updated_at) != (STATUS[said["action"]], entries[0].at) and not is_undone:
                seen = f"callback {callback.id} is {callback.status}; bulk {job} did {said['action']} to it"
                yield Violation(rule=Rule.BULKS_DO_WHAT_THEY_SAY, seen=seen)


def _outages(evidence: Evidence) -> Iterator[Violation]:
    """Find requests in an outage that follow each other too soon, line by line."""
    for away, back in evidence.outages:
        first: dict[str, Request] = {}
        last: dict[str, Request] = {}
        for request in evidence.ledger:
            if not away <= request.at < back:
                continue
            line = evidence.owner_of(request.number)
            is_settled = request.at >= first.setdefault(line, request).at + SETTLED
            if is_settled and line in last and request.at - last[line].at < SELDOM:
                seen = f"{request} so soon after {last[line]}, the carrier being away since {away}"
                yield Violation(rule=Rule.AN_OUTAGE_IS_LEFT_ALONE, seen=seen)
            last[line] = request


def _texts(evidence: Evidence) -> Iterator[Violation]:
    sent = Counter(text.message_id for text in evidence.texts)
    for message, count in sent.items():
        if count > 1 or not evidence.history.all("written to", message):
            yield Violation(rule=Rule.WRITTEN_ONCE, seen=f"message {message} was given to the carrier {count} times")
    for text in evidence.texts:
        if evidence.is_suppressed(evidence.owner_of(text.number), text.number, seq=text.seq):
            yield Violation(rule=Rule.NOT_AFTER_A_SUPPRESSION, seen=f"{text}")
    for (message,), entries in evidence.history.of_all("written to"):
        asked, phone = entries[0], entries[0].value["phone"]
        due_by = asked.at + SENT_WITHIN
        is_hindered = (
            due_by > evidence.rows.at
            or evidence.has_stood_still(asked.at, due_by)
            or evidence.was_out_of_reach(asked.at, due_by)
            or evidence.history.at("suppressed", evidence.owner_of(phone), phone, at=due_by) is True
        )
        if not sent[message] and not is_hindered:
            yield Violation(rule=Rule.WRITTEN_ONCE, seen=f"message {message} of {asked.at} was never sent")
