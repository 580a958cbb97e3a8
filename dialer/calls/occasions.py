"""The properties of an event that decide which endpoints receive it."""

from typing import Any

from dialer.models import Call, Campaign, Persona
from dialer.rules.statuses import Direction
from webhooks.rules.audience import Occasion
from webhooks.rules.statuses import ARRAY_OF, EVENT_OF, BatchType

_OF_NOBODY = ("contact.suppressed", "endpoint.disabled")
"""Events of the whole workspace: they have no campaign and no persona."""
_ALERTS = (*_OF_NOBODY, "callback.late")
"""Events that webhooks of a call never receive."""


def occasion_of(
    event_type: str, *, call: Call | None = None, campaign: Campaign | None = None, persona: Persona | None = None
) -> tuple[Occasion, list[dict[str, Any]] | None]:
    """Return the properties of an event of a call, campaign or persona, and the webhooks given with it.

    ``event_type`` may also be an item type of arrays.
    """
    is_item = event_type in EVENT_OF
    is_inbound = call is not None and call.direction == Direction.INBOUND
    if is_item:
        event_type = EVENT_OF[BatchType(event_type)]
        if event_type == "call.exhausted" and is_inbound:
            event_type = "call.ended"  # an inbound call has its result when it ends
    about = call or campaign
    inline = about.config_webhooks if about is not None and event_type not in _ALERTS else None
    batch_type = ARRAY_OF.get(event_type)
    if event_type == "call.ended" and is_inbound:
        batch_type = BatchType.CALL_COMPLETE
    campaign_id = campaign.pk if campaign is not None else call.campaign_id if call is not None else None
    persona_id = about.persona_id if about is not None else persona.pk if persona is not None else None
    has_scope = event_type not in _OF_NOBODY
    occasion = Occasion(
        type=event_type,
        batch_type=batch_type,
        is_item=is_item,
        campaign_id=campaign_id if has_scope else None,
        persona_id=persona_id if has_scope else None,
        has_inline=inline is not None,
    )
    return occasion, inline
