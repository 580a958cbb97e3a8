"""Checks the shape and bounds of schedules, retry policies and contact limits.

Everything stored went through here, so readers do not check it again. Two spellings are accepted (ours, and the
reference's whole hours and day modes), one is returned; parsing the result again returns the same.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NoReturn

import holidays

from dialer.rules.window_settings import WEEKDAYS, WEEKEND_OFF

MAX_ATTEMPTS = 50
MAX_DELAYS = 20
MAX_DELAY_MINUTES = 43_200
MAX_DATES = 500
MAX_INTERVALS = 12
MAX_LIMITS = 10
MAX_LIMIT_CALLS = 1_000
MAX_LIMIT_HOURS = 8_784
RETRYABLE = ("voicemail", "no_answer", "busy", "network_error", "declined")
"""Outcomes that a retry policy may list."""

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MIDNIGHT = "24:00"
_LAST_HOUR = 24
_EXPANDED = ("number_of_retries", "interval_minutes", "mechanism", "on_status")
_SHORT_INTERVAL = "interval_mins"
_LONG_NAMES = {_SHORT_INTERVAL: "interval_minutes"}
_OTHER_NAMES = {"no-answer": "no_answer", "failed": "network_error"}
"""Statuses as other systems write them."""
RETRY_STATUSES = (*RETRYABLE, *_OTHER_NAMES)
"""Every status that the expanded form of a retry policy accepts."""


class InvalidSettings(ValueError):
    """A setting is invalid; ``errors`` names every field at fault (``callback_retry_schedule.2``)."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{path}: {' '.join(reasons)}" for path, reasons in errors.items()))
        self.errors = dict(errors)


class _Refused(Exception):
    """Ends the parsing of one value; the fault is in the notes already."""


