"""Endpoints: create, edit, enable, pause, test, rotate secrets, and resend deliveries.

Verbs lock the endpoint's row with ``FOR NO KEY UPDATE``, so that events can be recorded for it meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Unpack
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from dialer.workspaces.audit import Actor, Change, Said, record
from dialer.workspaces.ids import new_id
from dialer.workspaces.statements import Id, fetch
from dialer.workspaces.transitions import TransitionConflict
from dialer.workspaces.values import Unfit
from webhooks.endpoint_settings import EndpointFields, InvalidEndpoint, check_secret, columns_of, make_secret
from webhooks.models import Delivery, Endpoint
from webhooks.outbox import NewEvent, NewItem, record_for
from webhooks.rules.samples import sample, sample_item
from webhooks.rules.statuses import (
    ALLOWED,
    ARRAY_OF,
    EVENT_OF,
    TEST_EVENT,
    BatchType,
    DeliveryStatus,
    Profile,
    ScopeType,
    SigningMethod,
)

REMINDED_AFTER = timedelta(hours=24)
_UNAUDITED = frozenset({"secret", "custom_headers"})
"""Fields whose values audit entries do not show."""


class EndpointInactive(Exception):
    """The endpoint is switched off, and nothing is sent to it."""


class NoSample(Exception):
    """The endpoint takes arrays and this is never sent in them, or this is sent in arrays only and it takes none."""


class NothingToSign(Exception):
    """The endpoint signs nothing, so it has no secret to rotate."""


class NothingToPromote(Exception):
    """No rotated secret waits to be promoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithSecret:
    """An endpoint and a secret that was just made or given, which can be shown only now."""

    endpoint: Endpoint
    secret: str | None = field(repr=False)


def create(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[EndpointFields]) -> WithSecret:
    """Create an endpoint that receives events from now on; raises :class:`InvalidEndpoint`."""
    columns = columns_of(fields, current=None)
    with transaction.atomic():
        _check_scope_exists(workspace_id, columns, current=None)
        endpoint: Endpoint = Endpoint.objects.create(workspace_id=workspace_id, created_at=now, **columns)
        record(actor, [_change(endpoint, "create", to_state=_audited(columns))], now=now)
    return WithSecret(endpoint=endpoint, secret=endpoint.secret)


def edit(
    endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[EndpointFields]
) -> WithSecret:
    """Change the given fields; pending deliveries go to the new URL. Raises :class:`InvalidEndpoint`.

    A secret that is given, or made because the method changed, replaces the old one and any rotated one at once.
    """
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        columns = columns_of(fields, current=endpoint)
        _check_scope_exists(workspace_id, columns, current=endpoint)
        changes = {name: value for name, value in columns.items() if getattr(endpoint, name) != value}
        if "secret" in changes or "signing_method" in changes:
            changes |= {"next_secret": None, "rotated_at": None}
        before = {name: getattr(endpoint, name) for name in columns}
        for name, value in changes.items():
            setattr(endpoint, name, value)
        if changes:
            endpoint.save(update_fields=list(changes))
            seen = {name: value for name, value in changes.items() if name in columns}
            change = _change(
                endpoint, "edit", from_state=_audited({name: before[name] for name in seen}), to_state=_audited(seen)
            )
            record(actor, [change], now=now)
    return WithSecret(endpoint=endpoint, secret=changes.get("secret"))


def _check_scope_exists(workspace_id: UUID, columns: Mapping[str, Any], *, current: Endpoint | None) -> None:
    """Refuse a persona or campaign that the workspace does not have; raises :class:`InvalidEndpoint`."""
    if not columns.keys() & {"scope_type", "scope_id"}:
        return
    scope = columns.get("scope_type", current.scope_type if current else ScopeType.WORKSPACE)
    scope_id = columns.get("scope_id", current.scope_id if current else None)
    if scope_id is None:
        return
    model: Any = apps.get_model(settings.WEBHOOK_SCOPES[scope])
    if not model.objects.in_workspace(workspace_id).filter(pk=scope_id).exists():
        raise InvalidEndpoint({"scope_id": [f"does not exist: the workspace has no such {scope}"]})


