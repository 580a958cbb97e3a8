"""Where a request comes from, as far as it can be known."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Return the client's IP address; empty if it cannot be known.

    Each of ``TRUSTED_PROXIES`` appends the address that it saw to ``X-Forwarded-For``. What stands left of theirs was
    sent by the client and proves nothing, so the address is counted from the right.
    """
    proxies: int = settings.TRUSTED_PROXIES
    if proxies < 1:
        return _read(str(request.META.get("REMOTE_ADDR", "")))
    seen = request.headers.get("X-Forwarded-For", "").split(",")
    return _read(seen[-proxies]) if len(seen) >= proxies else ""


def _read(text: str) -> str:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    embedded = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(embedded or address)
