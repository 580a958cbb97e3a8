"""Bodies that come in chunks: no header says their length, so Django by itself takes them for empty."""

import sys
from collections.abc import Callable
from typing import BinaryIO, cast

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import LimitedStream
from django.http import HttpRequest, HttpResponse, JsonResponse
from gunicorn.http.errors import ParseException

from dialer.workspaces.api.errors import Problem, body_of

_LENGTH_REQUIRED = Problem(
    status=411, code="length_required", message="This server reads no chunked bodies: send Content-Length."
)


def is_chunked(request: HttpRequest) -> bool:
    return "Transfer-Encoding" in request.headers


class ChunkedBodies:
    """Middleware that lets Django read chunked bodies, within ``DATA_UPLOAD_MAX_MEMORY_SIZE`` as others.

    It needs a server that marks the end of the body (``wsgi.input_terminated``), as gunicorn does; under another one
    the answer is 411, because a body taken for empty is a request for something else.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_chunked(request):
            if not request.META.get("wsgi.input_terminated"):
                return JsonResponse(body_of(_LENGTH_REQUIRED), status=_LENGTH_REQUIRED.status)
            # Django has no other way to say where the body is.
            request._stream = cast("BinaryIO", _Chunks(request.META["wsgi.input"], sys.maxsize))  # noqa: SLF001
        return self._get_response(request)


class _Chunks(LimitedStream):
    """The chunks as one stream; raises ``BadRequest`` where they are malformed."""

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except ParseException as error:
            message = f"The chunks of the body are malformed: {error}"
            raise BadRequest(message) from error
