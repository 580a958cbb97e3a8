"""Serializers that refuse unknown fields."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from rest_framework import serializers
from rest_framework.fields import empty

from dialer.workspaces.api.errors import NO_FIELD


class Strict(serializers.Serializer[Any]):
    """A body, or a part of one; refuses unknown fields and names them."""

    other_names: ClassVar[Mapping[str, str]] = {}
    """Fields by the other names that requests may give them."""
    former_names: ClassVar[Mapping[str, str]] = {}
    """Fields by names that they had: refused with the new one."""

    @classmethod
    def named(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was given under the fields' own names."""
        return {cls.other_names.get(name, name): item for name, item in data.items()}

    def to_internal_value(self, data: object) -> object:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({NO_FIELD: ["must be an object"]})
        errors = {str(name): [reason] for name in data if (reason := self._refusal(name, data))}
        try:
            value = super().to_internal_value(
                self.named({name: item for name, item in data.items() if name not in errors})
            )
        except serializers.ValidationError as refused:
            sent = {self.other_names.get(name, name): name for name in data}  # errors name what the client wrote
            found = cast("dict[str, list[str]]", refused.detail)
            errors |= {sent.get(name, name): reasons for name, reasons in found.items()}
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def _refusal(self, name: str, data: Mapping[str, Any]) -> str:
        """Return why a name in a body is refused; empty if it is not."""
        own = self.other_names.get(name, name)
        if name in self.former_names:
            return f"is called {self.former_names[name]}"
        if own not in self.fields or self.fields[own].read_only:
            return "is not a known field"
        if own != name and own in data:
            return f"means the same as {own}; give one of them"
        return ""

    def run_validation(self, data: object = empty) -> object:
        # DRF parses an empty body as an empty form; treat it as {}.
        return super().run_validation(dict(data) if isinstance(data, Mapping) else data)


class Filters(Strict):
    """The query parameters of a list; all are optional, unknown ones are refused."""


class Nothing(Strict):
    """The body of an action without fields."""
