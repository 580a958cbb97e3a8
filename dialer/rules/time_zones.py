"""The time zones of a contact, and the next opening of a calling window in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import available_timezones

from phonenumbers import PhoneNumberType, is_number_type_geographical
from phonenumbers import timezone as number_zones

from dialer.rules.calling_window import LONGEST_WAIT, CallingWindow, next_opening
from dialer.rules.phone_number import read_by_library, type_of
from dialer.rules.window_settings import NARROWED

_UNKNOWN = "Etc/Unknown"
_ZONES_OF_COUNTRY: dict[int, tuple[str, ...]] = {}
"""Zones by country code, of numbers that are not tied to a place; filled as they are asked for."""
_SEARCH_IN_ALL_ZONES = timedelta(days=14)
"""If several zones have no common opening within this time, the fallback zone is used."""


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_time_zone(name: object) -> bool:
    """Tell whether ``name`` is a zone of the installed IANA database."""
    return isinstance(name, str) and name in _time_zones()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactZones:
    """Zones that a contact may be in; empty if neither the contact nor the number names any."""

    zones: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """When a call may start, judged in ``zones``; ``at`` is ``None`` if there is no opening within 366 days.

    ``was_cut`` means that the window was narrowed to 11:00-17:00 because the contact's zone is not known.
    """

    at: datetime | None
    zones: tuple[str, ...]
    source: str
    was_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The zone of the campaign, else of the workspace."""

    zone: str
    source: str


def fallback_zone(*, campaign: str, workspace: str) -> Fallback:
    if campaign:
        return Fallback(zone=campaign, source="campaign")
    return Fallback(zone=workspace, source="workspace")


@lru_cache(maxsize=65_536)
def zones_for(*, time_zone: str, phone: str) -> ContactZones:
    """Return the contact's own zone, else every zone its number's plan allows (``phonenumbers``), else none."""
    if time_zone:
        return ContactZones(zones=(time_zone,), source="contact")
    number = read_by_library(phone)
    if number is None or (kind := type_of(phone)) == PhoneNumberType.UNKNOWN:
        return ContactZones(zones=(), source="")
    code = number.country_code or 0
    if is_number_type_geographical(kind, code):
        named = number_zones.time_zones_for_geographical_number(number)
    else:  # depends on the country code alone
        named = _ZONES_OF_COUNTRY.get(code) or number_zones.time_zones_for_number(number)
        _ZONES_OF_COUNTRY[code] = named
    zones = tuple(sorted(set(named) - {_UNKNOWN}))
    return ContactZones(zones=zones, source="number" if len(zones) == 1 else "number_set" if zones else "")


def opening_for(
    window: CallingWindow, contact: ContactZones, *, fallback: Fallback, at: datetime, ring_timeout: timedelta
) -> Opening:
    """Find the first opening not before ``at`` that is open in all zones of the contact.

    If they have no common opening within 14 days, or the zone is not known, uses the fallback's zone with the
    window cut to 11:00-17:00.
    """
    if contact.zones:
        within = LONGEST_WAIT if len(contact.zones) == 1 else _SEARCH_IN_ALL_ZONES
        found = next_opening(window, contact.zones, at=at, ring_timeout=ring_timeout, within=within)
        if found is not None or len(contact.zones) == 1:
            return Opening(at=found, zones=contact.zones, source=contact.source, was_cut=False)
    found = next_opening(window.cut_to(NARROWED), (fallback.zone,), at=at, ring_timeout=ring_timeout)
    return Opening(at=found, zones=(fallback.zone,), source=fallback.source, was_cut=True)
