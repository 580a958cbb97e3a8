"""The time zone of admin pages: the browser's, which a script stores in a cookie."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "time_zone"
_PAGES = "/admin/"


class OperatorTimeZone:
    """Middleware: pages under ``/admin/`` use the operator's time zone, or UTC until it is known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._known = available_timezones()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(COOKIE, "")
        if not request.path.startswith(_PAGES) or name not in self._known:
            return self._get_response(request)
        with timezone.override(ZoneInfo(name)):
            return self._get_response(request)


def operator_zone() -> ZoneInfo:
    """Return the zone in force for this request."""
    return ZoneInfo(timezone.get_current_timezone_name())


def on_clock(at: datetime, zone: str | ZoneInfo, *, now: datetime) -> str:
    """Format a time for people, with the abbreviation of the zone, and with the year only if it is not the present one.

    Uses non-breaking spaces, so that a time stays on one line.
    """
    local = at.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)
    year = "" if local.year == now.astimezone(local.tzinfo).year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M} {local:%Z}".replace(" ", "\N{NO-BREAK SPACE}")
