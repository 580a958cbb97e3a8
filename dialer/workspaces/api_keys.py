"""API keys: shown once in plain text, stored as a hash, checked in constant time."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.client import NOWHERE, Client
from dialer.workspaces.models import ApiKey

EXPIRES_SOON: Final = timedelta(days=14)
"""How long before its end a key's expiry is pointed out."""
MOST_NETWORKS: Final = 50
_PREFIX = "rb_"
_SHOWN = 10
_USED_STEP = timedelta(minutes=1)
"""The shortest time between two writes of ``last_used_at``, so that most requests cost no write."""
_REFUSED_STEP = timedelta(hours=1)
"""The shortest time between two audit entries about a key used from elsewhere: a thief must not fill the audit."""

# A scope reaches itself and those of a lower rank.
_RANKS: Final[Mapping[str, int]] = {
    ApiKey.Scope.READ.value: 0,
    ApiKey.Scope.CALLS.value: 1,
    ApiKey.Scope.CONTACTS.value: 1,
    ApiKey.Scope.WEBHOOKS.value: 1,
    ApiKey.Scope.WRITE.value: 2,
    ApiKey.Scope.ADMIN.value: 3,
}
_ADDRESSES_KEPT = 50


class KeyTaken(Exception):
    """A key with the requested plain text exists already."""


class InvalidKey(Exception):
    """The settings of a new key are refused; ``errors`` has the reasons by field."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__(errors)
        self.errors = errors


class AddressNotAllowed(Exception):
    """The key is used from an address outside its ``allowed_networks``."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the key may not be used from {address or 'an unknown address'}")
        self.address = address


def reaches(key: ApiKey, scope: str) -> bool:
    """Tell whether the key may do what needs this scope."""
    return key.scope == scope or _RANKS[key.scope] > _RANKS[scope]


