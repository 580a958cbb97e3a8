"""Why callbacks were never dialled: each by an excuse that has a name, and a fact outside Ringback that it rests on."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from tests.simulation.checker.evidence import OVER, Evidence, Rule, Violation
from tests.simulation.checker.surroundings import is_needless

EXPIRES_AFTER = timedelta(days=7)


def judge_excuses(evidence: Evidence) -> Iterator[Violation]:
    for callback in _never_dialled(evidence):
        if not excuse_of(evidence, callback):
            seen = f"{callback.type} {callback.id} is {callback.status} since {callback.updated_at}: {callback}"
            yield Violation(rule=Rule.NEVER_DIALLED_FOR_A_REASON, seen=seen)


def count_excuses(evidence: Evidence) -> Counter[str]:
    return Counter(excuse_of(evidence, callback) or "none" for callback in _never_dialled(evidence))


def _never_dialled(evidence: Evidence) -> Iterator[Any]:
    return (callback for callback in evidence.rows.callbacks if callback.call not in evidence.attempts)


def excuse_of(evidence: Evidence, callback: Any) -> str:
    """Name the excuse; empty where there is none. A pending one is judged as long as it lies in the queue."""
    found = (name for name, holds in EXCUSES.get(callback.status, {}).items() if holds(evidence, callback))
    return next(found, "")


def _taken_out(what: str) -> "Excuse":
    return lambda evidence, callback: _told(evidence, "taken out", callback.call, callback, what)


def _told(evidence: Evidence, what: str, subject: str | None, callback: Any, value: Any = None) -> bool:
    """Tell whether somebody did this at the moment at which the callback ended."""
    return subject is not None and any(
        entry.at == callback.updated_at and (value is None or entry.value == value)
        for entry in evidence.history.all(what, subject)
    )


def _was_reached(evidence: Evidence, callback: Any) -> bool:
    return callback.type == "auto_retry" and evidence.was_answered(
        callback.contact, callback.campaign, at=callback.updated_at
    )


def _is_replaced(evidence: Evidence, callback: Any) -> bool:
    """Tell whether the contact was promised another call then, or the one that it had followed came back."""
    others = (c for c in evidence.callbacks_of_contact[callback.contact] if c.campaign == callback.campaign)
    return any(
        other.id != callback.id
        and (
            (other.created_at == callback.updated_at and evidence.history.all("promised", other.call))
            or _told(evidence, "undone", other.call, callback)
        )
        for other in others
    )


def _gave_way(evidence: Evidence, callback: Any) -> bool:
    """Tell whether the trunk was too busy for the call, while the contact was promised another."""
    return callback.call in evidence.refused_by_trunk and any(
        other.id != callback.id and other.created_at <= callback.updated_at
        for other in evidence.callbacks_of_contact[callback.contact]
    )


Excuse = Callable[[Evidence, Any], bool]
EXCUSES: Mapping[str, Mapping[str, Excuse]] = {
    "pending": {"not its turn yet": lambda *_: True},
    "dialing": {"the trunk is asked": lambda evidence, callback: callback.call in evidence.refused_by_trunk},
    "skipped": {"skipped by a person": _taken_out("skipped")},
    "completed": {
        "handled by a person": _taken_out("completed"),
        "the contact called": lambda evidence, callback: any(
            talk.at == callback.updated_at and is_needless(callback, talk)
            for talk in evidence.history.all("talked", callback.contact)
        ),
    },
    "cancelled": {
        "cancelled by a person": _taken_out("cancelled"),
        "its call was cancelled": lambda evidence, callback: _told(evidence, "call cancelled", callback.call, callback),
        "the contact was deleted": lambda evidence, callback: _told(evidence, "deleted", callback.contact, callback),
        "the contact was reached": _was_reached,
        "marked as reached": lambda evidence, callback: any(
            _told(evidence, "marked reached", call.id, callback) for call in evidence.calls_of_chain[callback.chain]
        ),
        "cancelled as its campaign resumed": lambda evidence, callback: _told(
            evidence, "resumed", callback.campaign, callback, "cancel"
        ),
        "its campaign is over": lambda evidence, callback: (
            evidence.status_of(callback.campaign, at=callback.updated_at) in OVER
        ),
        "not to be called": lambda evidence, callback: evidence.is_suppressed_at(
            callback.contact, at=callback.updated_at
        ),
    },
    "superseded": {"another call was promised": _is_replaced, "the trunk was busy": _gave_way},
    "expired": {
        "a week late": lambda _, callback: (
            callback.type == "auto_retry" and callback.updated_at >= callback.scheduled_at + EXPIRES_AFTER
        )
    },
}
"""By the status of the callback: what may have ended it without a call."""
