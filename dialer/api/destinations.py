"""Checks the destinations of URLs in a body before a transaction opens: name servers may take seconds."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.http.response import HttpResponseBase

from dialer.rules.status_callbacks import StatusUrl
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.request import ApiRequest
from webhooks.destinations import urls_error
from webhooks.hidden_endpoints import MOST_INLINE

_View = TypeVar("_View")
_Rest = ParamSpec("_Rest")
_Method = Callable[Concatenate[_View, ApiRequest, _Rest], HttpResponseBase]


def destinations_checked(method: _Method[_View, _Rest]) -> _Method[_View, _Rest]:
    """Refuse a body in which a webhook or a campaign URL has a forbidden destination.

    Leaves malformed URLs and unknown fields for the method to refuse.
    """

    @wraps(method)
    def wrapper(view: _View, request: ApiRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponseBase:
        urls = _urls_in(request.data)
        reasons = urls_error(set(urls.values())) if urls else {}
        faults = {path: [reasons[url]] for path, url in urls.items() if url in reasons}
        if faults:
            raise InvalidFields(faults)
        return method(view, request, *args, **kwargs)

    return wrapper


def _urls_in(body: object) -> dict[str, str]:
    """Return the URLs by their paths in the body."""
    if not isinstance(body, Mapping):
        return {}
    config = body.get("config")
    webhooks = config.get("webhooks") if isinstance(config, Mapping) else None
    entries = webhooks if isinstance(webhooks, list) and len(webhooks) <= MOST_INLINE else []
    found = {
        f"config.webhooks.{index}.url": entry.get("url")
        for index, entry in enumerate(entries)
        if isinstance(entry, Mapping)
    } | {name.value: body.get(name.value) for name in StatusUrl}
    return {path: url for path, url in found.items() if isinstance(url, str) and url}