def activate(endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Endpoint:
    """Switch an endpoint on; what it missed can be redelivered. Raises ``TransitionConflict`` if it is active."""
    return _switch(endpoint_id, workspace_id, is_on=True, actor=actor, reason=reason, now=now)


def deactivate(endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Endpoint:
    """Switch an endpoint off; its pending deliveries become ``suppressed`` (:func:`suppress_unheard`).

    Raises ``TransitionConflict`` if it is inactive.
    """
    return _switch(endpoint_id, workspace_id, is_on=False, actor=actor, reason=reason, now=now)


def deactivate_all(workspace_id: UUID, *, actor: Actor, reason: str, now: datetime) -> None:
    """Switch off every endpoint of a workspace, hidden ones too."""
    with transaction.atomic():
        active = Endpoint.objects.in_workspace(workspace_id).filter(is_active=True)
        found = list(active.order_by("id").select_for_update(no_key=True))
        active.filter(pk__in=[endpoint.pk for endpoint in found]).update(is_active=False)
        switched: Said = {"from_state": {"state": "active"}, "to_state": {"state": "inactive"}, "reason": reason}
        record(actor, [_change(endpoint, "deactivate", **switched) for endpoint in found], now=now)


def pause(endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Endpoint:
    """Hold pending and new deliveries until the endpoint is resumed; requests under way are not stopped.

    Raises ``TransitionConflict`` if it is paused, :class:`EndpointInactive`.
    """
    return _hold(endpoint_id, workspace_id, paused_at=now, actor=actor, reason=reason, now=now)


def resume(endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> Endpoint:
    """Send the deliveries that were held, the oldest first, with the retries that they have left.

    Raises ``TransitionConflict`` if it is not paused, :class:`EndpointInactive`.
    """
    return _hold(endpoint_id, workspace_id, paused_at=None, actor=actor, reason=reason, now=now)


def delete(endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> None:
    """Delete an endpoint with its secrets and custom headers; its deliveries stay readable."""
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        endpoint.is_active = False
        endpoint.deleted_at = now
        endpoint.next_secret = endpoint.rotated_at = None
        endpoint.signing_method, endpoint.secret, endpoint.custom_headers = SigningMethod.NONE.value, None, {}
        columns = "is_active deleted_at next_secret rotated_at signing_method secret custom_headers"
        endpoint.save(update_fields=columns.split())
        record(actor, [_change(endpoint, "delete", reason=reason)], now=now)


def send_test(
    endpoint_id: UUID, *, workspace_id: UUID, event_type: str = TEST_EVENT, actor: Actor, now: datetime
) -> Delivery:
    """Send a sample event to this endpoint only, signed and retried like any other; return its delivery.

    ``event_type`` may also be an item type of arrays. The endpoint need not subscribe to it. The test header and the
    envelope's ``metadata`` mark it as a test. Raises :class:`EndpointInactive`, :class:`NoSample`.
    """
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        check_active(endpoint)
        event_id = record_for(endpoint_id, _test_of(endpoint, event_type, now=now), now=now)
        record(actor, [_change(endpoint, "test", to_state={"event": event_type})], now=now)
        delivery: Delivery = Delivery.objects.get(event_id=event_id, endpoint_id=endpoint_id)
    return delivery


def _test_of(endpoint: Endpoint, event_type: str, *, now: datetime) -> NewEvent:
    if event_type in EVENT_OF:
        if endpoint.profile != Profile.BATCH:
            message = "is sent in arrays only, and the endpoint takes none"
            raise NoSample(message)
        event_type = EVENT_OF[BatchType(event_type)]
    about: dict[str, Any] = {"workspace_id": endpoint.workspace_id, "type": event_type, "occurred_at": now}
    if event_type == TEST_EVENT:
        return NewEvent(**about, data={"webhook_id": endpoint.public_id, "name": endpoint.name})
    items = ARRAY_OF.get(event_type)
    if endpoint.profile == Profile.BATCH and items is None:
        message = "is never sent in arrays, and the endpoint takes arrays"
        raise NoSample(message)
    said = sample(event_type, at=now)
    return NewEvent(
        **about,
        data=said.data,
        top_level=said.top_level,
        metadata={"test": True},
        chain_id=new_id() if said.has_chain else None,
        batch=NewItem(type=items, render=lambda item_id: sample_item(items, item_id, at=now)) if items else None,
    )


def rotate_secret(
    endpoint_id: UUID, *, workspace_id: UUID, secret: str | None = None, actor: Actor, now: datetime
) -> WithSecret:
    """Add a new secret and return it, which is the only time that it can be shown.

    It signs at once in the Standard Webhooks header, and in all headers once it is promoted, which only a caller does.
    Rotating again replaces a secret that was not promoted yet. Raises :class:`NothingToSign`,
    :class:`InvalidEndpoint`.
    """
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        method = SigningMethod(endpoint.signing_method)
        if method is SigningMethod.NONE:
            raise NothingToSign
        try:
            endpoint.next_secret = make_secret(method) if secret is None else check_secret(method, secret)
        except Unfit as refused:
            raise InvalidEndpoint({"secret": [str(refused)]}) from refused
        endpoint.rotated_at = now
        endpoint.save(update_fields=["next_secret", "rotated_at"])
        record(actor, [_change(endpoint, "rotate_secret")], now=now)
    return WithSecret(endpoint=endpoint, secret=endpoint.next_secret)


def promote_secret(endpoint_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Endpoint:
    """Replace the old secret with the rotated one; raises :class:`NothingToPromote`."""
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        if endpoint.next_secret is None:
            raise NothingToPromote
        endpoint.secret, endpoint.next_secret, endpoint.rotated_at = endpoint.next_secret, None, None
        endpoint.save(update_fields=["secret", "next_secret", "rotated_at"])
        record(actor, [_change(endpoint, "promote_secret")], now=now)
    return endpoint


def wants_promotion(endpoint: Endpoint, *, now: datetime) -> bool:
    """Return whether a rotated secret has waited for promotion longer than ``REMINDED_AFTER``."""
    return endpoint.rotated_at is not None and endpoint.rotated_at <= now - REMINDED_AFTER


def wanting_promotion(endpoints: QuerySet[Endpoint], *, now: datetime) -> QuerySet[Endpoint]:
    """Return the endpoints for which :func:`wants_promotion` is true."""
    return endpoints.filter(rotated_at__lte=now - REMINDED_AFTER)


def redeliver(delivery_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Delivery:
    """Send a settled delivery once more: the same bytes under the same ids, with all its retries.

    Raises ``TransitionConflict`` if it is pending, :class:`EndpointInactive`.
    """
    mine = Delivery.objects.in_workspace(workspace_id)
    with transaction.atomic():
        delivery: Delivery = mine.get(pk=delivery_id)
        check_active(Endpoint.objects.select_for_update(no_key=True).get(pk=delivery.endpoint_id))
        settled = mine.filter(pk=delivery_id, status__in=_may_become(DeliveryStatus.PENDING))
        afresh = {"failures": 0, "settled_at": None, "lease_until": None, "is_recoverable": False, "recovered_at": None}
        if not settled.update(status=DeliveryStatus.PENDING, due_at=now, **afresh):
            raise TransitionConflict(what="the delivery", from_=DeliveryStatus.PENDING, to=DeliveryStatus.PENDING)
        change = Change.of(
            delivery,
            "delivery",
            "redeliver",
            from_state={"status": delivery.status},
            to_state={"status": DeliveryStatus.PENDING.value},
        )
        record(actor, [change], now=now)
        delivery.refresh_from_db()
    return delivery


def suppress_unheard(*, now: datetime, limit: int) -> int:
    """Settle up to ``limit`` pending deliveries of inactive endpoints as ``suppressed``; return how many.

    A delivery that is being sent is settled by its own answer or, after its lease, by the next sweep.
    """
    rows = fetch(
        Id,
        "suppress_unheard",
        """
        WITH unheard AS MATERIALIZED (
            SELECT d.id FROM webhooks_endpoint p
            CROSS JOIN LATERAL (
                SELECT d.id FROM webhooks_delivery d
                WHERE d.endpoint_id = p.id AND d.status = 'pending'
                    AND (d.lease_until IS NULL OR d.lease_until < %(now)s)
                ORDER BY d.due_at, d.id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            ) d
            WHERE NOT p.is_active LIMIT %(limit)s
        )
        UPDATE webhooks_delivery d SET status = 'suppressed', settled_at = %(now)s, lease_until = NULL
        FROM unheard WHERE d.id = unheard.id AND d.status = 'pending'
        RETURNING d.id
        """,
        {"now": now, "limit": limit},
    )
    return len(rows)


def _may_become(to: DeliveryStatus) -> Sequence[str]:
    return [status.value for status, allowed in ALLOWED.items() if to in allowed]


def _switch(
    endpoint_id: UUID, workspace_id: UUID, *, is_on: bool, actor: Actor, reason: str, now: datetime
) -> Endpoint:
    from_, to = ("inactive", "active") if is_on else ("active", "inactive")
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        if endpoint.is_active == is_on:
            raise TransitionConflict(what="the endpoint", from_=to, to=to)
        # An endpoint that is switched on again starts with a clean failure record.
        afresh = {"failing_since": None, "failure_run": 0, "trips": 0, "open_until": None, "disabled_at": None}
        for name, value in {"is_active": is_on, **afresh}.items():
            setattr(endpoint, name, value)
        endpoint.save(update_fields=["is_active", *afresh])
        change = _change(
            endpoint,
            "activate" if is_on else "deactivate",
            from_state={"state": from_},
            to_state={"state": to},
            reason=reason,
        )
        record(actor, [change], now=now)
    return endpoint


def _hold(
    endpoint_id: UUID, workspace_id: UUID, *, paused_at: datetime | None, actor: Actor, reason: str, now: datetime
) -> Endpoint:
    from_, to = ("paused", "active") if paused_at is None else ("active", "paused")
    with transaction.atomic():
        endpoint = locked(endpoint_id, workspace_id)
        check_active(endpoint)
        if (endpoint.paused_at is None) == (paused_at is None):
            raise TransitionConflict(what="the endpoint", from_=to, to=to)
        endpoint.paused_at = paused_at
        endpoint.save(update_fields=["paused_at"])
        verb = "resume" if paused_at is None else "pause"
        change = _change(endpoint, verb, from_state={"state": from_}, to_state={"state": to}, reason=reason)
        record(actor, [change], now=now)
    return endpoint


def locked(endpoint_id: UUID, workspace_id: UUID) -> Endpoint:
    """Return an endpoint that is not deleted, locked until the caller's transaction ends."""
    kept = Endpoint.objects.in_workspace(workspace_id).kept()
    endpoint: Endpoint = kept.select_for_update(no_key=True).get(pk=endpoint_id)
    return endpoint


def check_active(endpoint: Endpoint) -> None:
    """Raise :class:`EndpointInactive` if the endpoint is deleted or switched off."""
    if not endpoint.is_active:
        message = "the endpoint was deleted" if endpoint.deleted_at else "the endpoint is switched off"
        raise EndpointInactive(message)


def _audited(columns: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in columns.items() if name not in _UNAUDITED}
    hidden = dict.fromkeys(columns.keys() & _UNAUDITED, "(not shown)")
    return {name: str(value) if isinstance(value, UUID) else value for name, value in (shown | hidden).items()}


def _change(endpoint: Endpoint, verb: str, **said: Unpack[Said]) -> Change:
    return Change.of(endpoint, "endpoint", verb, **said)
