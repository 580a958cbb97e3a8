"""A page that shows which receivers an event of a campaign or its calls would reach, and why not the others."""

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from dialer.calls.occasions import occasion_of
from dialer.models import Campaign
from dialer.workspaces.admin.base import ScopedAdmin
from webhooks.audience import audience
from webhooks.rules.statuses import EVENT_TYPES

_FIRST = "call.ended"


def audience_page(page: ScopedAdmin, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Render the page for the event type in the query, by default for the most common one."""
    asked = request.GET.get("type", _FIRST)
    event_type = asked if asked in EVENT_TYPES else _FIRST
    occasion, inline = occasion_of(event_type, campaign=campaign)
    shown = {
        **page.admin_site.each_context(request),
        "title": f"Who hears of {campaign.name}",
        "opts": page.opts,
        "types": EVENT_TYPES,
        "event_type": event_type,
        "verdicts": audience(campaign.workspace_id, occasion, inline_webhooks=inline or ()),
        "back": page.url_of("change", campaign.pk),
    }
    return TemplateResponse(request, "dialer/admin/audience.html", shown)
