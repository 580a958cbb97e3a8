"""Where a URL leads when an endpoint is saved: told to the person who can correct it.

Every attempt checks again on its own (:mod:`webhooks.transport`); this only spares a first failure.
"""

from concurrent.futures import Future

from django.conf import settings

from webhooks.resolver import LIFETIME_SECONDS, Addresses, NameUnresolved, Resolver
from webhooks.rules.destination import BadUrl, parse, parse_networks, why_forbidden


def why_not_url(url: str) -> str | None:
    """Say why webhooks must not be sent to a URL; ``None`` where they may, or where its name cannot be asked for now.

    Asks name servers for a few seconds at most; must not be called in a transaction.
    """
    try:
        destination = parse(url)
    except BadUrl as error:
        return str(error)
    if destination.address is not None:
        addresses: Addresses = (destination.address,)
    else:
        resolver = Resolver(servers=settings.WEBHOOK_DNS_SERVERS, on_done=lambda: None)
        try:
            found = resolver.lookup(destination.host)
            addresses = found.result(timeout=2 * LIFETIME_SECONDS) if isinstance(found, Future) else found
        except (NameUnresolved, TimeoutError):
            return None
        finally:
            resolver.close()
    allowed = parse_networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))
    reasons = (why_forbidden(address, allowed=allowed) for address in addresses)
    return next((f"leads to where webhooks must not go: {reason}" for reason in reasons if reason), None)
