"""Previews a chain on assumed outcomes, with the rules that schedule real calls; writes and dials nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from callbacks.rules import explanation
from callbacks.rules.explanation import Step
from callbacks.rules.retry import Retry, Stop, decide
from callbacks.rules.settings import resolved
from dialer.calls import context
from dialer.rules.contact_limits import Handed, limits_from
from dialer.rules.openings import Possible, Terms, next_possible
from dialer.rules.time_zones import opening_for, zones_for
from dialer.workspaces.instants import written

RING_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A chain to preview: normalised settings of the three levels, and the outcome of each attempt."""

    phone: str
    time_zone: str
    first_attempt_at: datetime
    outcomes: Sequence[str]
    workspace_zone: str
    call: Mapping[str, Any] = field(default_factory=dict)
    campaign: Mapping[str, Any] = field(default_factory=dict)
    campaign_zone: str = ""
    workspace: Mapping[str, Any] = field(default_factory=dict)
    campaign_policy: Mapping[str, Any] | None = None
    workspace_policy: Mapping[str, Any] | None = None
    contact_limits: Sequence[Sequence[Mapping[str, Any]] | None] = ()
    ring_timeout: timedelta = RING_TIMEOUT


def preview(question: Question) -> dict[str, Any]:
    """Return the attempts, each with its explanation, and why the chain stops (``None`` if it would continue).

    Attempts are assumed to start exactly when scheduled and to end at the instant they start.
    """
    terms = _terms(question)
    settings = resolved(
        call=question.call,
        campaign=question.campaign,
        workspace=question.workspace,
        campaign_policy=question.campaign_policy,
        workspace_policy=question.workspace_policy,
    )
    at = question.first_attempt_at
    # The first attempt is given: it is never moved, only its time zone is resolved.
    zone = opening_for(
        terms.window.window, terms.contact, fallback=terms.fallback, at=at, ring_timeout=terms.ring_timeout
    )
    attempts: list[dict[str, Any]] = []
    ledger: list[Handed] = []
    stop: dict[str, Any] | None = None
    steps: list[Step] = []
    for number, outcome in enumerate(question.outcomes, start=1):
        attempts.append(_attempt(number, at, outcome, steps))
        ledger.append(Handed(at=at, campaign_id=None))
        decision = decide(settings, outcome=outcome, ended_at=at, used=number - 1)
        possible = _possible(decision, terms, ledger)
        if isinstance(decision, Stop) or possible is None or possible.at is None:
            reason = decision.reason if isinstance(decision, Stop) else "no_opening"
            stop = {"reason": reason, "after_attempt": number}
            break
        steps = [
            *explanation.of_retry(decision, outcome=outcome, ended_at=at, at=at),
            *explanation.of_shifts(possible, window_level=terms.window.hours_level, at=at),
        ]
        at = possible.at
    else:
        attempts.append(_attempt(len(question.outcomes) + 1, at, None, steps))
    return {
        "timezone": zone.zones[0],
        "timezone_source": zone.source,
        "attempts": attempts,
        "stop": stop,
    }


def _possible(decision: Retry | Stop, terms: Terms, ledger: Sequence[Handed]) -> Possible | None:
    if isinstance(decision, Stop):
        return None
    return next_possible(terms, at=decision.candidate, ledger=ledger)


def _attempt(number: int, at: datetime, outcome: str | None, steps: Sequence[Step]) -> dict[str, Any]:
    return {
        "attempt_number": number,
        "at": written(at),
        "outcome": outcome,
        "explanation": list(steps),
    }


def _terms(question: Question) -> Terms:
    contact = zones_for(time_zone=question.time_zone, phone=question.phone)
    return context.terms(
        phone=question.phone,
        zones=contact.zones,
        timezone_source=contact.source,
        call_schedule=json.dumps(question.call),
        campaign_schedule=json.dumps(question.campaign),
        workspace_schedule=json.dumps(question.workspace),
        campaign_zone=question.campaign_zone,
        workspace_zone=question.workspace_zone,
        limits=limits_from(*question.contact_limits),
        ring_timeout=question.ring_timeout,
        campaign_id=None,
    )
