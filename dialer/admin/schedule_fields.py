"""Form fields for a schedule, which a row stores as one dict."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from dialer.rules.window_settings import WEEKDAYS, WEEKEND_OFF

_INTERVAL = re.compile(r"([0-9]{1,2}:[0-9]{2}) *[-–] *([0-9]{1,2}:[0-9]{2})")  # noqa: RUF001 — a dash people type
NAMES = {
    "schedule.calling_hours": "hours",
    "schedule.days": "days",
    "schedule.holidays": "holiday_region",
    "schedule.holidays.dates": "holiday_dates",
    "schedule.auto_callback": "auto_callback",
    "schedule.max_callback_attempts": "max_callback_attempts",
    "schedule.callback_retry_schedule": "callback_retry_schedule",
    "schedule.time_zone": "time_zone",
    "schedule.start_at": "start_at",
    "schedule.start_at_local": "start_at_local",
    "schedule.end_at": "end_at",
}
"""The form's fields by the paths that validation errors name."""

WINDOW = ("hours", "days", ("holiday_region", "holiday_dates"))
CALLBACKS = (("auto_callback", "max_callback_attempts"), "callback_retry_schedule")


class _ReadField(forms.CharField):
    """A text field whose value is parsed by ``read``."""

    def read(self, text: str) -> object:
        raise NotImplementedError

    def to_python(self, value: object) -> Any:  # noqa: ANN401 — a CharField's is a text
        return self.read(str(value or ""))


class MinutesField(_ReadField):
    """Delays in minutes: ``60, 120, 1440``."""

    def __init__(self, *, label: str, help_text: str = "") -> None:
        widget = UnfoldAdminTextInputWidget(attrs={"placeholder": "60, 120, 1440"})
        super().__init__(required=False, widget=widget, label=label, help_text=help_text)

    def read(self, text: str) -> list[int] | None:
        try:
            return [int(number) for number in re.split(r"[,; ]+", text.strip()) if number] or None
        except ValueError as error:
            message = "Enter whole minutes with commas between them, such as 60, 120."
            raise forms.ValidationError(message) from error

    def prepare_value(self, value: object) -> object:
        return ", ".join(str(item) for item in value) if isinstance(value, list) else value


class HoursField(_ReadField):
    """Calling hours: ``09:00-20:00``, or a line per weekday, ``mon 09:00-12:00, 13:00-17:00``."""

    def __init__(self, *, label: str, help_text: str) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": 2, "placeholder": "09:00-20:00"})
        super().__init__(required=False, widget=widget, label=label, help_text=help_text)

    def read(self, text: str) -> Mapping[str, Any] | None:
        lines = [line.strip().lower() for line in text.splitlines() if line.strip()]
        if not lines:
            return None
        whole = _INTERVAL.fullmatch(lines[0])
        if whole and len(lines) == 1:
            return _interval(whole)
        week: dict[str, list[dict[str, str]]] = {}
        for line in lines:
            day, _, rest = line.partition(" ")
            found = [_INTERVAL.fullmatch(part.strip()) for part in rest.split(",")]
            if day not in WEEKDAYS or not all(found) or day in week:
                message = f"“{line}” is neither hours, 09:00-20:00, nor a weekday with hours, mon 09:00-12:00."
                raise forms.ValidationError(message)
            week[day] = [_interval(interval) for interval in found if interval]
        return week

    def prepare_value(self, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        if "start" in value:
            return _written(value)
        return "\n".join(
            f"{day} {', '.join(_written(interval) for interval in value[day])}" for day in WEEKDAYS if value.get(day)
        )


class ScheduleFields(forms.Form):
    """The fields of a schedule; the next level (campaign, then workspace) decides an empty field."""

    hours = HoursField(
        label="Calling hours",
        help_text="On the contact's clock. One line, 09:00-20:00, or one per weekday, mon 09:00-12:00, 13:00-17:00; "
        "a weekday left out is closed.",
    )
    days = forms.MultipleChoiceField(
        required=False,
        choices=[*((day, day.capitalize()) for day in WEEKDAYS), (WEEKEND_OFF, "all but the contact's weekend")],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    holiday_region = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Closed on its public holidays: DE-BY, US-CA, FR"
    )
    holiday_dates = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Closed too: 2025-05-08, 2025-12-24"
    )
    auto_callback = forms.ChoiceField(
        required=False,
        label="Call back automatically",
        choices=[("", "As decided above"), ("yes", "Yes"), ("no", "No")],
        widget=UnfoldAdminSelectWidget,
    )
    max_callback_attempts = forms.IntegerField(
        required=False, label="Callbacks at most", widget=UnfoldAdminIntegerFieldWidget
    )
    callback_retry_schedule = MinutesField(
        label="Minutes until each callback", help_text="The last one repeats; empty: by the retry policy"
    )


def initial_of(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the initial values of the fields for a stored schedule."""
    days = schedule.get("days")
    holidays = schedule.get("holidays") or {}
    auto: Any = schedule.get("auto_callback")
    return {
        "hours": schedule.get("calling_hours"),
        "days": [days] if isinstance(days, str) else days,
        "holiday_region": holidays.get("region", ""),
        "holiday_dates": ", ".join(holidays.get("dates", ())),
        "auto_callback": {True: "yes", False: "no"}.get(auto, ""),
        "max_callback_attempts": schedule.get("max_callback_attempts"),
        "callback_retry_schedule": schedule.get("callback_retry_schedule"),
    }


def schedule_of(filled_in: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schedule in the form that ``schedule_settings`` checks."""
    days: Any = filled_in["days"]
    dates = [text for text in re.split(r"[,; ]+", filled_in["holiday_dates"]) if text]
    holidays = {"region": filled_in["holiday_region"].strip() or None, "dates": [_date(text) for text in dates] or None}
    holidays = {name: value for name, value in holidays.items() if value}
    schedule = {
        "calling_hours": filled_in["hours"] or None,
        "days": WEEKEND_OFF if WEEKEND_OFF in days else days or None,
        "holidays": holidays or None,
        "auto_callback": {"yes": True, "no": False}.get(filled_in["auto_callback"]),
        "max_callback_attempts": filled_in["max_callback_attempts"],
        "callback_retry_schedule": filled_in["callback_retry_schedule"],
    }
    return {name: value for name, value in schedule.items() if value is not None}


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return text


def _interval(found: "re.Match[str]") -> dict[str, str]:
    return {"start": found[1].zfill(5), "end": found[2].zfill(5)}


def _written(interval: Mapping[str, str]) -> str:
    return f"{interval['start']}-{interval['end']}"
