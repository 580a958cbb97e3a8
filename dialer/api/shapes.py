"""Serializer fields and bodies that several resources share: schedules, rules, limits, reasons."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from dialer.contacts import finding
from dialer.contacts.finding import MOST_FOUND
from dialer.models import Contact
from dialer.rules import phone_number
from dialer.rules.schedule_settings import MAX_ATTEMPTS, MAX_DELAY_MINUTES, MAX_DELAYS, MAX_LIMITS, RETRYABLE
from dialer.rules.window_settings import WEEKDAYS
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.fields import ObjectField, TextField
from dialer.workspaces.api.serializers import Strict
from dialer.workspaces.values import LONGEST_NAME

LONGEST_REASON = 500

_INTERVAL = {
    "type": "object",
    "required": ["start", "end"],
    "properties": {
        "start": {"type": "string", "example": "09:00"},
        "end": {"type": "string", "example": "20:00", "description": "After start, at most 24:00"},
    },
    "additionalProperties": False,
}
SCHEDULE: dict[str, Any] = {
    "auto_callback": {"type": "boolean"},
    "max_callback_attempts": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS},
    "callback_retry_schedule": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": MAX_DELAY_MINUTES},
        "minItems": 1,
        "maxItems": MAX_DELAYS,
        "description": "Minutes after the end of the previous call",
    },
    "calling_hours": {
        "oneOf": [
            _INTERVAL,
            {
                "type": "object",
                "properties": {name: {"type": "array", "items": _INTERVAL} for name in WEEKDAYS},
                "additionalProperties": False,
            },
        ]
    },
    "days": {
        "oneOf": [
            {"type": "array", "items": {"type": "string", "enum": list(WEEKDAYS)}, "minItems": 1},
            {"type": "string", "enum": ["weekend_off"]},
        ]
    },
    "holidays": {
        "type": "object",
        "properties": {
            "region": {"type": "string", "example": "DE-BY"},
            "dates": {"type": "array", "items": {"type": "string", "format": "date"}},
        },
        "additionalProperties": False,
    },
}
"""The normalised schedule, as OpenAPI properties."""
_OTHER_SPELLING: dict[str, Any] = {
    "call_start_hour": {"type": "integer", "minimum": 0, "maximum": 24},
    "call_end_hour": {"type": "integer", "minimum": 0, "maximum": 24},
    "day_selection_mode": {"type": "string", "enum": ["all_days", "weekend_off", "choose_days"]},
    "allowed_days": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 6}},
}


class ScheduleField(ObjectField):
    """A schedule in either spelling; ``schedule_settings`` checks it. ``extra`` adds OpenAPI properties."""

    def __init__(self, *, extra: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.extra = extra or {}
        super().__init__(**kwargs)


class RulesField(ObjectField):
    """Rules of a retry policy in either form."""


class NumberAsked(TextField):
    """A number in a query. In an address a plus means a space, so a space in front of the digits is taken as a plus."""

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        if str(data).startswith(" ") and text[:1].isdecimal():
            text = f"+{text}"
        try:
            return phone_number.parse(text)
        except phone_number.NumberNotDialable as refused:
            raise serializers.ValidationError(str(refused)) from refused


class NameAsked(TextField):
    """The beginnings of words of a contact's name."""

    def __init__(self, **kwargs: Any) -> None:
        help_text = "Beginnings of words of the contact's name, in any order"
        super().__init__(max_length=LONGEST_NAME, help_text=help_text, **kwargs)

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        if not finding.words_in(text):
            message = "must have a letter or a digit"
            raise serializers.ValidationError(message)
        return text


def contacts_found(workspace_id: UUID, field: str, wanted: str) -> Sequence[UUID]:
    """Return the contacts with a number, or a name, to find their rows; raises ``InvalidFields`` if there are too many.

    A query of its own: with a join, the planner would walk the rows in order and look at the contact of each.
    """
    mine = Contact.objects.in_workspace(workspace_id)
    matching = finding.by_name(mine, wanted) if field == "name" else mine.filter(phone=wanted)
    found = list(matching.values_list("pk", flat=True)[: MOST_FOUND + 1])
    if len(found) > MOST_FOUND:
        raise InvalidFields({field: [f"fits more than {MOST_FOUND:,} contacts"]})
    return found


class LimitsField(ObjectField):
    """Contact limits; the domain module checks them."""

    def to_internal_value(self, data: object) -> Any:  # noqa: ANN401 — a list, which the domain module checks
        return data


class Reason(Strict):
    """Why a person acts; kept in the audit entry."""

    reason = TextField(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)


class _Schedule(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = ScheduleField

    def map_serializer_field(self, auto_schema: object, direction: str) -> dict[str, Any]:
        spelling = _OTHER_SPELLING if direction == "request" else {}
        properties = {name: {**shape, "nullable": True} for name, shape in {**SCHEDULE, **spelling}.items()}
        return {"type": "object", "properties": {**properties, **self.target.extra}}


class _Rules(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = RulesField

    def map_serializer_field(self, auto_schema: object, direction: str) -> dict[str, Any]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS}
        rule = {
            "type": "object",
            "required": ["delays", "limit"],
            "properties": {"delays": SCHEDULE["callback_retry_schedule"], "limit": limit},
        }
        per_outcome = {"type": "object", "properties": dict.fromkeys(RETRYABLE, rule), "additionalProperties": False}
        if direction != "request":
            return per_outcome
        expanded = {
            "type": "object",
            "required": ["number_of_retries", "interval_minutes", "on_status"],
            "properties": {
                "number_of_retries": limit,
                "interval_minutes": {"type": "integer", "minimum": 1, "maximum": MAX_DELAY_MINUTES},
                "mechanism": {"type": "string", "enum": ["linear", "exponential"], "default": "linear"},
                "on_status": {"type": "array", "items": {"type": "string"}},
            },
        }
        return {"oneOf": [per_outcome, expanded]}


class _Limits(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = LimitsField

    def map_serializer_field(self, auto_schema: object, direction: str) -> dict[str, Any]:
        return {
            "type": "array",
            "maxItems": MAX_LIMITS,
            "items": {
                "type": "object",
                "required": ["max", "period_hours"],
                "properties": {
                    "max": {"type": "integer", "minimum": 1},
                    "period_hours": {"type": "integer", "minimum": 1},
                    "scope": {"type": "string", "enum": ["number", "campaign"], "default": "number"},
                },
            },
        }
