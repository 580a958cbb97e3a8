"""Carriers: one adapter per vendor behind one protocol.

``settings.CARRIERS`` names the class of each adapter; an adapter is made for the line whose credentials it uses.
"""

from functools import cache
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from dialer.carriers.base import Carrier, Messenger

if TYPE_CHECKING:
    from dialer.models import Line


class _Adapter(Protocol):
    """The class of an adapter."""

    credential_names: frozenset[str]

    def __call__(self, line: "Line") -> Carrier: ...


@cache
def _adapter(path: str) -> _Adapter:
    adapter: _Adapter = import_string(path)
    return adapter


def credential_names(carrier: str) -> frozenset[str]:
    """Return the allowed names of credentials for a line of ``carrier``; raises ``KeyError`` if it is unknown."""
    return _adapter(settings.CARRIERS[carrier]).credential_names


def has_account_per_line(carrier: str) -> bool:
    """Tell whether each line of ``carrier`` has an account of its own; raises ``KeyError`` if it is unknown."""
    return bool(credential_names(carrier))


def of(line: "Line") -> Carrier:
    """Return the adapter for the carrier of ``line``; raises ``KeyError`` if the carrier is unknown."""
    return _adapter(settings.CARRIERS[line.carrier])(line)


def messenger_of(line: "Line") -> Messenger | None:
    """Return the adapter of a line for text messages; ``None`` if its carrier takes calls only."""
    adapter = of(line)
    return adapter if isinstance(adapter, Messenger) else None
