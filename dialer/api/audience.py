"""Who would be told: asked before something happens, or when somebody wonders why nothing came."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.models import Call, Campaign, Persona
from dialer.rules.statuses import Direction
from dialer.workspaces.api.fields import OneOfField, PublicIdField, ReferenceField
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters
from dialer.workspaces.api.views import ApiView
from webhooks.audience import audience
from webhooks.models import Endpoint
from webhooks.rules.audience import Occasion, Reason
from webhooks.rules.statuses import ARRAY_OF, EVENT_TYPES, BatchType, Profile, Purpose

_OF_NOBODY = ("contact.suppressed", "endpoint.disabled")
"""Events of the whole workspace: they carry no campaign and no persona."""
_ALERTS = (*_OF_NOBODY, "callback.late")
"""Events that are never for webhooks given with a call."""


class _Asked(Filters):
    type = OneOfField(EVENT_TYPES)
    call_id = ReferenceField(Call, required=False, help_text="An event of this call")
    campaign_id = ReferenceField(Campaign, required=False, help_text="Or of this campaign and its calls")
    persona_id = ReferenceField(Persona, required=False, help_text="Or of this persona, outside of a campaign")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        scopes = [name for name in attrs if name != "type"]
        if len(scopes) > 1:
            raise serializers.ValidationError({scopes[1]: [f"leave it out beside {scopes[0]}"]})
        return attrs


class _Verdict(serializers.Serializer[Any]):
    webhook_id = PublicIdField(Endpoint.public_prefix, source="endpoint.id")
    name = serializers.CharField(source="endpoint.name")
    url = serializers.CharField(source="endpoint.url")
    purpose = serializers.ChoiceField([purpose.value for purpose in Purpose], source="endpoint.purpose")
    profile = serializers.ChoiceField([profile.value for profile in Profile], source="endpoint.profile")
    events = serializers.ListField(child=serializers.CharField())
    hears = serializers.BooleanField(help_text="It would be sent the event as soon as it happens")
    reason = serializers.ChoiceField([reason.value for reason in Reason])
    text = serializers.CharField()


class _Audience(serializers.Serializer[Any]):
    """Those that would hear first."""

    results = _Verdict(many=True)


class Audience(ApiView):
    """Who would hear of an event."""

    queryset = Endpoint.objects.all()
    serializer_class = _Audience

    @extend_schema(
        operation_id="webhooks_audience", summary="Who would hear of it", parameters=[_Asked], responses=_Audience
    )
    def get(self, request: ApiRequest) -> Response:
        """Every endpoint, URL of the campaign and webhook given with the call, and why it would hear or would not.

        Decided as it is when the event is recorded, from what holds now.
        """
        asked = _Asked(data=request.query_params.dict(), context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        occasion, inline = occasion_of(**asked.validated_data)
        return self.shown({"results": audience(request.workspace_id, occasion, inline_webhooks=inline or ())})


def occasion_of(
    type: str,  # noqa: A002 — as it is asked for
    call_id: Call | None = None,
    campaign_id: Campaign | None = None,
    persona_id: Persona | None = None,
) -> tuple[Occasion, list[dict[str, Any]] | None]:
    """Return what an event of a call, campaign or persona would carry, and the webhooks given with it."""
    about = call_id or campaign_id
    inline = about.config_webhooks if about is not None and type not in _ALERTS else None
    batch_type = ARRAY_OF.get(type)
    if type == "call.ended" and call_id is not None and call_id.direction == Direction.INBOUND:
        batch_type = BatchType.CALL_COMPLETE
    in_campaign = campaign_id.pk if campaign_id is not None else call_id.campaign_id if call_id is not None else None
    persona = about.persona_id if about is not None else persona_id.pk if persona_id is not None else None
    has_scope = type not in _OF_NOBODY
    occasion = Occasion(
        type=type,
        batch_type=batch_type,
        campaign_id=in_campaign if has_scope else None,
        persona_id=persona if has_scope else None,
        has_inline=inline is not None,
    )
    return occasion, inline
