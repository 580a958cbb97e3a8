"""Shapes of settings that the domain modules check, as named components of the OpenAPI schema."""

import json
import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from dialer.rules.schedule_settings import (
    MAX_ATTEMPTS,
    MAX_DATES,
    MAX_DELAY_MINUTES,
    MAX_DELAYS,
    MAX_INTERVALS,
    MAX_LIMIT_CALLS,
    MAX_LIMIT_HOURS,
    MAX_LIMITS,
    RETRY_STATUSES,
    RETRYABLE,
)
from dialer.rules.window_settings import WEEKDAYS, WEEKEND_OFF

_Shape = dict[str, Any]
_REFERENCE = "#/components/schemas/"
_NULL: _Shape = {"type": "null"}


def reference(auto_schema: AutoSchema, name: str) -> _Shape:
    """Return a reference to a component, after adding it and the components inside it to the schema."""
    shape = _COMPONENTS[name]
    component = ResolvedComponent(name, ResolvedComponent.SCHEMA, shape, name)  # type: ignore[no-untyped-call]
    auto_schema.registry.register_on_missing(component)
    for inner in re.findall(rf'"{_REFERENCE}(\w+)"', json.dumps(shape)):
        reference(auto_schema, inner)
    found: _Shape = component.ref
    return found


def _to(name: str) -> _Shape:
    return {"$ref": f"{_REFERENCE}{name}"}


def _object(properties: Mapping[str, _Shape], *, required: tuple[str, ...] = (), **more: object) -> _Shape:
    shape: _Shape = {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}
    return {**shape, "required": list(required)} if required else shape


def _or_null(properties: Mapping[str, _Shape]) -> _Shape:
    """Let each be null, which is to leave it out."""
    return {name: {"anyOf": [shape, _NULL]} for name, shape in properties.items()}


def _whole(least: int, most: int) -> _Shape:
    return {"type": "integer", "minimum": least, "maximum": most}


def _list(items: _Shape, most: int, *, least: int = 0, **more: object) -> _Shape:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, **more}


_INSTANT: _Shape = {"type": "string", "format": "date-time"}
_SCHEDULE: dict[str, _Shape] = {
    "auto_callback": {"type": "boolean"},
    "max_callback_attempts": _whole(1, MAX_ATTEMPTS),
    "callback_retry_schedule": _to("Delays"),
    "calling_hours": {"anyOf": [_to("Interval"), _to("HoursByDay")]},
    "days": {
        "anyOf": [
            _list({"type": "string", "enum": list(WEEKDAYS)}, len(WEEKDAYS), least=1),
            {"type": "string", "enum": [WEEKEND_OFF]},
        ]
    },
    "holidays": _to("Holidays"),
}
_OTHER_SPELLING: dict[str, _Shape] = {
    "call_start_hour": _whole(0, 24),
    "call_end_hour": _whole(0, 24),
    "day_selection_mode": {"type": "string", "enum": ["all_days", WEEKEND_OFF, "choose_days"]},
    "allowed_days": _list(_whole(0, 6), len(WEEKDAYS), least=1),
}
_ZONE: dict[str, _Shape] = {"time_zone": {"type": "string", "description": "For contacts whose own zone is not known"}}
_OTHER_ZONE: dict[str, _Shape] = {"timezone": {"type": "string", "description": "Another name of `time_zone`"}}
_OTHER_START: dict[str, _Shape] = {"send_at": {**_INSTANT, "description": "Another name of `start_at`"}}
_TIMES: dict[str, _Shape] = {
    **_ZONE,
    "start_at": _INSTANT,
    "start_at_local": {"type": "string", "description": "On each contact's own clock"},
    "end_at": _INSTANT,
}
_RULES: dict[str, _Shape] = dict.fromkeys(RETRYABLE, _to("RetryRule"))
_COMPONENTS: dict[str, _Shape] = {
    "Delays": _list(
        _whole(1, MAX_DELAY_MINUTES), MAX_DELAYS, least=1, description="Minutes after the end of the previous call"
    ),
    "Interval": _object(
        {
            "start": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["09:00"]},
            "end": {
                "type": "string",
                "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
                "description": "After start",
                "examples": ["20:00"],
            },
        },
        required=("start", "end"),
    ),
    "HoursByDay": _object(_or_null(dict.fromkeys(WEEKDAYS, _list(_to("Interval"), MAX_INTERVALS))), minProperties=1),
    "Holidays": _object(
        _or_null(
            {
                "region": {"type": "string", "description": "A country or a part of one", "examples": ["DE-BY"]},
                "dates": _list({"type": "string", "format": "date"}, MAX_DATES),
            }
        )
    ),
    "Schedule": _object(_SCHEDULE),
    "ScheduleRequest": _object(_or_null({**_SCHEDULE, **_OTHER_SPELLING})),
    "CampaignSchedule": _object({**_SCHEDULE, **_or_null(_TIMES)}, required=tuple(_TIMES)),
    "CampaignScheduleRequest": _object(
        _or_null({**_SCHEDULE, **_OTHER_SPELLING, **_TIMES, **_OTHER_ZONE, **_OTHER_START})
    ),
    "PreviewScheduleRequest": _object(_or_null({**_SCHEDULE, **_OTHER_SPELLING, **_ZONE, **_OTHER_ZONE})),
    "RetryRule": _object({"delays": _to("Delays"), "limit": _whole(1, MAX_ATTEMPTS)}, required=("delays", "limit")),
    "RetryRules": _object(_RULES),
    "RetryRulesRequest": {
        "anyOf": [
            _object(_or_null(_RULES)),
            _object(
                {
                    "number_of_retries": _whole(1, MAX_ATTEMPTS),
                    "interval_minutes": _whole(1, MAX_DELAY_MINUTES),
                    **_or_null({"mechanism": {"type": "string", "enum": ["linear", "exponential"]}}),
                    "on_status": _list({"type": "string", "enum": list(RETRY_STATUSES)}, MAX_DELAYS, least=1),
                },
                required=("number_of_retries", "interval_minutes", "on_status"),
            ),
        ]
    },
    "CampaignRetries": _object(
        {
            "number_of_retries": _whole(0, MAX_ATTEMPTS),
            "interval_mins": _whole(1, MAX_DELAY_MINUTES),
            "interval_minutes": _whole(1, MAX_DELAY_MINUTES),
            "mechanism": {"type": "string", "description": "Linear or Exponential", "examples": ["Exponential"]},
            "on_status": _list({"type": "string"}, MAX_DELAYS, examples=[["busy", "no-answer", "failed"]]),
        },
        required=("number_of_retries",),
    ),
    "ContactLimits": _list(_to("ContactLimit"), MAX_LIMITS),
    "ContactLimit": _object(
        {
            "max": _whole(1, MAX_LIMIT_CALLS),
            "period_hours": _whole(1, MAX_LIMIT_HOURS),
            "scope": {"type": "string", "enum": ["number", "campaign"], "default": "number"},
        },
        required=("max", "period_hours"),
    ),
}
