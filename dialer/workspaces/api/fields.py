"""Strict fields, which convert no types: they refuse ``true`` for 1 and ``"5"`` for 5."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Model
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from dialer.workspaces.ids import UUID_PATTERN, MalformedId, parse_public_id, public_id
from dialer.workspaces.models import PublicId

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Instants outside these years are mistakes; within them, adding a year never overflows."""
MAX_OBJECT_CHARACTERS = 16_384
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_BIGGEST_INTEGER = 2**31 - 1


def _bounds(within: range | None) -> dict[str, int]:
    return {} if within is None else {"min_value": within[0], "max_value": within[-1]}


class TextField(serializers.CharField):
    """A text; refuses numbers."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    """A JSON integer; by default, ``max_value`` is that of the column."""

    def __init__(self, *, within: range | None = None, **kwargs: Any) -> None:
        super().__init__(**({"max_value": _BIGGEST_INTEGER} | kwargs | _bounds(within)))

    def to_internal_value(self, data: object) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class NumberField(serializers.FloatField):
    """A finite JSON number; integers stay integers, so that the answer repeats them unchanged."""

    def __init__(self, *, within: range | None = None, **kwargs: Any) -> None:
        super().__init__(**(kwargs | _bounds(within)))

    def to_internal_value(self, data: object) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            number = float(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(number):
            self.fail("invalid")
        return data


class TruthField(serializers.BooleanField):
    """``true`` or ``false``."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class OneOfField(serializers.ChoiceField):
    """One of a list of texts."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=str(data)[:50])
        return str(super().to_internal_value(data))


class InstantField(serializers.DateTimeField):
    """ISO 8601 with an offset; answered in UTC with ``Z``."""

    default_error_messages = {
        "naive": "must have an offset, such as Z or +02:00",
        "out_of_range": f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}",
    }

    def to_internal_value(self, value: object) -> datetime:
        if not isinstance(value, str) or "T" not in value.upper():
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        if at.tzinfo is None:
            self.fail("naive")
        if not FIRST_YEAR < at.year < LAST_YEAR:
            self.fail("out_of_range")
        return at.astimezone(UTC)


class LocalTimeField(serializers.Field[datetime, str, str, Any]):
    """A local time: ``YYYY-MM-DDThh:mm``, seconds optional, without an offset."""

    default_error_messages = {
        "invalid": "must be a local time YYYY-MM-DDThh:mm",
        "aware": "must have no offset: it is a time on the contact's own clock",
        "out_of_range": f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}",
    }

    def to_internal_value(self, data: object) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            at = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if at.tzinfo is not None:
            self.fail("aware")
        if not _LOCAL.fullmatch(data):
            self.fail("invalid")
        if not FIRST_YEAR < at.year < LAST_YEAR:
            self.fail("out_of_range")
        return at

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class ObjectField(serializers.JSONField):
    """A JSON object of at most 16 KB, stored unchanged."""

    default_error_messages = {
        "not_an_object": "must be an object",
        "too_long": f"must have at most {MAX_OBJECT_CHARACTERS:,} characters as JSON",
    }

    def to_internal_value(self, data: object) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("not_an_object")
        if _length(data) > MAX_OBJECT_CHARACTERS:
            self.fail("too_long")
        return dict(data)


class PublicIdField(serializers.Field[UUID, str, str, Any]):
    """A public id; checks only its form, since the domain module looks the row up."""

    default_error_messages = {"malformed": "must be an id of the form {prefix}_…"}

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix

    def to_internal_value(self, data: object) -> UUID:
        if isinstance(data, str):
            try:
                return parse_public_id(self.prefix, data)
            except MalformedId:
                pass
        return self.fail("malformed", prefix=self.prefix)

    def to_representation(self, value: UUID) -> str:
        return public_id(self.prefix, value)


class ReferenceField(PublicIdField):
    """A public id, read as the row; refuses ids of rows outside the key's workspace as missing."""

    default_error_messages = {"missing": "does not exist"}

    def __init__(self, model: type[PublicId], *, only: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(model.public_prefix, **kwargs)
        self._model: Any = model
        self._only = dict(only or {})

    def to_internal_value(self, data: object) -> Any:  # noqa: ANN401 — a row of the model
        value = super().to_internal_value(data)
        found = self._model.objects.in_workspace(self.context["request"].workspace_id).filter(pk=value, **self._only)
        return found.first() or self.fail("missing")

    def to_representation(self, value: Model | UUID) -> str:
        return public_id(self.prefix, value.pk if isinstance(value, Model) else value)


def _length(value: object) -> int:
    """Estimate the length of a value as JSON, in characters, without encoding it."""
    total, left = 0, [value]
    while left:
        item = left.pop()
        total += len(item) + 2 if isinstance(item, str) else 4
        if isinstance(item, Mapping):
            left += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            left += item
        elif isinstance(item, int):
            total += item.bit_length() // 3
    return total


def form_of_id(prefix: str, *, also_uuid: bool = False) -> dict[str, Any]:
    """Return the form of a public id for the schema, with that of the UUID in it where both are read."""
    form = f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"
    return {"type": "string", "pattern": f"{form}|^{UUID_PATTERN}$" if also_uuid else form}


class _PublicId(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = PublicIdField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: object, direction: object) -> dict[str, Any]:
        # Read in both forms, shown in one.
        return form_of_id(self.target.prefix, also_uuid=direction == "request")


class _LocalTime(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = LocalTimeField

    def map_serializer_field(self, auto_schema: object, direction: object) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": f"^{_LOCAL.pattern}$",
            "description": "Local time without an offset",
            "examples": ["2025-09-12T10:00"],
        }


class _Object(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = ObjectField

    def map_serializer_field(self, auto_schema: object, direction: object) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}}
