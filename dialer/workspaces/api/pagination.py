"""Keyset pagination: pages start after a row, not at an offset, so inserted rows neither shift nor repeat others."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.storable import is_clean

if TYPE_CHECKING:
    from dialer.workspaces.api.views import ApiView

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


class KeysetPagination(BasePagination):
    """Returns ``limit`` rows from ``cursor`` on, in one of the view's ``orderings``.

    An ordering is a field that is never null, with ``-`` for descending; the id breaks ties in the same direction.
    """

    def paginate_queryset(  # type: ignore[override]
        self,
        queryset: QuerySet[Any],
        request: Request,
        view: "ApiView",
    ) -> list[Any]:
        self._request = request
        self._ordering = request.query_params.get("ordering", view.default_ordering())
        offered = view.offered_orderings()
        if self._ordering not in offered:
            raise InvalidFields({"ordering": [f"must be one of {', '.join(offered)}"]})
        limit = read_limit(request.query_params.get("limit"))
        descending = self._ordering.startswith("-")
        field = self._ordering.removeprefix("-")
        self._columns = ["id"] if field == "id" else [field, "id"]
        is_backward, after = _read(request.query_params.get("cursor"), queryset.model, self._columns, self._ordering)
        down = descending is not is_backward
        rows = queryset.order_by(*(f"-{column}" if down else column for column in self._columns))
        if after is not None:
            rows = rows.filter(_beyond(self._columns, after, down=down))
        page: list[Any] = list(rows[: limit + 1])
        has_more, page = len(page) > limit, page[:limit]
        if is_backward:
            page.reverse()
        has_next = bool(page) and (has_more if not is_backward else True)
        has_previous = bool(page) and (has_more if is_backward else after is not None)
        self._next = self._link(page[-1], is_backward=False) if has_next else None
        self._previous = self._link(page[0], is_backward=True) if has_previous else None
        return page

    def get_paginated_response(self, data: object) -> Response:
        return Response({"next": self._next, "previous": self._previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        orderings = list(getattr(view, "orderings", ("-id",)))
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string"},
                "description": "Where the page starts: taken from `next` or `previous` of another page",
            },
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
                "description": "Rows per page",
            },
            {
                "name": "ordering",
                "in": "query",
                "schema": {"type": "string", "enum": orderings, "default": orderings[0]},
                "description": "`-` in front: descending",
            },
        ]

    def _link(self, row: Model, *, is_backward: bool) -> str:
        values = [_text(getattr(row, column)) for column in self._columns]
        packed = json.dumps([self._ordering, is_backward, *values], separators=(",", ":")).encode()
        parameters = self._request.query_params.copy()
        parameters["cursor"] = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        return f"{self._request.build_absolute_uri(self._request.path)}?{urlencode(list(parameters.items()))}"


NAMES = ("cursor", "limit", "ordering")
"""Query parameters of every list, besides its filters."""


def read_limit(text: str | None) -> int:
    """Read the number of rows per page; raises ``InvalidFields``."""
    if text is None:
        return DEFAULT_LIMIT
    if not (
        text.isascii() and text.isdecimal() and len(text) < len(str(MAX_LIMIT)) + 1 and 1 <= int(text) <= MAX_LIMIT
    ):
        raise InvalidFields({"limit": [f"must be 1 to {MAX_LIMIT}"]})
    return int(text)


def _beyond(columns: Sequence[str], after: Sequence[Any], *, down: bool) -> Q:
    compare = "lt" if down else "gt"
    if len(columns) == 1:
        return Q(**{f"{columns[0]}__{compare}": after[0]})
    first, second = columns
    # The first condition is redundant, but lets the planner use an index.
    return Q(**{f"{first}__{compare}e": after[0]}) & (
        Q(**{f"{first}__{compare}": after[0]}) | Q(**{f"{second}__{compare}": after[1]})
    )


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value


def _read(text: str | None, model: type[Model], columns: Sequence[str], ordering: str) -> tuple[bool, list[Any] | None]:
    if text is None:
        return False, None
    try:
        packed = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        given_ordering, is_backward, *values = packed
        if given_ordering != ordering or not isinstance(is_backward, bool) or len(values) != len(columns):
            raise ValueError  # noqa: TRY301 — one answer for every kind of invalid cursor
        if any(isinstance(value, str) and not is_clean(value) for value in values):
            raise ValueError  # noqa: TRY301
        read = [_value(model, column, value) for column, value in zip(columns, values, strict=True)]
    except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError) as error:
        raise InvalidFields({"cursor": ["is not a cursor of this list and ordering"]}) from error
    return is_backward, read


def _value(model: type[Model], column: str, value: object) -> UUID | datetime | str | int:
    field = model._meta.get_field(column)  # noqa: SLF001 — Django's public way to a field
    kind = getattr(field, "target_field", field).get_internal_type()
    if kind == "UUIDField":
        return UUID(str(value))
    if kind == "DateTimeField":
        at = datetime.fromisoformat(str(value))
        if at.tzinfo is None:
            raise ValueError(value)
        return at
    if kind == "CharField":
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    return value
