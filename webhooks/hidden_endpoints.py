"""Hidden endpoints: webhooks given with a call or a campaign, and a campaign's status URLs.

Each becomes an endpoint that is hidden and never changed. So its settings are frozen, and everything that applies to
endpoints (caps, retries, circuits, encrypted secrets) applies to it. Equal webhooks share one endpoint, found by a
keyed hash of all settings except the events, which stay with the call or campaign.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.utils.crypto import salted_hmac

from dialer.workspaces.values import Unfit
from webhooks.endpoint_settings import EndpointFields, InvalidEndpoint, check_secret, check_url, columns_of
from webhooks.models import Endpoint
from webhooks.rules.statuses import Profile, Purpose, ScopeType, SigningMethod

MOST_INLINE = 20
"""The most webhooks that one call or campaign may have."""

_TAKEN = frozenset(
    {
        "url",
        "events",
        "profile",
        "signing_method",
        "secret",
        "timeout_seconds",
        "max_retries",
        "backoff_ms",
        "retry_on",
        "ordered",
        "custom_headers",
        "batch_size",
        "batch_wait_seconds",
    }
)


def _seconds(milliseconds: object) -> object:
    """Convert milliseconds to seconds; an invalid value is returned as it is, for the check of bounds to refuse."""
    try:
        return milliseconds / 1000 if type(milliseconds) is int else milliseconds
    except OverflowError:
        return milliseconds


_AS_THE_REFERENCE_SAYS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "timeout_ms": ("timeout_seconds", _seconds),
    "batchSize": ("batch_size", lambda value: value),
}
INLINE_FIELDS = _TAKEN | _AS_THE_REFERENCE_SAYS.keys()
"""Every field that a webhook given with a call or a campaign may have."""


class InvalidInline(ValueError):
    """The given webhooks are invalid; ``errors`` names each invalid value by its path, such as ``0.url``."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{path} {reason}" for path, reasons in errors.items() for reason in reasons))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineWebhook:
    """A checked webhook given with a call or campaign, not frozen yet."""

    columns: Mapping[str, Any] = field(repr=False)
    events: Sequence[str]

    @property
    def fingerprint(self) -> str:
        said = json.dumps(self.columns, sort_keys=True)
        return salted_hmac("webhooks.hidden_endpoints", said, algorithm="sha256").hexdigest()


class Frozen(TypedDict):
    """What a call or campaign stores of a webhook for the outbox; nothing secret."""

    endpoint_id: str
    url: str
    events: list[str]
    profile: str
    signing_method: str


def read_inline(given: object) -> list[InlineWebhook]:
    """Check webhooks as an endpoint's fields are checked; raises :class:`InvalidInline`.

    A webhook that signs must include its secret, since a generated one could never be shown. The caller checks what
    its URL resolves to.
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise InvalidInline({"": ["must be a list of webhooks"]})
    if len(given) > MOST_INLINE:
        raise InvalidInline({"": [f"must be at most {MOST_INLINE} webhooks, not {len(given):,}"]})
    read: list[InlineWebhook] = []
    errors: dict[str, list[str]] = {}
    for index, entry in enumerate(given):
        try:
            read.append(_read_one(entry))
        except InvalidEndpoint as refused:
            errors |= {f"{index}.{name}" if name else str(index): why for name, why in refused.errors.items()}
    if errors:
        raise InvalidInline(errors)
    return read


def freeze_inline(workspace_id: UUID, webhooks: Sequence[InlineWebhook], *, now: datetime) -> list[Frozen]:
    """Create hidden endpoints for webhooks, or reuse equal ones; return what the call or campaign stores.

    Runs in the caller's transaction. Switches an endpoint on again that was switched off for its failures.
    """
    wanted = {each.fingerprint: each for each in webhooks}
    made = [
        Endpoint(
            workspace_id=workspace_id,
            purpose=Purpose.INLINE.value,
            fingerprint=fingerprint,
            created_at=now,
            name=str(urlsplit(each.columns["url"]).hostname),
            events=list(each.events),
            **each.columns,
        )
        for fingerprint, each in wanted.items()
    ]
    Endpoint.objects.bulk_create(made, ignore_conflicts=True)
    mine = Endpoint.objects.in_workspace(workspace_id).filter(fingerprint__in=list(wanted))
    mine.filter(is_active=False).update(
        is_active=True, disabled_at=None, failing_since=None, failure_run=0, trips=0, open_until=None
    )
    ids = dict(mine.values_list("fingerprint", "id"))
    return [
        Frozen(
            endpoint_id=str(ids[each.fingerprint]),
            url=each.columns["url"],
            events=list(each.events),
            profile=each.columns["profile"],
            signing_method=each.columns["signing_method"],
        )
        for each in webhooks
    ]


def status_url_error(url: str) -> str | None:
    """Return why the URL is not allowed as a campaign's status URL; the caller checks what it resolves to."""
    return _error_of(check_url, url)


def status_secret_error(secret: str) -> str | None:
    return _error_of(lambda text: check_secret(SigningMethod.HMAC_SHA256, text), secret)


def freeze_status_urls(
    workspace_id: UUID, campaign_id: UUID, urls: Mapping[str, str], *, name: str, secret: str | None, now: datetime
) -> None:
    """Create hidden endpoints for a campaign's status URLs, by event type, in the caller's transaction.

    They sign with ``secret``, or not at all without one.
    """
    method = SigningMethod.HMAC_SHA256 if secret else SigningMethod.NONE
    Endpoint.objects.bulk_create(
        Endpoint(
            workspace_id=workspace_id,
            purpose=Purpose.STATUS.value,
            profile=Profile.STATUS.value,
            scope_type=ScopeType.CAMPAIGN.value,
            scope_id=campaign_id,
            name=name,
            url=url,
            events=[event_type],
            signing_method=method.value,
            secret=secret,
            created_at=now,
        )
        for event_type, url in urls.items()
    )


def _read_one(entry: object) -> InlineWebhook:
    if not isinstance(entry, Mapping):
        raise InvalidEndpoint({"": ["must be an object"]})
    given = dict(entry)
    errors: dict[str, list[str]] = {}
    for theirs, (ours, converted) in _AS_THE_REFERENCE_SAYS.items():
        if theirs in given:
            if ours in given:
                errors[theirs] = [f"means the same as {ours}; give one of them"]
            given[ours] = converted(given.pop(theirs))
    errors |= {str(name): ["is no field of a webhook"] for name in given if name not in _TAKEN}
    fields: Any = _defaults() | {name: value for name, value in given.items() if name in _TAKEN}
    if fields["signing_method"] != SigningMethod.NONE and fields.get("secret") is None:
        errors["secret"] = ["is required: a webhook given with a call or campaign must include its signing secret"]
    try:
        columns = columns_of(cast("EndpointFields", fields), current=None)
    except InvalidEndpoint as refused:
        errors = refused.errors | errors
    if errors:
        raise InvalidEndpoint(errors)
    events = columns.pop("events")
    del columns["name"]
    return InlineWebhook(columns=columns, events=events)


def _defaults() -> dict[str, Any]:
    """Return an endpoint's default settings, so that giving a default explicitly makes no difference."""
    blank = Endpoint()
    return {"name": "inline"} | {name: getattr(blank, name) for name in _TAKEN - {"url", "events", "secret"}}


def _error_of(check: Callable[[str], object], value: str) -> str | None:
    try:
        check(value)
    except Unfit as refused:
        return str(refused)
    return None
