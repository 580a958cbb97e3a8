"""One shape for every error, and the registry that maps exceptions to API errors.

``{"error": {"code": "invalid", "message": "…", "fields": {"call.callback_retry_schedule.2": ["…"]}, "details": {}}}``
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.core.exceptions import (
    BadRequest,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import IntegrityError, OperationalError
from django.http import Http404
from django.http.request import UnreadablePostError
from psycopg.errors import UniqueViolation
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from dialer.workspaces.transitions import TransitionConflict

log = logging.getLogger(__name__)

NO_FIELD = "non_field_errors"
"""The key for errors of the whole body rather than of one field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as the client sees it; ``code`` is for programs, ``message`` for people."""

    status: int
    code: str
    message: str
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class InvalidFields(Exception):
    """The body has the right shape, but invalid values; the paths are those in ``fields`` of the answer."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__(fields)
        self.fields = fields


class Conflict(Exception):
    """The present state does not allow the request; for conflicts without an exception of their own."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


_Raised = TypeVar("_Raised", bound=Exception)
_TRANSLATIONS: dict[type[Exception], Problem | Callable[[Any], Problem | None]] = {}
_CODES: dict[int, set[str]] = {
    400: {"invalid", "parse_error"},
    401: {"authentication_failed", "not_authenticated"},
    403: {"permission_denied"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    409: {"conflict"},
    411: {"length_required"},
    413: {"too_large"},
    414: {"uri_too_long"},
    415: {"unsupported_media_type"},
    429: {"throttled"},
    431: {"headers_too_large"},
    500: {"internal"},
    503: {"unavailable"},
}


def answers(
    exception: type[_Raised], *, conflicts_with: Iterable[str] = (), unavailable_as: Iterable[str] = ()
) -> Callable[[Callable[[_Raised], Problem | None]], Callable[[_Raised], Problem | None]]:
    """Register the API error for an exception and its subclasses; ``None`` means a failure of the server.

    ``conflicts_with`` and ``unavailable_as``: its own codes of status 409 and 503, for the schema.
    """
    _CODES[409].update(conflicts_with)
    _CODES[503].update(unavailable_as)

    def register(translate: Callable[[_Raised], Problem | None]) -> Callable[[_Raised], Problem | None]:
        _TRANSLATIONS[exception] = translate
        return translate

    return register


def handle(error: Exception, context: Mapping[str, Any]) -> Response:  # noqa: ARG001 — DRF's signature
    """Answer any exception from a view; logs an unregistered one and answers 500."""
    set_rollback()
    problem = problem_of(error)
    if problem is None:
        log.error("api.failed", exc_info=error)
        problem = Problem(status=500, code="internal", message="Something broke here; it has been logged.")
    return Response(body_of(problem), status=problem.status, headers=dict(problem.headers))


def body_of(problem: Problem) -> dict[str, Any]:
    return {
        "error": {
            "code": problem.code,
            "message": problem.message,
            "fields": dict(problem.fields),
            "details": dict(problem.details),
        }
    }


def problem_of(error: Exception) -> Problem | None:
    """Return the API error for an exception; ``None`` if it is a failure of the server."""
    for kind in type(error).__mro__:
        if kind in _TRANSLATIONS:
            told = _TRANSLATIONS[kind]
            return told if isinstance(told, Problem) else told(error)
    return None


def invalid(fields: Mapping[str, list[str]]) -> Problem:
    at_fault = ", ".join(sorted(path for path in fields if path != NO_FIELD)) or "the body as a whole"
    return Problem(status=400, code="invalid", message=f"Not accepted: {at_fault}.", fields=fields)


def conflict(code: str, message: str, **details: object) -> Problem:
    return Problem(status=409, code=code, message=message, details=details)


def conflicts(told: Mapping[type[Exception], tuple[str, str]]) -> None:
    """Register exceptions with a fixed code and message each."""
    _TRANSLATIONS.update({exception: conflict(*said) for exception, said in told.items()})
    _CODES[409].update(code for code, _ in told.values())


def codes_of(status: int) -> list[str]:
    """Return the codes of the errors with this status."""
    return sorted(_CODES[status])


def flattened(detail: object, path: str = "") -> dict[str, list[str]]:
    """Flatten DRF's nested errors to dotted paths."""
    if isinstance(detail, Mapping):
        flat: dict[str, list[str]] = {}
        for name, inner in detail.items():
            is_own = name == api_settings.NON_FIELD_ERRORS_KEY
            flat |= flattened(inner, path if is_own else f"{path}.{name}" if path else str(name))
        return flat
    if isinstance(detail, list):
        if any(isinstance(inner, Mapping | list) for inner in detail):
            flat = {}
            for index, inner in enumerate(detail):
                flat |= flattened(inner, f"{path}.{index}" if path else str(index))
            return flat
        return {path or NO_FIELD: [str(reason) for reason in detail]} if detail else {}
    return {path or NO_FIELD: [str(detail)]}


