"""Where webhooks may go: the parser of URLs, and the one table of forbidden networks.

A URL is parsed here once and rebuilt from its parts, so that no other parser can read it differently: the host is
ASCII, and an IPv4 address in any spelling (decimal, octal, hex, short) becomes the address it means.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urlsplit

import idna

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL = 2000
_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_HOST = 253
_PRINTABLE = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"
_V4_PARTS = 4

_FORBIDDEN: Sequence[tuple[str, str]] = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "a cloud's platform address"),
    ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    # In IPv6 only 2000::/3 is assigned as global unicast. Addresses that embed IPv4 are unwrapped before this check.
    ("::1/128", "loopback"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
    ("::/3", "reserved"),
    ("4000::/2", "reserved"),
    ("8000::/1", "reserved"),
    ("2001::/23", "reserved for protocols"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
)
FORBIDDEN: tuple[tuple[Network, str], ...] = tuple((ipaddress.ip_network(text), why) for text, why in _FORBIDDEN)

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


class Fault(StrEnum):
    """Why a URL is refused."""

    TOO_LONG = f"must have at most {MAX_URL:,} characters"
    UNPRINTABLE = "must not contain spaces, backslashes or control characters"
    NOT_A_URL = "is not a URL"
    SCHEME = "must begin with https:// or http://"
    USER_INFO = "must not contain a user or password"
    PORT = "names a port that does not exist"
    NOT_IPV6 = "has a host that is not an IPv6 address"
    INTERFACE = "must not name a network interface"
    NOT_A_NAME = "has a host that is not a domain name"
    NOT_IPV4 = "has a host that is not an IPv4 address"


class BadUrl(ValueError):
    """The text is not a URL that webhooks can be sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A parsed URL: ``host`` is ASCII without brackets or trailing dot, ``target`` the path and query."""

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None
    """The host's address, if it is not a name."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


@lru_cache(maxsize=4096)
def parse(url: str) -> Destination:
    """Parse a URL; raises :class:`BadUrl`, which says what is wrong."""
    if len(url) > MAX_URL:
        raise BadUrl(Fault.TOO_LONG)
    if any(character.isspace() or not character.isprintable() or character == "\\" for character in url):
        raise BadUrl(Fault.UNPRINTABLE)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrl(Fault.NOT_A_URL) from error
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise BadUrl(Fault.SCHEME)
    if "@" in parts.netloc:
        raise BadUrl(Fault.USER_INFO)
    if port is not None and not 1 <= port <= _MAX_PORT:
        raise BadUrl(Fault.PORT)
    is_bracketed = "[" in parts.netloc
    host, address = _read_v6(parts.hostname or "") if is_bracketed else _read_host(parts.hostname or "")
    query = f"?{parts.query}" if parts.query else ""
    return Destination(
        scheme=scheme,
        host=host,
        port=port or _PORTS[scheme],
        target=quote((parts.path or "/") + query, safe=_PRINTABLE),
        address=address,
    )


def why_forbidden(address: Address, *, allowed: Iterable[Network] = ()) -> str | None:
    """Return why an address is forbidden; ``None`` if it is public or in ``allowed``."""
    inner = _unwrap(address)
    if any(candidate in network for network in allowed for candidate in {address, inner}):
        return None
    return next((f"{address} is {why}" for network, why in FORBIDDEN if inner in network), None)


@lru_cache(maxsize=16)
def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Parse the networks of a setting (``10.0.0.0/8``); raises ``ValueError``."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def _unwrap(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def _read_v6(text: str) -> tuple[str, Address]:
    try:
        address = IPv6Address(text)
    except ValueError as error:
        raise BadUrl(Fault.NOT_IPV6) from error
    if address.scope_id is not None:
        raise BadUrl(Fault.INTERFACE)
    return str(address), address


def _read_host(text: str) -> tuple[str, Address | None]:
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode()
        except idna.IDNAError as error:
            raise BadUrl(Fault.NOT_A_NAME) from error
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if _is_number(labels[-1]):
        address = _read_v4(labels)
        return str(address), address
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl(Fault.NOT_A_NAME)
    return host, None


def _is_number(label: str) -> bool:
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None


def _read_v4(labels: Sequence[str]) -> IPv4Address:
    """Parse an IPv4 address as C libraries and browsers do: ``127.1``, ``0x7f000001``, ``0177.0.0.1``."""
    try:
        numbers = [_read_number(label) for label in labels]
    except ValueError as error:
        raise BadUrl(Fault.NOT_IPV4) from error
    *leading, last = numbers
    too_many = len(numbers) > _V4_PARTS
    if too_many or any(number >> 8 for number in leading) or last >> 8 * (_V4_PARTS + 1 - len(numbers)):
        raise BadUrl(Fault.NOT_IPV4)
    value = last
    for position, number in enumerate(leading):
        value += number << 8 * (3 - position)
    return IPv4Address(value)


def _read_number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8) if label.startswith("0") else int(label)
