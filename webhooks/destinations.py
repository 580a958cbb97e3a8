"""Checks the addresses that a URL resolves to when an endpoint is saved.

Every attempt checks them again (:mod:`webhooks.transport`); this only reports a forbidden address early.
"""

import time
from collections.abc import Collection, Iterable
from concurrent.futures import Future
from contextlib import suppress

from django.conf import settings
from django.db import connection

from webhooks.resolver import LIFETIME_SECONDS, Addresses, NameUnresolved, Resolver
from webhooks.rules.destination import Address, BadUrl, parse, parse_networks, why_forbidden


def url_error(url: str) -> str | None:
    """Return why webhooks must not be sent to a URL; ``None`` if they may, or if its name does not resolve now.

    Waits for name servers for a few seconds at most and gives up its database connection meanwhile, so it must not be
    called in a transaction.
    """
    return urls_error([url]).get(url)


def urls_error(urls: Collection[str]) -> dict[str, str]:
    """Resolve several URLs in parallel; return why webhooks must not be sent, by URL, for those that are forbidden."""
    reasons: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for url in urls:
        try:
            destination = parse(url)
        except BadUrl as error:
            reasons[url] = str(error)
        else:
            if destination.address is None:
                hosts[url] = destination.host
            elif reason := _addresses_error([destination.address]):
                reasons[url] = reason
    if hosts:
        if not connection.in_atomic_block:
            connection.close()
        addresses = _looked_up(set(hosts.values()))
        found = {url: _addresses_error(addresses.get(host, ())) for url, host in hosts.items()}
        reasons |= {url: reason for url, reason in found.items() if reason}
    return reasons


def _looked_up(hosts: Collection[str]) -> dict[str, Addresses]:
    """Return the addresses of names; names that do not resolve now are left out."""
    resolver = Resolver(servers=settings.WEBHOOK_DNS_SERVERS, on_done=lambda: None)
    found: dict[str, Addresses] = {}
    try:
        asked = {host: resolver.lookup(host) for host in hosts}
        until = time.monotonic() + 2 * LIFETIME_SECONDS
        for host, answer in asked.items():
            with suppress(NameUnresolved, TimeoutError):
                left = max(until - time.monotonic(), 0)
                found[host] = answer.result(timeout=left) if isinstance(answer, Future) else answer
    finally:
        resolver.close()
    return found


def _addresses_error(addresses: Iterable[Address]) -> str | None:
    allowed = parse_networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))
    reasons = (why_forbidden(address, allowed=allowed) for address in addresses)
    return next((f"leads to where webhooks must not go: {reason}" for reason in reasons if reason), None)
