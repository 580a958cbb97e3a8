"""When a contact may be called next: combines the window on the contact's clock with the contact limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from dialer.rules.calling_window import LONGEST_WAIT
from dialer.rules.contact_limits import ContactLimit, Handed, allowed_from
from dialer.rules.time_zones import ContactZones, Fallback, opening_for
from dialer.rules.waits import Waits
from dialer.rules.window_settings import WindowInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The rules that say when one contact may be called for one campaign."""

    window: WindowInForce
    contact: ContactZones
    fallback: Fallback
    ring_timeout: timedelta
    limits: tuple[ContactLimit, ...]
    campaign_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A move of the time to later, and its cause: the window or a limit."""

    reason: Waits
    from_: datetime
    to: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """The first possible instant, ``None`` if there is none within 366 days, and the shifts that lead to it."""

    at: datetime | None
    shifts: tuple[Shift, ...]
    zones: tuple[str, ...]
    source: str
    was_cut: bool


def next_possible(
    terms: Terms, *, at: datetime, ledger: Sequence[Handed], forced: frozenset[str] = frozenset()
) -> Possible:
    """Find the first instant not before ``at`` at which the window is open and no limit is exceeded.

    A check whose shift is named in ``forced`` is ignored.
    """
    shifts: list[Shift] = []
    latest = at + LONGEST_WAIT
    instant = at
    while True:
        opening = opening_for(
            terms.window.window, terms.contact, fallback=terms.fallback, at=instant, ring_timeout=terms.ring_timeout
        )
        if Waits.OUTSIDE_WINDOW in forced:
            opening = replace(opening, at=instant)
        if opening.at is None or opening.at > latest:
            return Possible(
                at=None, shifts=tuple(shifts), zones=opening.zones, source=opening.source, was_cut=opening.was_cut
            )
        if opening.at > instant:
            shifts.append(Shift(reason=Waits.OUTSIDE_WINDOW, from_=instant, to=opening.at))
        limits = () if Waits.CONTACT_LIMIT in forced else terms.limits
        allowed = allowed_from(limits, ledger=ledger, campaign_id=terms.campaign_id, at=opening.at)
        if allowed == opening.at:
            return Possible(
                at=opening.at, shifts=tuple(shifts), zones=opening.zones, source=opening.source, was_cut=opening.was_cut
            )
        shifts.append(Shift(reason=Waits.CONTACT_LIMIT, from_=opening.at, to=allowed))
        instant = allowed
