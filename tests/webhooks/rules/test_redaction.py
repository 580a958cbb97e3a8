"""What is redacted keeps the fact, loses the person, and still fits its schema."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tests.contracts.schemas import faults, names, schema
from webhooks.rules.envelope import Envelope, render
from webhooks.rules.json_bytes import encode
from webhooks.rules.redaction import PERSON, TALK, redacted
from webhooks.rules.samples import sample, sample_item
from webhooks.rules.statuses import BatchType

NOW = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
IMPERSONAL = {
    # codes, ids and times, as their schemas say by pattern or enum, are not listed
    "additionalInformation",  # one of a few sentences
    "adjusted_reason",
    "campaign_name",
    "end_reason",
    "last_error",
    "note",  # one of a few words
    "time_zone",
    "type",
    "url",  # of an endpoint
}
"""Texts in payloads that are about no contact, or are one of a fixed list."""


@pytest.mark.parametrize("name", names())
def test_every_text_of_every_payload_is_redacted_or_known_to_be_about_nobody(name: str) -> None:
    redacted_too = {field.rpartition(".")[2] for field in PERSON}

    assert set(texts_in(schema(name))) - redacted_too - IMPERSONAL == set()


def texts_in(found: Any) -> list[str]:
    """Return the properties of a schema that hold any text, array or object."""
    if isinstance(found, list):
        return [name for each in found for name in texts_in(each)]
    if not isinstance(found, dict):
        return []
    free = [
        name
        for name, rule in found.get("properties", {}).items()
        if name not in ("properties", "items") and any(is_free(kind) for kind in rule.get("anyOf", [rule]))
    ]
    return free + [name for each in found.values() for name in texts_in(each)]


def is_free(rule: dict[str, Any]) -> bool:
    """Tell whether a rule allows any text, array or object."""
    kind = rule.get("type")
    if kind == "string":
        return not rule.keys() & {"pattern", "enum", "const"}
    return (kind == "object" and "properties" not in rule) or (kind == "array" and "items" not in rule)


@pytest.mark.parametrize("type_", [name.partition("/")[2] for name in names() if name.startswith("envelope/")])
@pytest.mark.parametrize("fields", [PERSON, TALK], ids=["person", "talk"])
def test_a_redacted_envelope_still_fits_its_schema(type_: str, fields: Any) -> None:
    if type_ == "webhook.test":
        return
    said = sample(type_, at=NOW)
    body = render(
        Envelope(
            event=type_,
            event_id="evt_01jhmzqzb0e3ht7kyj3q3y3y3y",
            workspace_id="ws_01jhmzqzb0e3ht7kyj3q3y3y3y",
            occurred_at=NOW,
            data=said.data,
            metadata={"note": "of Jane"},
            top_level=said.top_level,
            chain_id="chn_01jhmzqzb0e3ht7kyj3q3y3y3y" if said.has_chain else None,
            sequence=1 if said.has_chain else None,
        )
    )

    once = redacted(body, fields)

    assert faults(f"envelope/{type_}", json.loads(once)) == []
    assert redacted(once, fields) == once


@pytest.mark.parametrize("type_", list(BatchType))
def test_a_redacted_item_still_fits_its_schema(type_: BatchType) -> None:
    item = encode({**sample_item(type_, UUID(int=1), at=NOW)})

    assert faults(f"batch/{type_.value}", [json.loads(redacted(item, PERSON))]) == []


def test_a_body_without_any_of_the_fields_stays_byte_for_byte() -> None:
    body = b'{"event":"campaign.resumed","data":{"campaign_id": "camp_1"},"metadata":{}}'

    assert redacted(body, PERSON) is body


def test_a_redacted_envelope_says_so_and_keeps_ids_states_and_times() -> None:
    body = encode(
        {
            "event": "call.ended",
            "data": {"job_id": "call_1", "status": "completed", "transcript": "Hello", "contact": {"status": "x"}},
            "metadata": {"who": "Jane"},
        }
    )

    assert json.loads(redacted(body, PERSON)) == {
        "event": "call.ended",
        "data": {"job_id": "call_1", "status": "completed", "transcript": None, "contact": {"status": None}},
        "metadata": {"redacted": True},
    }
    assert json.loads(redacted(body, TALK))["metadata"] == {"who": "Jane", "redacted": True}
