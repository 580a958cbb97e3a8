"""Redacts payloads: removes what is about a person from a frozen body, and keeps the fact.

The fields are those of the published schemas, in all three formats. What is left still fits its schema.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from webhooks.rules.json_bytes import encode

Fields = Mapping[str, object]
"""Fields to be replaced, each with its replacement; :data:`LEFT_OUT` removes the field. ``contact.status`` is the
field ``status`` of an object ``contact``."""

LEFT_OUT: Final = object()

TALK: Fields = {
    "transcript": None,
    "recording_url": None,
    "summary": None,
    "structured_data": {},
    "flow": [],
    "requests": [],
    "in_call_tools": [],
    "post_call_actions": [],
}
"""What was said in a call."""
PERSON: Fields = {
    **TALK,
    "name": "",
    "phone": "",
    "number": "",
    "from": "",
    "to": "",
    "message": "",
    "error": "",
    "notes": "",
    "reason": "",
    "source": "",
    "outcome_id": None,
    "contact.status": None,
    "score": None,
    "lastStepName": None,
    "correlationId": LEFT_OUT,
    "metadata": {},
}
"""Everything that is about the contact, and every text that somebody wrote."""

_KEPT: Mapping[str, frozenset[str]] = {
    "call.received": frozenset({"to"}),
    "campaign.failed": frozenset({"error"}),
    "call.exhausted": frozenset({"reason"}),
    "contact.suppressed": frozenset({"reason"}),
}
"""Fields that in this event are a number of ours, a code, or about a line."""


def redacted(body: bytes, fields: Fields) -> bytes:
    """Return the body with these fields replaced; an envelope's ``metadata`` then says that it is redacted.

    Redacting a redacted body changes nothing, and a body without any of the fields stays as it is.
    """
    document = json.loads(body)
    event = document.get("event") if isinstance(document, dict) else None
    kept = _KEPT.get(event, frozenset()) if event else frozenset()
    cleaned = _cleaned(document, {name: to for name, to in fields.items() if name not in kept})
    if cleaned == document:
        return body
    if event:
        cleaned["metadata"] = {**cleaned["metadata"], "redacted": True}
    return encode(cleaned)


def _cleaned(value: Any, fields: Fields, *, within: str = "") -> Any:  # noqa: ANN401 — JSON
    if isinstance(value, list):
        return [_cleaned(each, fields, within=within) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        field = f"{within}.{name}" if f"{within}.{name}" in fields else name
        if field not in fields:
            found[name] = _cleaned(inner, fields, within=name)
        elif fields[field] is not LEFT_OUT:
            found[name] = fields[field]
    return found
