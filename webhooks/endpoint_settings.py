"""Settings of an endpoint: every field checked and turned into columns."""

import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypedDict
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from dialer.workspaces import values
from dialer.workspaces.values import Unfit
from webhooks.models import BOUNDS, Endpoint
from webhooks.models.endpoints import LEAST_RATE_PER_SECOND, MAX_RATE_PER_SECOND
from webhooks.rules.classify import RETRYABLE_STATUSES
from webhooks.rules.custom_headers import MASK, headers_error, masked, unmasked
from webhooks.rules.destination import BadUrl, parse, parse_networks, why_forbidden
from webhooks.rules.signature import secret_error
from webhooks.rules.statuses import (
    ALL_EVENTS,
    BATCH_TYPE_OF,
    CHOSEN_PROFILES,
    EVENT_TYPES,
    BatchType,
    Profile,
    ScopeType,
    SigningMethod,
)

LONGEST_DESCRIPTION = 2_000
LONGEST_SECRET = 500
_SECRET_BYTES = 32

SCOPE_PREFIXES = {ScopeType.PERSONA.value: "per", ScopeType.CAMPAIGN.value: "camp"}
"""The prefix of a scope's public id; webhooks knows nothing else about personas and campaigns."""


class InvalidEndpoint(ValueError):
    """The settings of an endpoint are invalid; ``errors`` names every invalid field."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name} {reason}" for name, reasons in errors.items() for reason in reasons))
        self.errors = dict(errors)


class EndpointFields(TypedDict, total=False):
    """The settings of an endpoint; a field that is left out stays as it is.

    ``scope_id`` is the persona or campaign of ``scope_type``.
    """

    name: str
    url: str
    events: Sequence[str]
    scope_type: str
    scope_id: UUID | None
    profile: str
    description: str
    signing_method: str
    secret: str | None
    timeout_seconds: float
    max_retries: int
    backoff_ms: int
    max_in_flight: int
    rate_per_second: float | None
    retry_on: Sequence[int]
    auto_recover: bool
    ordered: bool
    custom_headers: Mapping[str, str]
    batch_size: int
    batch_wait_seconds: float


def columns_of(fields: EndpointFields, *, current: Endpoint | None) -> dict[str, Any]:
    """Return the columns to write; ``current`` is the endpoint that is edited. Raises :class:`InvalidEndpoint`.

    A new endpoint that signs gets a secret if none is given. The caller checks what the URL's name resolves to.
    """
    errors: dict[str, list[str]] = {}
    columns: dict[str, Any] = {}
    for name, read in _READ.items():
        if name in fields:
            try:
                columns[name] = read(fields.get(name))
            except Unfit as refused:
                errors[name] = [str(refused)]
    if current is None:
        for name in ("name", "url", "events"):
            if name not in fields:
                errors[name] = ["is required"]
    method = SigningMethod(columns.get("signing_method", current.signing_method if current else _DEFAULT_METHOD))
    _check_events(fields, columns, errors, current=current)
    _check_order(columns, errors, current=current)
    _check_scope(fields, columns, errors, current=current)
    _check_secret(fields, columns, errors, method=method, current=current)
    _check_headers(fields, columns, errors, method=method, current=current)
    if current is not None and _leads_elsewhere(columns, current):
        _check_what_goes_along(fields, columns, errors, method=method, current=current)
    if errors:
        raise InvalidEndpoint(errors)
    return columns


def make_secret(method: SigningMethod) -> str:
    """Make a secret in the form that ``method`` needs, with 256 bits of randomness."""
    if method.is_hmac:
        return "whsec_" + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    token = secrets.token_urlsafe(_SECRET_BYTES)
    return f"ringback:{token}" if method is SigningMethod.BASIC_AUTH else token


def check_secret(method: SigningMethod, secret: str) -> str:
    """Return a given secret unchanged; raises :class:`Unfit` if it is invalid for ``method``."""
    text = values.verbatim(secret, longest=LONGEST_SECRET)
    if reason := secret_error(method, text):
        raise Unfit(reason)
    return text


def _check_events(
    fields: EndpointFields, columns: dict[str, Any], errors: dict[str, list[str]], *, current: Endpoint | None
) -> None:
    """Check events and profile together, even if only one is given; batches have event names of their own."""
    if not fields.keys() & {"events", "profile"} or errors.keys() & {"events", "profile"}:
        return
    profile = columns.get("profile", current.profile if current else Profile.ENVELOPE)
    events = columns.get("events", current.events if current else [ALL_EVENTS])
    try:
        columns["events"] = _events_in_arrays(events) if profile == Profile.BATCH else _events_in_envelopes(events)
    except Unfit as refused:
        errors["events"] = [str(refused)]


def _events_in_arrays(events: Sequence[str]) -> list[str]:
    if unknown := [item for item in events if item not in {ALL_EVENTS, *BatchType, *BATCH_TYPE_OF}]:
        message = f"has {unknown[0]!r:.80}, which is never sent in arrays; these are: {', '.join(BatchType)}"
        raise Unfit(message)
    return list(dict.fromkeys(str(BATCH_TYPE_OF.get(item, item)) for item in events))


def _events_in_envelopes(events: Sequence[str]) -> list[str]:
    if unknown := [item for item in events if item not in {ALL_EVENTS, *EVENT_TYPES}]:
        reason = f"comes with the profile {Profile.BATCH} only" if unknown[0] in {*BatchType} else "is no event type"
        message = f"has {unknown[0]!r:.80}, which {reason}"
        raise Unfit(message)
    return list(dict.fromkeys(events))


def _check_order(columns: Mapping[str, Any], errors: dict[str, list[str]], *, current: Endpoint | None) -> None:
    """Refuse an order of arrays: their items come from many chains."""
    profile = columns.get("profile", current.profile if current else Profile.ENVELOPE)
    if profile == Profile.BATCH and columns.get("ordered", current.ordered if current else False):
        errors["ordered"] = [f"must be false with the profile {Profile.BATCH}, whose arrays mix chains"]


def _check_scope(
    fields: EndpointFields, columns: dict[str, Any], errors: dict[str, list[str]], *, current: Endpoint | None
) -> None:
    if not fields.keys() & {"scope_type", "scope_id"} or errors.keys() & {"scope_type"}:
        return
    scope = columns.get("scope_type", current.scope_type if current else ScopeType.WORKSPACE.value)
    if scope == ScopeType.WORKSPACE:
        if columns.get("scope_id") is not None:
            errors["scope_id"] = ["must be left out if the scope is the workspace"]
        columns["scope_id"] = None
    elif columns.get("scope_id", current.scope_id if current else None) is None:
        errors["scope_id"] = [f"is required: which {scope}"]


def _check_secret(
    fields: EndpointFields,
    columns: dict[str, Any],
    errors: dict[str, list[str]],
    *,
    method: SigningMethod,
    current: Endpoint | None,
) -> None:
    given = fields.get("secret")
    if method is SigningMethod.NONE:
        if given is not None:
            errors["secret"] = ["must be left out if the signing method is none"]
        columns["secret"] = None
        return
    if given is not None:
        try:
            columns["secret"] = check_secret(method, given)
        except Unfit as refused:
            errors["secret"] = [str(refused)]
    elif current is None or (method != current.signing_method and _cannot_keep(current, method)):
        columns["secret"] = make_secret(method)


def _cannot_keep(current: Endpoint, method: SigningMethod) -> bool:
    """Tell whether a new method needs another secret; one that only signed so far must never be sent as it is."""
    if current.secret is None or SigningMethod(current.signing_method).is_hmac != method.is_hmac:
        return True
    return secret_error(method, current.secret) is not None


def _check_headers(
    fields: EndpointFields,
    columns: dict[str, Any],
    errors: dict[str, list[str]],
    *,
    method: SigningMethod,
    current: Endpoint | None,
) -> None:
    """Check custom headers and signing method together, even if only one is given."""
    if fields.keys() & {"custom_headers", "signing_method"}:
        stored = current.custom_headers if current else {}
        headers = fields.get("custom_headers", stored)
        if reason := headers_error(headers, method=method, prefix=settings.WEBHOOK_HEADER_PREFIX):
            errors["custom_headers"] = [reason]
        elif "custom_headers" in fields:
            try:
                columns["custom_headers"] = unmasked(headers, stored=stored)
            except KeyError as unknown:
                errors["custom_headers"] = [f"has no stored value of {unknown.args[0]} that {MASK} could keep"]


def _leads_elsewhere(columns: Mapping[str, Any], current: Endpoint) -> bool:
    """Tell whether the new URL has another scheme, host or port."""
    return "url" in columns and urlsplit(columns["url"])[:2] != urlsplit(current.url)[:2]


def _check_what_goes_along(
    fields: EndpointFields,
    columns: dict[str, Any],
    errors: dict[str, list[str]],
    *,
    method: SigningMethod,
    current: Endpoint,
) -> None:
    """Refuse to send stored values to another host: whoever changes the URL could read them there."""
    again = "must be given again, because the URL leads to another host"
    headers = fields.get("custom_headers", masked(current.custom_headers))
    if "custom_headers" not in errors and MASK in headers.values():
        errors["custom_headers"] = [again]
    if method.sends_secret and "secret" not in columns:
        errors.setdefault("secret", [again])


def _description(value: object) -> str:
    return values.verbatim(value, longest=LONGEST_DESCRIPTION)


def check_url(value: object) -> str:
    """Return a URL to which webhooks may be posted; raises :class:`Unfit`. Does not resolve its name."""
    try:
        destination = parse(value if isinstance(value, str) else "")
    except BadUrl as error:
        raise Unfit(str(error)) from error
    if destination.address:
        allowed = parse_networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))
        if reason := why_forbidden(destination.address, allowed=allowed):
            message = f"leads to where webhooks must not go: {reason}"
            raise Unfit(message)
    return str(value)


def _events(value: object) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        message = f"must be a list of event types; {ALL_EVENTS} means all"
        raise Unfit(message)
    if unknown := [item for item in value if not isinstance(item, str)]:
        message = f"has {unknown[0]!r:.80}, which is no event type"
        raise Unfit(message)
    return list(value)


def _one_of(known: Iterable[StrEnum]) -> Callable[[object], str]:
    words = {str(word) for word in known}

    def read(value: object) -> str:
        if str(value) not in words:
            message = f"must be one of {', '.join(sorted(words))}"
            raise Unfit(message)
        return str(value)

    return read


def _scope_id(value: object) -> UUID | None:
    if value is not None and not isinstance(value, UUID):
        message = "must be the id of a persona or campaign"
        raise Unfit(message)
    return value


def _seconds(allowed: range) -> Callable[[object], float]:
    return lambda value: values.number(value, least=allowed[0], most=allowed[-1])


def _rate(value: object) -> float | None:
    return None if value is None else values.number(value, least=LEAST_RATE_PER_SECOND, most=MAX_RATE_PER_SECOND)


def _retry_on(value: object) -> list[int]:
    if not isinstance(value, list | tuple) or not all(type(s) is int and s in RETRYABLE_STATUSES for s in value):
        message = f"must be a list of {', '.join(str(status) for status in sorted(RETRYABLE_STATUSES))}"
        raise Unfit(message)
    return sorted(set(value))


_DEFAULT_METHOD = SigningMethod.HMAC_SHA256

_READ: dict[str, Callable[[object], Any]] = {
    "name": values.name,
    "url": check_url,
    "events": _events,
    "scope_type": _one_of(ScopeType),
    "scope_id": _scope_id,
    "profile": _one_of(CHOSEN_PROFILES),
    "description": _description,
    "signing_method": _one_of(SigningMethod),
    "timeout_seconds": _seconds(BOUNDS["timeout_seconds"]),
    "max_retries": values.within(BOUNDS["max_retries"]),
    "backoff_ms": values.within(BOUNDS["backoff_ms"]),
    "max_in_flight": values.within(BOUNDS["max_in_flight"]),
    "rate_per_second": _rate,
    "retry_on": _retry_on,
    "auto_recover": values.boolean,
    "ordered": values.boolean,
    "batch_size": values.within(BOUNDS["batch_size"]),
    "batch_wait_seconds": _seconds(BOUNDS["batch_wait_seconds"]),
}
