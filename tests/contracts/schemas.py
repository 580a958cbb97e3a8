"""The published schemas of payloads, and the payloads that a test has recorded."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from webhooks.models import BatchItem, Delivery, Event

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
PROFILES = ("envelope", "batch", "status")


def names() -> list[str]:
    """Return every payload that has a schema, as ``profile/name``."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in SCHEMAS.glob("*/*.json"))


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return found


@lru_cache
def validator(name: str) -> Draft202012Validator:
    base = f"https://schemas.invalid/{name}.json"
    common = json.loads((SCHEMAS / "common.json").read_text())
    registry: Registry[Any] = Registry().with_resources(
        [
            (base, Resource.from_contents(schema(name))),
            ("https://schemas.invalid/common.json", Resource.from_contents(common)),
        ]
    )
    return Draft202012Validator({"$ref": base}, registry=registry)


def faults(name: str, payload: object) -> list[str]:
    """Say what in a payload its schema refuses."""
    return [f"{name} {error.json_path}: {error.message}" for error in validator(name).iter_errors(payload)]


def recorded() -> Iterator[tuple[str, Any]]:
    """Give every payload that is in the database, with the name of its schema."""
    for type_, body in Event.objects.values_list("type", "body"):
        yield f"envelope/{type_}", json.loads(bytes(body))
    for type_, body in BatchItem.objects.values_list("type", "body"):
        yield f"batch/{type_}", [json.loads(bytes(body))]
    told = Delivery.objects.filter(endpoint__profile="status", body__isnull=False)
    for type_, sent in told.values_list("event__type", "body"):
        yield f"status/{_URL_OF[type_]}", json.loads(bytes(sent or b""))


_URL_OF = {
    "call.attempted": "call_status_callback",
    "call.exhausted": "call_schedule_callback",
    "campaign.ended": "status_callback",
}
