"""Where a request comes from: the address behind the proxies that the installation trusts, and the user agent."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

LONGEST_AGENT = 200

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The address and the agent of a request; empty for what no request causes."""

    address: str | None = None
    agent: str = ""


NOWHERE = Client()


def client_of(request: HttpRequest) -> Client:
    agent = "".join(letter for letter in request.headers.get("User-Agent", "") if letter.isprintable())
    return Client(address=_address_of(request), agent=agent[:LONGEST_AGENT])


def _address_of(request: HttpRequest) -> str | None:
    """Return the last address on the way here that is not one of our proxies.

    Each proxy appends the address that it was asked from, so only what our own proxies appended is true: the way is
    read backwards and ends at the first address that is not in ``TRUSTED_PROXIES``, or at what is no address.
    """
    way = [*request.headers.get("X-Forwarded-For", "").split(","), request.META.get("REMOTE_ADDR", "")]
    found = None
    for hop in reversed(way):
        address = _parsed(hop)
        if address is None:
            break
        found = address
        if not _is_trusted(address):
            break
    return None if found is None else str(found)


def _parsed(hop: str) -> _Address | None:
    """Read an address, which some proxies write with a port."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: _Address) -> bool:
    return any(address in network for network in _networks(tuple(settings.TRUSTED_PROXIES)))


@lru_cache(maxsize=4)
def _networks(named: Sequence[str]) -> Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(name) for name in named]
