"""Where carriers report to."""

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from dialer.models import Line


def report_url(line: "Line") -> str:
    """Return the address to which the account of ``line`` reports calls; texts go to ``messages/`` below it."""
    return f"{settings.PUBLIC_URL}/carriers/{line.carrier}/{line.public_id}/"