def issue(
    *,
    workspace_id: UUID,
    name: str,
    scope: str,
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
    allowed_networks: Sequence[str] = (),
    maker: ApiKey | None = None,
    plain: str | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its plain text, which is not stored.

    ``maker`` is the key that asks for the new one: the new one must not reach further. ``plain`` sets the key's text
    instead of random bytes (for the demo's fixed key). Raises :class:`InvalidKey`, and :class:`KeyTaken` if ``plain``
    is in use.
    """
    text = plain or _PREFIX + secrets.token_urlsafe(32)
    if ApiKey.objects.filter(key_hash=_hash(text)).exists():
        raise KeyTaken
    networks = _networks(allowed_networks)
    _check_expiry(expires_at, maker, now=now)
    if maker is not None:
        _check_reach(scope, networks, maker)
    shown = {"name": name, "scope": scope, "allowed_networks": [str(network) for network in networks]}
    with transaction.atomic():
        key = ApiKey.objects.create(
            workspace_id=workspace_id,
            prefix=text[:_SHOWN],
            key_hash=_hash(text),
            expires_at=expires_at,
            **shown,
        )
        expires = {"expires_at": expires_at.isoformat() if expires_at else None}
        record(actor, [Change.of(key, "api_key", "issue", to_state={**shown, **expires})], now=now)
    return key, text


def authenticate(plain: str, *, client: Client = NOWHERE, now: datetime) -> ApiKey | None:
    """Return the key with this plain text; ``None`` if it is unknown, revoked, expired, or its workspace is closed.

    The first use from an address leaves an audit entry. Raises :class:`AddressNotAllowed` if the key has networks and
    the client's address is in none of them.
    """
    digest = _hash(plain)
    key: ApiKey | None = (
        ApiKey.objects.select_related("workspace")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), key_hash=digest, revoked_at=None, workspace__closed_at=None)
        .first()
    )
    if key is None or not hmac.compare_digest(bytes(key.key_hash), digest):
        return None
    if key.allowed_networks and not _is_in(client.address or "", key.allowed_networks):
        _tell_refusal(key, client, now=now)
        raise AddressNotAllowed(client.address or "")
    if key.last_used_at is None or now - key.last_used_at > _USED_STEP:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    if client.address is not None and client.address not in key.addresses:
        _remember(key, client, now=now)
    return key


def actor_of(key: ApiKey, client: Client) -> Actor:
    """Return the key as the actor of audit entries."""
    return Actor(kind="key", id=key.public_id, label=key.name, client=client)


def _remember(key: ApiKey, client: Client, *, now: datetime) -> None:
    """Store the address, unless another request has just done so, and leave an audit entry."""
    with transaction.atomic():
        known = ApiKey.objects.select_for_update(no_key=True).values_list("addresses", flat=True).get(pk=key.pk)
        if client.address in known:
            return
        ApiKey.objects.filter(pk=key.pk).update(addresses=[*known, client.address][-_ADDRESSES_KEPT:])
        change = Change.of(key, "api_key", "use_from_new_address", to_state={"address": client.address})
        record(actor_of(key, client), [change], now=now)


def revoke(key: ApiKey, *, actor: Actor, reason: str, now: datetime) -> bool:
    """Revoke the key for good; returns whether it was active."""
    with transaction.atomic():
        changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
        if changed:
            record(actor, [Change.of(key, "api_key", "revoke", reason=reason)], now=now)
    return bool(changed)


def revoke_all(workspace_id: UUID, *, actor: Actor, reason: str, now: datetime) -> None:
    """Revoke every key of a workspace."""
    for key in ApiKey.objects.in_workspace(workspace_id).filter(revoked_at=None).order_by("id"):
        revoke(key, actor=actor, reason=reason, now=now)


def _networks(given: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    if len(given) > MOST_NETWORKS:
        raise InvalidKey({"allowed_networks": [f"must be at most {MOST_NETWORKS}"]})
    read: list[IPv4Network | IPv6Network] = []
    errors: dict[str, list[str]] = {}
    for index, text in enumerate(given):
        try:
            read.append(ip_network(text))
        except ValueError:
            errors[f"allowed_networks.{index}"] = ["must be a network such as 203.0.113.0/24 or 2001:db8::/32"]
    if errors:
        raise InvalidKey(errors)
    return read


def _check_expiry(expires_at: datetime | None, maker: ApiKey | None, *, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidKey({"expires_at": ["must be in the future"]})
    latest = maker.expires_at if maker is not None else None
    if latest is not None and (expires_at is None or expires_at > latest):
        raise InvalidKey({"expires_at": [f"must not be after that of the key that makes it, {latest.isoformat()}"]})


def _check_reach(scope: str, networks: Sequence[IPv4Network | IPv6Network], maker: ApiKey) -> None:
    if not reaches(maker, scope):
        raise InvalidKey({"scope": [f"must not reach further than that of the key that makes it, {maker.scope}"]})
    limits = [ip_network(text) for text in maker.allowed_networks]
    if limits and not (networks and all(any(_is_part(one, of) for of in limits) for one in networks)):
        reason = f"must be within those of the key that makes it: {', '.join(maker.allowed_networks)}"
        raise InvalidKey({"allowed_networks": [reason]})


def _is_part(network: IPv4Network | IPv6Network, of: IPv4Network | IPv6Network) -> bool:
    return network.version == of.version and network.subnet_of(of)  # type: ignore[arg-type] # of one version


def _is_in(address: str, networks: Sequence[str]) -> bool:
    return bool(address) and any(ip_address(address) in ip_network(network) for network in networks)


def _tell_refusal(key: ApiKey, client: Client, *, now: datetime) -> None:
    """Write the refusal to the audit, unless one was written in the last hour."""
    is_due = Q(refused_at=None) | Q(refused_at__lte=now - _REFUSED_STEP)
    change = Change.of(key, "api_key", "refuse_address", to_state={"address": client.address or ""})
    with transaction.atomic():
        if ApiKey.objects.filter(is_due, pk=key.pk).update(refused_at=now):
            record(actor_of(key, client), [change], now=now)


def _hash(plain: str) -> bytes:
    # A random key of 256 bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(plain.encode()).digest()
