"""Explains a callback's time in steps: a code, a text, the level that decided, the times before and after.

The codes are a closed list; texts are for people, codes for programs.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from callbacks.rules.retry import Retry
from dialer.rules.openings import Possible, Shift
from dialer.workspaces.instants import written

Step = dict[str, str | None]
"""``code``, ``text``, ``level``, ``from``, ``to``, ``at``; times in UTC."""


class Code(StrEnum):
    DELAY = "delay"  # which delay, and which level gave it
    LIMIT = "limit"  # which limit, and which level gave it
    REQUESTED = "requested"  # somebody named the time
    OUTSIDE_WINDOW = "outside_window"  # moved to the next opening
    CONTACT_LIMIT = "contact_limit"  # moved to when the limit allows one more call
    WINDOW_NARROWED = "window_narrowed"  # nobody knows the contact's clock
    SKIPPED = "skipped"  # an operator used up the retry before
    RESCHEDULED = "rescheduled"  # an operator named another time
    CALL_NOW = "call_now"  # an operator wants it at once
    FORCED = "forced"  # an operator overrode checks
    UNDONE = "undone"  # an operator undid a cancel, a skip or a completion
    CONTACT_CALLED = "contact_called"  # the contact called us, so it is not needed any more
    EXPIRED = "expired"  # too late to be called: it expired
    CLOCK_CHANGED = "clock_changed"  # the contact's time zone changed, and the promised instant with it
    CAMPAIGN_RESUMED = "campaign_resumed"  # its time passed while the campaign was paused


_WORDS = {
    "no_answer": "unanswered",
    "busy": "busy",
    "voicemail": "at a machine",
    "network_error": "in a network fault",
    "declined": "declined",
}
_LEVELS = {
    "call": "the call's own settings",
    "campaign": "the campaign",
    "policy": "the retry policy",
    "workspace": "the workspace's defaults",
    "default": "Ringback's defaults",
}


def step(
    code: Code,
    text: str,
    *,
    at: datetime,
    level: str | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
) -> Step:
    """Return one step; ``at`` is when it was decided."""
    return {
        "code": code.value,
        "text": text,
        "level": level,
        "from": written(from_) if from_ else None,
        "to": written(to) if to else None,
        "at": written(at),
    }


def of_retry(retry: Retry, *, outcome: str, ended_at: datetime, at: datetime, is_skip: bool = False) -> list[Step]:
    """Explain the delay and the limit of an automatic retry; ``is_skip``: it follows a skipped retry."""
    follows = f"The call ended {_WORDS.get(outcome, outcome)}: retry {retry.number} follows"
    steps = []
    if is_skip:
        text = f"An operator skipped retry {retry.number - 1}, which counts as used."
        steps.append(step(Code.SKIPPED, text, at=at, from_=ended_at))
        follows = f"Retry {retry.number} follows the one that was skipped"
    return [
        *steps,
        step(
            Code.DELAY,
            f"{follows} {_minutes(retry.delay_minutes)} later, by {_LEVELS[retry.delay_level]}.",
            at=at,
            level=retry.delay_level,
            from_=ended_at,
            to=retry.candidate,
        ),
        step(
            Code.LIMIT,
            f"Retry {retry.number} of {retry.limit}; the limit comes from {_LEVELS[retry.limit_level]}.",
            at=at,
            level=retry.limit_level,
        ),
    ]


def of_shifts(possible: Possible, *, window_level: str, at: datetime) -> list[Step]:
    """Explain how the wanted time was moved to a permitted one."""
    steps = [_of_shift(shift, possible, window_level, at) for shift in possible.shifts]
    if possible.was_cut:
        steps.append(
            step(
                Code.WINDOW_NARROWED,
                f"The contact's time zone is not known; calls are kept to 11:00-17:00 in {possible.zones[0]}, "
                f"the zone of the {possible.source}.",
                at=at,
                level=possible.source,
            )
        )
    return steps


def _of_shift(shift: Shift, possible: Possible, window_level: str, at: datetime) -> Step:
    if shift.reason == "contact_limit":
        return step(
            Code.CONTACT_LIMIT,
            "One more call would exceed the contact limit; moved to when the oldest counted call leaves the period.",
            at=at,
            from_=shift.from_,
            to=shift.to,
        )
    return step(
        Code.OUTSIDE_WINDOW,
        f"Outside the calling window in {_listed(possible.zones)}; moved to the next opening.",
        at=at,
        level=window_level,
        from_=shift.from_,
        to=shift.to,
    )


def _listed(zones: Sequence[str]) -> str:
    shown = ", ".join(zones[:3])
    return f"{shown} and {len(zones) - 3} more zones" if len(zones) > 3 else shown  # noqa: PLR2004


def _minutes(count: int) -> str:
    return "1 minute" if count == 1 else f"{count} minutes"
