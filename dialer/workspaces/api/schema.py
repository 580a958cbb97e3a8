"""Adds to the OpenAPI schema what all routes have in common: ids, filters, the idempotency header, errors, links."""

from collections.abc import Iterator, Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, build_parameter_type
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework import serializers

from dialer.workspaces.api.authentication import scope_needed
from dialer.workspaces.api.errors import ErrorSerializer, codes_of
from dialer.workspaces.api.idempotency import HEADER, LONGEST
from dialer.workspaces.api.serializers import Filters, Strict

_ALWAYS = {
    400: "The request is malformed, or a field is invalid",
    401: "No key, or not a valid one",
    403: "The key's scope does not reach this far",
    404: "There is nothing here, or it is not yours",
    414: "The address is too long",
    429: "Too many requests; `Retry-After` says when to continue",
    431: "The headers are too large",
    500: "Something broke here",
    503: "The database is busy; `Retry-After` says when to try again",
}
_WITH_BODY = {
    409: "The present state does not allow it",
    411: "The server cannot read a chunked body; never under gunicorn",
    413: "The body is too large",
    415: "The media type of the body is not supported",
}
_HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
}


class Schema(AutoSchema):
    """Operations as :class:`~dialer.workspaces.api.views.ApiView` serves them."""

    def get_operation_id(self) -> str:
        """Name a verb by its path: ``callbacks_call_now``, not ``callbacks_call_now_create``."""
        words = [word.replace("-", "_") for word in self._tokenize_path()]
        is_verb = len(words) > 1 and not self.path.endswith("}/") and not self._is_list_view()
        return "_".join(words) if is_verb else super().get_operation_id()

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        filters: type[Filters] | None = getattr(self.view, "filters", None)
        if filters is not None and self._is_list_view():
            parameters.append(filters)
        if self.method == "POST" and getattr(self._method(), "is_idempotent", False):
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    {"type": "string", "minLength": 1, "maxLength": LONGEST},
                    OpenApiParameter.HEADER,
                    description="A repetition with the same key within 24 hours gets the first answer again",
                )
            )
        return parameters

    def get_description(self) -> str:  # type: ignore[override]
        return f"{super().get_description()}\n\nScope of the key: `{self._scope()}`.".strip()

    def get_extensions(self) -> dict[str, Any]:
        return {"x-scope": self._scope()}

    def get_serializer_name(self, serializer: serializers.Serializer[Any], direction: Direction) -> str:
        return super().get_serializer_name(serializer, direction).lstrip("_")

    def _scope(self) -> str:
        return scope_needed(self.view, self.method)

    def _method(self) -> object:
        return getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        view: Any = self.view
        return [
            build_parameter_type(name=name, location=OpenApiParameter.PATH, schema=view.id_in_path(name))
            for name in variables
        ]

    def _postprocess_serializer_schema(
        self, schema: dict[str, Any], serializer: object, direction: Direction
    ) -> dict[str, Any]:
        told: dict[str, Any] = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, Strict):
            told["additionalProperties"] = False
            for other, own in serializer.other_names.items():
                told["properties"][other] = {**told["properties"][own], "description": f"Another name of `{own}`"}
        if not type(serializer).__doc__:  # the docstring of a base class says nothing about this shape
            told.pop("description", None)
        return told

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        errors = _ALWAYS if self.method in ("GET", "HEAD") else {**_ALWAYS, **_WITH_BODY}
        for status, description in errors.items():
            bodies.setdefault(str(status), self._error(status, description).ref)
        return dict(sorted(bodies.items()))

    def _error(self, status: int, description: str) -> ResolvedComponent:
        """Return the answer with this status, which all operations share."""
        body = self.resolve_serializer(ErrorSerializer, "response").ref
        codes = ", ".join(f"`{code}`" for code in codes_of(status))
        answer = {
            "description": f"{description}. Codes: {codes}",
            "headers": _HEADERS.get(status, {}),
            "content": {"application/json": {"schema": body}},
        }
        name = f"Error{status}"
        kind = ResolvedComponent.RESPONSE
        component = ResolvedComponent(name, kind, answer, ErrorSerializer)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        return component


def link(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Say of each answer that makes something which operations take its id; a hook of the schema's generator."""
    takers = list(_takers(result["paths"]))
    for path in result["paths"].values():
        for operation in path.values():
            for status in ("201", "202"):
                if (answer := operation["responses"].get(status)) and (made := _id_in(answer, result["components"])):
                    answer["links"] = {
                        taker: {"operationId": taker, "parameters": {name: "$response.body#/id"}}
                        for taker, name, shape in takers
                        if _takes(shape, made)
                    }
    return result


def _takes(shape: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Tell whether a parameter takes an id of this form, alone or beside its bare UUID."""
    return shape == made or str(shape.get("pattern")).startswith(f"{made.get('pattern')}|")


def _takers(paths: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the operations whose path has an id, the parameter's name, and its form."""
    for path in paths.values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    yield operation["operationId"], parameter["name"], parameter["schema"]


def _id_in(answer: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the form of the ``id`` in an answer's body."""
    name = answer["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
    found = components["schemas"].get(name, {}).get("properties", {}).get("id")
    return {key: value for key, value in found.items() if key not in ("readOnly", "description")} if found else None
