"""Serializers that refuse unknown fields."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework import serializers
from rest_framework.fields import empty

from dialer.workspaces.api.errors import NO_FIELD


class Strict(serializers.Serializer[Any]):
    """A body, or a part of one; refuses unknown fields and names them."""

    def to_internal_value(self, data: object) -> object:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({NO_FIELD: ["must be an object"]})
        unknown = [name for name in data if name not in self.fields or self.fields[name].read_only]
        errors: dict[str, Any] = {str(name): ["is not a known field"] for name in unknown}
        try:
            value = super().to_internal_value({name: item for name, item in data.items() if name not in unknown})
        except serializers.ValidationError as refused:
            errors |= cast("dict[str, Any]", refused.detail)
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def run_validation(self, data: object = empty) -> object:
        # DRF parses an empty body as an empty form; treat it as {}.
        return super().run_validation(dict(data) if isinstance(data, Mapping) else data)


class Filters(Strict):
    """The query parameters of a list; all are optional, unknown ones are refused."""


class Nothing(Strict):
    """The body of an action without fields."""
