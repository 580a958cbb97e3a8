"""The scheduling rules against cases whose answers an independent model computed."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callbacks.rules.retry import RetrySettings, Stop, decide, resolve
from dialer.rules.calling_window import CallingWindow, Interval, next_opening

CASES = json.loads((Path(__file__).parent.parent / "vectors" / "preview.json").read_text())
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def minutes(text: str) -> int:
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def interval(data: dict[str, str]) -> Interval:
    return Interval(start=minutes(data["start"]), end=minutes(data["end"]))


def window(schedule: dict[str, Any]) -> CallingWindow:
    hours = schedule.get("calling_hours", {"start": "09:00", "end": "20:00"})
    days = schedule.get("days", WEEKDAYS)
    week: tuple[tuple[Interval, ...], ...]
    if "start" in hours:
        week = tuple((interval(hours),) if name in days else () for name in WEEKDAYS)
    else:
        week = tuple(tuple(interval(i) for i in hours.get(name, ())) for name in WEEKDAYS)
    closed = frozenset(date.fromisoformat(d) for d in schedule.get("holidays", {}).get("dates", ()))
    return CallingWindow(hours=week, closed_dates=closed)


def settings(data: dict[str, Any]) -> RetrySettings:
    schedule = data.get("callback_retry_schedule")
    return RetrySettings(
        auto_callback=data.get("auto_callback"),
        max_callback_attempts=data.get("max_callback_attempts"),
        callback_retry_schedule=tuple(schedule) if schedule else None,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_rules_give_the_answers_of_the_independent_model(case: dict[str, Any]) -> None:
    request = case["request"]
    resolved = resolve(
        call=settings(request.get("call", {})),
        campaign=settings(request.get("schedule", {})),
        workspace=RetrySettings(),
        campaign_policy=None,
    )
    open_hours = window(request.get("schedule", {}))

    at: datetime | None = datetime.fromisoformat(request["first_attempt_at"])
    attempts: list[tuple[datetime | None, str | None]] = []
    stop = None
    for used, outcome in enumerate(request["outcomes"]):
        assert at is not None
        attempts.append((at, outcome))
        decision = decide(resolved, outcome=outcome, ended_at=at, used=used)
        if isinstance(decision, Stop):
            stop = {"reason": decision.reason, "after_attempt": used + 1}
            break
        at = next_opening(open_hours, (request["timezone"],), at=decision.candidate, ring_timeout=timedelta(seconds=30))
    else:
        attempts.append((at, None))

    expected = [(datetime.fromisoformat(a["at"]), a["outcome"]) for a in case["expected"]["attempts"]]
    assert attempts == expected
    assert stop == case["expected"]["stop"]
