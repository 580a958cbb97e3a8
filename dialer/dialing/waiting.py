"""Why a due call is not being dialled, for people to read: in the words of the check that precedes dialling."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dialer.calls.context import CallContext
from dialer.dialing import eligibility
from dialer.rules.eligibility import Drop, Eligibility, Hold
from dialer.rules.waits import TEXTS, Waits

_ON_ITS_WAY = timedelta(seconds=60)
"""For so long, a due call that nothing holds counts as on its way to the carrier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a due call is not being dialled, and when it could be; ``None`` if that takes a person's decision."""

    code: str
    text: str
    next_possible_at: datetime | None


def why_waiting(
    call_ids: Iterable[UUID], *, first_calls_of: Iterable[UUID] = (), now: datetime
) -> Mapping[UUID, Waiting]:
    """Return why each of these calls is not being dialled, judged as if due now; leaves out what nothing holds.

    ``first_calls_of`` are campaign contacts that wait for their first call; the answer has them by their own ids. Runs
    a constant number of statements.
    """
    found: dict[UUID, Waiting] = {}
    for id_, (call, answer) in eligibility.check_unlocked(call_ids, first_calls_of=first_calls_of, now=now).items():
        held = _reason_and_time(call, answer, now=now)
        if held is not None:
            code, at = held
            found[id_] = Waiting(code=code.value, text=_sentence(code), next_possible_at=at)
    return found


def _sentence(why: Waits) -> str:
    text = TEXTS[why]
    return f"{text[:1].upper()}{text[1:]}."


def _reason_and_time(call: CallContext, answer: Eligibility, *, now: datetime) -> tuple[Waits, datetime | None] | None:
    match answer:
        case Hold(reason=(Waits.CAMPAIGN_PAUSED | Waits.STALE) as reason):
            return reason, None
        case Hold(reason=reason, due_at=at, is_hopeless=is_hopeless):
            return reason, None if is_hopeless else at
        case Drop():
            return None
    if call.due_at > now:
        # Nothing holds the call any more, but the dispatcher looks at it again only at ``due_at``.
        return Waits(call.held_reason) if call.held_reason in set(Waits) else Waits.AT_CAPACITY, call.due_at
    if call.lease_until is None and call.due_at + _ON_ITS_WAY < now:
        return Waits.AT_CAPACITY, now
    return None