@answers(InvalidFields)
def _invalid_fields(error: InvalidFields) -> Problem:
    return invalid(error.fields)


@answers(exceptions.ValidationError)
def _validation(error: exceptions.ValidationError) -> Problem:
    return invalid(flattened(error.detail))


@answers(exceptions.APIException)
def _api_exception(error: exceptions.APIException) -> Problem:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    return Problem(
        status=error.status_code,
        code=str(error.default_code),
        message=str(error.detail),
        headers=headers,
    )


_NOTHING_HERE = Problem(status=404, code="not_found", message="There is nothing here, or it is not yours.")
_UNREADABLE = Problem(status=400, code="parse_error", message="The request could not be read.")
_TRANSLATIONS.update(
    {
        BadRequest: _UNREADABLE,
        Http404: _NOTHING_HERE,
        ObjectDoesNotExist: _NOTHING_HERE,
        PermissionDenied: Problem(
            status=403, code="permission_denied", message="The scope of this API key does not reach this far."
        ),
        RequestDataTooBig: Problem(status=413, code="too_large", message="The body is too large."),
        SuspiciousOperation: _UNREADABLE,
        UnreadablePostError: _UNREADABLE,
    }
)


@answers(OperationalError)
def _database_busy(error: OperationalError) -> Problem:
    # A lock time-out, a deadlock or a restart: nothing was changed, and another try may succeed.
    log.warning("api.database_unavailable", exc_info=error)
    return Problem(
        status=503,
        code="unavailable",
        message="The database could not do this now; nothing was changed.",
        headers={"Retry-After": "1"},
    )


@answers(IntegrityError)
def _taken(error: IntegrityError) -> Problem | None:
    # Domain modules check before they write, so a violated constraint means that a concurrent request was first.
    if not isinstance(error.__cause__, UniqueViolation):
        return None
    log.warning("api.lost_a_race constraint=%s", error.__cause__.diag.constraint_name)
    return conflict("conflict", "Somebody else was faster; look again before you repeat this.")


@answers(TransitionConflict)
def _transition(error: TransitionConflict) -> Problem:
    return conflict("conflict", f"{error}.", **{"from": str(error.from_), "to": str(error.to)})


@answers(Conflict)
def _conflict(error: Conflict) -> Problem:
    return conflict(error.code, error.message, **error.details)


class _ErrorBody(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="For people")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        help_text="The errors, by the path of the field at fault, such as `call.callback_retry_schedule.2`",
    )
    details = serializers.DictField(child=serializers.JSONField(), help_text="Facts about the error, by its code")

    def get_fields(self) -> dict[str, Any]:
        codes = sorted(code for status in _CODES for code in codes_of(status))
        return {"code": serializers.ChoiceField(codes, help_text="For programs"), **super().get_fields()}


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of all answers with status 400 and above; only for the OpenAPI schema."""

    error = _ErrorBody()
