"""Webhooks that a client gives with a call or a campaign."""

from dialer.rules.schedule_settings import InvalidSettings
from webhooks import hidden_endpoints
from webhooks.hidden_endpoints import InlineWebhook, InvalidInline


def inline_webhooks(given: object, *, path: str) -> list[InlineWebhook] | None:
    """Check the webhooks of a call or campaign, ``None`` if there are none; raises :class:`InvalidSettings`."""
    if given is None:
        return None
    try:
        return hidden_endpoints.read_inline(given)
    except InvalidInline as refused:
        raise InvalidSettings(
            {f"{path}.{where}" if where else path: reasons for where, reasons in refused.errors.items()}
        ) from refused
