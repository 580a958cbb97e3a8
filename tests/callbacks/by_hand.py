"""Schedules imagined by the code that schedules, for cases that were computed by hand.

Times are UTC; a phone rings for 30 seconds, and a window is 09:00 to 20:00 every day unless the case says otherwise.
"""

from datetime import datetime
from typing import Any

from callbacks.preview import Question, preview
from dialer.rules.schedule_settings import parse, parse_retry_policy

Chain = tuple[list[str], str | None]
BUSINESS_DAYS = ["mon", "tue", "wed", "thu", "fri"]


def chain(
    first: str,
    *outcomes: str,
    zone: str = "Europe/Berlin",
    phone: str = "",
    call: dict[str, Any] | None = None,
    campaign: dict[str, Any] | None = None,
    workspace: dict[str, Any] | None = None,
    policy: dict[str, Any] | None = None,
    **others: Any,
) -> Chain:
    """Imagine a chain whose attempts end with these outcomes; return its later times and why it stops."""
    question = Question(
        phone=phone,
        time_zone="" if phone else zone,
        first_attempt_at=datetime.fromisoformat(first),
        outcomes=outcomes or ("no_answer",),
        workspace_zone="Europe/Berlin",
        call=parse(call or {}),
        campaign=parse(campaign or {}),
        workspace=parse(workspace or {}),
        campaign_policy=parse_retry_policy(policy) if policy else None,
        **others,
    )
    answer = preview(question)
    times = [attempt["at"] for attempt in answer["attempts"][1:]]
    return times, answer["stop"]["reason"] if answer["stop"] else None


def after(minutes: int, **window: Any) -> dict[str, Any]:
    """Settings of a call: one delay, and a window."""
    return {"callback_retry_schedule": [minutes], **window}


def hours(start: str, end: str) -> dict[str, Any]:
    return {"calling_hours": {"start": start, "end": end}}
