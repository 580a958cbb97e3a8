"""Adds to the OpenAPI schema what all routes have in common: filters, the idempotency header, errors."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter

from dialer.workspaces.api.authentication import scope_needed
from dialer.workspaces.api.errors import ErrorSerializer
from dialer.workspaces.api.idempotency import HEADER, LONGEST
from dialer.workspaces.api.serializers import Filters

_ALWAYS = {
    "400": "The request is malformed, or a field is invalid",
    "401": "No key, or not a valid one",
    "403": "The key's scope does not reach this far",
    "404": "There is nothing here, or it is not yours",
    "429": "Too many requests; `Retry-After` says when to continue",
    "500": "Something broke here",
    "503": "The database is busy; `Retry-After` says when to try again",
}
_WITH_BODY = {
    "409": "The present state does not allow it",
    "411": "The server cannot read a chunked body; never under gunicorn",
    "413": "The body is too large",
    "415": "The media type of the body is not supported",
}


class Schema(AutoSchema):
    """Operations as :class:`~dialer.workspaces.api.views.ApiView` serves them."""

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
        needed = scope_needed(self.view, self.method)
        return f"{super().get_description()}\n\nScope of the key: `{needed}`.".strip()

    def _method(self) -> object:
        return getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        errors = _ALWAYS if self.method in ("GET", "HEAD") else {**_ALWAYS, **_WITH_BODY}
        reference = self.resolve_serializer(ErrorSerializer, "response").ref
        for status, description in errors.items():
            bodies.setdefault(
                status, {"description": description, "content": {"application/json": {"schema": reference}}}
            )
        return bodies
