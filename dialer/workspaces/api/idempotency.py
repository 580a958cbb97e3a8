"""The ``Idempotency-Key`` header for methods that create something."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from dialer.workspaces import idempotency
from dialer.workspaces.api.errors import InvalidFields, Problem, answers
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.streamed import StreamedBody
from dialer.workspaces.idempotency import AnswerForgotten, Asked, Kept, KeyInUse, KeyOfAnother, KeyReused
from dialer.workspaces.storable import is_clean

HEADER = "Idempotency-Key"
LONGEST = 255
_Rest = ParamSpec("_Rest")
_Method = Callable[Concatenate[Any, ApiRequest, _Rest], HttpResponseBase]


def idempotent(method: _Method[_Rest]) -> _Method[_Rest]:
    """Run a method once per key; stores the answer in the transaction of the effect."""
    return _wrapped(method, idempotency.once)


def idempotent_in_steps(method: _Method[_Rest]) -> _Method[_Rest]:
    """Run a method once per key, for methods that commit in steps."""
    return _wrapped(method, idempotency.once_in_steps)


def _wrapped(method: _Method[_Rest], once: Callable[..., Kept]) -> _Method[_Rest]:
    @wraps(method)
    def wrapper(view: object, request: ApiRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is None:
            return method(view, request, *args, **kwargs)
        if not 1 <= len(key) <= LONGEST or not is_clean(key):
            raise InvalidFields({HEADER: [f"must have 1 to {LONGEST} characters"]})
        asked = Asked(
            workspace_id=request.workspace_id,
            api_key_id=request.key.pk,
            key=key,
            fingerprint=lambda: fingerprint(request),
        )
        kept = once(asked, lambda: _rendered(method(view, request, *args, **kwargs)), now=request.now)
        answer = HttpResponse(kept.body, status=kept.status, content_type="application/json")
        if kept.is_replay:
            answer["Idempotency-Replayed"] = "true"
        return answer

    wrapper.is_idempotent = True  # type: ignore[attr-defined]
    return wrapper


def fingerprint(request: ApiRequest) -> bytes:
    """Return a keyed hash of method, path, query and body; white space and the order of keys in the body do not matter.

    It is keyed because a body may contain a secret that could be guessed.
    """
    body = request.data
    digest = body.digest() if isinstance(body, StreamedBody) else json.dumps(body, sort_keys=True).encode()
    said = b"\0".join((str(request.method).encode(), request.get_full_path().encode(), digest))
    return salted_hmac("idempotency.fingerprint", said, algorithm="sha256").digest()


def _rendered(answer: HttpResponseBase) -> Kept:
    assert isinstance(answer, Response)
    return Kept(status=answer.status_code, body=JSONRenderer().render(answer.data).decode())


@answers(KeyInUse, conflicts_with=["idempotency_key_in_use"])
def _in_use(_: KeyInUse) -> Problem:
    return Problem(
        status=409,
        code="idempotency_key_in_use",
        message=f"The first request with this {HEADER} is still being worked on.",
        headers={"Retry-After": "1"},
    )


@answers(KeyOfAnother, conflicts_with=["idempotency_key_of_another_api_key"])
def _of_another(_: KeyOfAnother) -> Problem:
    return Problem(
        status=409,
        code="idempotency_key_of_another_api_key",
        message=f"This {HEADER} was used with another API key, which alone gets its answer. Nothing was done.",
    )


@answers(KeyReused, conflicts_with=["idempotency_key_reused"])
def _reused(_: KeyReused) -> Problem:
    return Problem(
        status=409,
        code="idempotency_key_reused",
        message=f"This {HEADER} was used for another request within 24 hours.",
    )


@answers(AnswerForgotten, conflicts_with=["answer_forgotten"])
def _forgotten(_: AnswerForgotten) -> Problem:
    return Problem(
        status=409,
        code="answer_forgotten",
        message=f"The first request with this {HEADER} was about a contact who has been deleted since.",
    )