class _Notes:
    """The faults found so far, by path."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def add(self, path: str, reason: str) -> None:
        self.errors.setdefault(path, []).append(reason)

    def refuse(self, path: str, reason: str) -> NoReturn:
        self.add(path, reason)
        raise _Refused

    def attempt(self, read: Callable[..., Any], value: object, path: str, **bounds: int) -> Any:  # noqa: ANN401 — JSON
        """Read one value; returns ``None`` if it is refused, so that reading continues and collects all faults."""
        try:
            return read(value, path, self, **bounds)
        except _Refused:
            return None

    def each(self, read: Callable[..., Any], items: Iterable[object], path: str, **bounds: int) -> list[Any]:
        return [self.attempt(read, item, f"{path}.{i}", **bounds) for i, item in enumerate(items)]

    def check(self) -> None:
        if self.errors:
            raise InvalidSettings(self.errors)


def parse(raw: object) -> dict[str, Any]:
    """Check a schedule and return its normalised form, without absent and null fields.

    For any input, raises nothing but :class:`InvalidSettings`, which names every field at fault.
    """
    notes = _Notes()
    given = _given(raw, notes)
    parsed: dict[str, Any] = {}
    for name, value in given.items():
        if name in _FIELDS:
            parsed[name] = notes.attempt(_FIELDS[name], value, name)
        elif name not in _OTHER_SPELLING:
            notes.add(name, "is not a known field")
    for name, field, read in (
        ("calling_hours", "call_start_hour", _whole_hours),
        ("days", "day_selection_mode", _day_mode),
    ):
        other = notes.attempt(read, given, field)
        if other is not None and name in given:
            notes.add(field, f"is another spelling of {name}: give one of them")
        if other is not None:
            parsed[name] = other
    parsed = {name: parsed[name] for name in _FIELDS if parsed.get(name) is not None}
    _check_open(parsed, notes)
    notes.check()
    return parsed


def parse_retry_policy(raw: object) -> dict[str, dict[str, Any]]:
    """Check a retry policy and return ``{"busy": {"delays": [60], "limit": 5}}``.

    Also accepts ``number_of_retries``, ``interval_minutes``, ``mechanism`` and ``on_status``, and expands them: linear
    waits the interval each time, exponential doubles it. Raises :class:`InvalidSettings`.
    """
    notes = _Notes()
    given = _given(raw, notes)
    notes.check()
    if any(name in given for name in _EXPANDED):
        policy = notes.attempt(_expanded_policy, given, "")
    else:
        policy = {name: notes.attempt(_outcome_rule, value, name) for name, value in given.items()}
    notes.check()
    return {name: policy[name] for name in RETRYABLE if name in policy}


def parse_retries(raw: object) -> dict[str, dict[str, Any]]:
    """Check the ``retries`` of a campaign and return the rules of a retry policy; no retries are no rules.

    They are the short form of :func:`parse_retry_policy`, where ``interval_mins`` is ``interval_minutes`` too. Paths of
    errors start with ``retries``. Raises :class:`InvalidSettings`.
    """
    notes = _Notes()
    given = _given(raw, notes)
    for name in given:
        if name not in (*_EXPANDED, _SHORT_INTERVAL):
            notes.add(name, "is not a known field")
    if _SHORT_INTERVAL in given and "interval_minutes" in given:
        notes.add(_SHORT_INTERVAL, "contradicts interval_minutes")
    if "number_of_retries" not in given:
        notes.add("number_of_retries", "is required")
    try:
        notes.check()
        if given["number_of_retries"] == 0 and not isinstance(given["number_of_retries"], bool):
            return {}
        return parse_retry_policy({_LONG_NAMES.get(name, name): value for name, value in given.items()})
    except InvalidSettings as refused:
        said = _SHORT_INTERVAL if _SHORT_INTERVAL in given else "interval_minutes"
        errors = {said if path == "interval_minutes" else path: reasons for path, reasons in refused.errors.items()}
        raise InvalidSettings({f"retries.{path}": reasons for path, reasons in errors.items()}) from refused


def parse_contact_limits(raw: object) -> list[dict[str, Any]]:
    """Check contact limits, a list of ``{"max": 3, "period_hours": 24, "scope": "number"}``; empty: no limit.

    Paths of errors start with ``contact_limits``. Raises :class:`InvalidSettings`.
    """
    notes = _Notes()
    items = notes.attempt(_items, raw, "contact_limits", most=MAX_LIMITS, least=0)
    notes.check()
    limits = notes.each(_limit, items, "contact_limits")
    notes.check()
    return limits


def _given(raw: object, notes: _Notes) -> dict[str, object]:
    if not isinstance(raw, Mapping):
        notes.add("non_field_errors", "must be an object")
        return {}
    return {str(name): value for name, value in raw.items() if value is not None}


def _mapping(value: object, path: str, notes: _Notes, *, allowed: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        notes.refuse(path, "must be an object")
    unknown = [str(name) for name in value if name not in allowed]
    for name in unknown:
        notes.add(f"{path}.{name}", "is not a known field")
    if unknown:
        raise _Refused
    return value


def _items(value: object, path: str, notes: _Notes, *, most: int, least: int = 1) -> list[object]:
    if not isinstance(value, list | tuple):
        notes.refuse(path, "must be a list")
    if not least <= len(value) <= most:
        notes.refuse(path, f"must have {least} to {most:,} items, not {len(value):,}")
    return list(value)


def _boolean(value: object, path: str, notes: _Notes) -> bool:
    if not isinstance(value, bool):
        notes.refuse(path, "must be true or false")
    return value


def _integer(value: object, path: str, notes: _Notes, *, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        notes.refuse(path, "must be a whole number")
    if not least <= value <= most:
        notes.refuse(path, f"must be {least} to {most:,}")
    return value


def _attempts(value: object, path: str, notes: _Notes) -> int:
    return _integer(value, path, notes, least=1, most=MAX_ATTEMPTS)


def _delays(value: object, path: str, notes: _Notes) -> list[int]:
    items = _items(value, path, notes, most=MAX_DELAYS)
    delays = notes.each(_integer, items, path, least=1, most=MAX_DELAY_MINUTES)
    if None in delays:
        raise _Refused
    return delays


def _calling_hours(value: object, path: str, notes: _Notes) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        notes.refuse(path, "must be an object")
    if "start" in value or "end" in value:
        return _interval(value, path, notes)
    week = _mapping(value, path, notes, allowed=WEEKDAYS)
    hours = {}
    for name in WEEKDAYS:
        if week.get(name) is not None:
            intervals = notes.attempt(_intervals, week[name], f"{path}.{name}")
            if intervals:
                hours[name] = intervals
    if not hours and not any(at.startswith(path) for at in notes.errors):
        notes.refuse(path, "leaves no day open")
    return hours


def _intervals(value: object, path: str, notes: _Notes) -> list[dict[str, str]]:
    """Read the intervals of one weekday, sorted; merges those that overlap or adjoin."""
    items = _items(value, path, notes, most=MAX_INTERVALS, least=0)
    read = notes.each(_interval, items, path)
    if None in read:
        raise _Refused
    merged: list[dict[str, str]] = []
    for interval in sorted(read, key=lambda one: (one["start"], one["end"])):
        if merged and interval["start"] <= merged[-1]["end"]:
            merged[-1]["end"] = max(merged[-1]["end"], interval["end"])
        else:
            merged.append(interval)
    return merged


def _interval(value: object, path: str, notes: _Notes) -> dict[str, str]:
    given = _mapping(value, path, notes, allowed=("start", "end"))
    start = notes.attempt(_clock, given.get("start"), f"{path}.start")
    end = notes.attempt(_clock, given.get("end"), f"{path}.end", closing=True)
    if start is None or end is None:
        raise _Refused
    if end <= start:
        notes.refuse(f"{path}.end", "must be after start")
    return {"start": start, "end": end}


def _clock(value: object, path: str, notes: _Notes, *, closing: bool = False) -> str:
    """Read ``HH:MM``; texts in this form sort like times."""
    if not isinstance(value, str) or not (_CLOCK.fullmatch(value) or (closing and value == _MIDNIGHT)):
        notes.refuse(path, f"must be a time HH:MM{', at most 24:00' if closing else ''}")
    return value


def _days(value: object, path: str, notes: _Notes) -> list[str] | str:
    if value == WEEKEND_OFF:
        return WEEKEND_OFF
    items = _items(value, path, notes, most=len(WEEKDAYS))
    for i, item in enumerate(items):
        if item not in WEEKDAYS:
            notes.add(f"{path}.{i}", f"must be one of {', '.join(WEEKDAYS)}")
    return [name for name in WEEKDAYS if name in items]


def _holidays(value: object, path: str, notes: _Notes) -> dict[str, Any]:
    given = _mapping(value, path, notes, allowed=("region", "dates"))
    parsed: dict[str, Any] = {}
    region = given.get("region")
    if region is not None:
        if not isinstance(region, str) or region not in supported_regions():
            notes.add(f"{path}.region", "is not a known country or region, such as DE or DE-BY")
        parsed["region"] = region
    if given.get("dates") is not None:
        items = _items(given["dates"], f"{path}.dates", notes, most=MAX_DATES, least=0)
        dates = set(notes.each(_date, items, f"{path}.dates"))
        if dates and None not in dates:
            parsed["dates"] = sorted(dates)
    return parsed


def _date(value: object, path: str, notes: _Notes) -> str:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        notes.refuse(path, "must be a date YYYY-MM-DD")
    try:
        date.fromisoformat(value)
    except ValueError:
        notes.refuse(path, "is not a day of the calendar")
    return value


@lru_cache(maxsize=1)
def supported_regions() -> frozenset[str]:
    """Return the countries and subdivisions whose public holidays are known, such as ``DE`` and ``DE-BY``."""
    countries = holidays.list_supported_countries()
    return frozenset(countries) | {f"{country}-{part}" for country, parts in countries.items() for part in parts}


_FIELDS: dict[str, Callable[[object, str, _Notes], Any]] = {
    "auto_callback": _boolean,
    "max_callback_attempts": _attempts,
    "callback_retry_schedule": _delays,
    "calling_hours": _calling_hours,
    "days": _days,
    "holidays": _holidays,
}
_OTHER_SPELLING = ("call_start_hour", "call_end_hour", "day_selection_mode", "allowed_days")
FIELDS = (*_FIELDS, *_OTHER_SPELLING)
"""Every name that :func:`parse` accepts."""


def _whole_hours(given: Mapping[str, object], _: str, notes: _Notes) -> dict[str, str] | None:
    if "call_start_hour" not in given and "call_end_hour" not in given:
        return None
    for name, other in (("call_start_hour", "call_end_hour"), ("call_end_hour", "call_start_hour")):
        if name not in given:
            notes.refuse(name, f"is required with {other}")
    start, end = (
        notes.attempt(_integer, given[name], name, least=0, most=_LAST_HOUR)
        for name in ("call_start_hour", "call_end_hour")
    )
    if start is None or end is None:
        raise _Refused
    if end <= start:
        notes.refuse("call_end_hour", "must be after call_start_hour")
    return {"start": f"{start:02d}:00", "end": f"{end:02d}:00"}


def _day_mode(given: Mapping[str, object], path: str, notes: _Notes) -> list[str] | str | None:
    mode, allowed = given.get("day_selection_mode"), given.get("allowed_days")
    if mode != "choose_days" and allowed is not None:
        notes.refuse("allowed_days", "needs day_selection_mode choose_days")
    if mode is None:
        return None
    if mode == "all_days":
        return list(WEEKDAYS)
    if mode == "weekend_off":
        return WEEKEND_OFF
    if mode != "choose_days":
        notes.refuse(path, "must be all_days, weekend_off or choose_days")
    if allowed is None:
        notes.refuse("allowed_days", "is required with choose_days")
    items = _items(allowed, "allowed_days", notes, most=len(WEEKDAYS))
    numbers = notes.each(_integer, items, "allowed_days", least=0, most=6)
    return [name for number, name in enumerate(WEEKDAYS) if number in numbers]


def _check_open(parsed: Mapping[str, Any], notes: _Notes) -> None:
    """Refuse calling hours and days without a common day: within one level, both must permit a call."""
    hours, days = parsed.get("calling_hours"), parsed.get("days")
    if not notes.errors and hours and "start" not in hours and isinstance(days, list) and not set(hours) & set(days):
        notes.add("days", "leaves no day open: calling_hours has none of these days")


def _outcome_rule(value: object, name: str, notes: _Notes) -> dict[str, Any]:
    if name not in RETRYABLE:
        notes.refuse(name, f"must be one of {', '.join(RETRYABLE)}")
    given = _mapping(value, name, notes, allowed=("delays", "limit"))
    delays = notes.attempt(_delays, given.get("delays"), f"{name}.delays")
    limit = notes.attempt(_attempts, given.get("limit"), f"{name}.limit")
    return {"delays": delays, "limit": limit}


def _expanded_policy(given: Mapping[str, object], _: str, notes: _Notes) -> dict[str, dict[str, Any]]:
    for name in given:
        if name not in _EXPANDED:
            notes.add(name, f"is not a known field beside {', '.join(_EXPANDED)}")
    retries = notes.attempt(_attempts, given.get("number_of_retries"), "number_of_retries")
    interval = notes.attempt(
        _integer, given.get("interval_minutes"), "interval_minutes", least=1, most=MAX_DELAY_MINUTES
    )
    mechanism = given.get("mechanism", "linear")
    if not isinstance(mechanism, str) or mechanism.lower() not in ("linear", "exponential"):
        notes.add("mechanism", "must be linear or exponential")
    outcomes = []
    for i, status in enumerate(_items(given.get("on_status"), "on_status", notes, most=MAX_DELAYS)):
        outcome = _OTHER_NAMES.get(status, status) if isinstance(status, str) else None
        if outcome not in RETRYABLE:
            notes.add(f"on_status.{i}", f"must be one of {', '.join(RETRY_STATUSES)}")
        outcomes.append(outcome)
    if notes.errors:
        raise _Refused
    delays = [interval]
    if str(mechanism).lower() == "exponential":
        if interval << (retries - 1) > MAX_DELAY_MINUTES:
            notes.refuse("number_of_retries", f"makes the last delay longer than {MAX_DELAY_MINUTES:,} minutes")
        delays = [interval << step for step in range(retries)]
    return {str(outcome): {"delays": list(delays), "limit": retries} for outcome in outcomes}


def _limit(value: object, path: str, notes: _Notes) -> dict[str, Any]:
    given = _mapping(value, path, notes, allowed=("max", "period_hours", "scope"))
    scope = given.get("scope", "number")
    if scope not in ("number", "campaign"):
        notes.add(f"{path}.scope", "must be number or campaign")
    most = notes.attempt(_integer, given.get("max"), f"{path}.max", least=1, most=MAX_LIMIT_CALLS)
    hours = notes.attempt(_integer, given.get("period_hours"), f"{path}.period_hours", least=1, most=MAX_LIMIT_HOURS)
    return {"max": most, "period_hours": hours, "scope": scope}
