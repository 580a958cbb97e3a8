"""The route that says which receivers an event would reach, and why others are left out."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.calls.occasions import occasion_of
from dialer.models import Call, Campaign, Persona
from dialer.workspaces.api.fields import OneOfField, PublicIdField, ReferenceField
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters
from dialer.workspaces.api.views import ApiView
from webhooks.audience import audience
from webhooks.models import Endpoint
from webhooks.rules.audience import Reason
from webhooks.rules.statuses import EVENT_TYPES, BatchType, Profile, Purpose

_NAMES = {"type": "event_type", "call_id": "call", "campaign_id": "campaign", "persona_id": "persona"}


class _Asked(Filters):
    type = OneOfField([*EVENT_TYPES, *BatchType])
    call_id = ReferenceField(Call, required=False, help_text="An event of this call")
    campaign_id = ReferenceField(Campaign, required=False, help_text="Or of this campaign and its calls")
    persona_id = ReferenceField(Persona, required=False, help_text="Or of this persona, outside campaigns")

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
    """The receivers; those that the event reaches come first."""

    results = _Verdict(many=True)


class Audience(ApiView):
    """The receivers that an event would reach."""

    queryset = Endpoint.objects.all()
    serializer_class = _Audience

    @extend_schema(
        operation_id="webhooks_audience", summary="Who would hear of it", parameters=[_Asked], responses=_Audience
    )
    def get(self, request: ApiRequest) -> Response:
        """List every endpoint, campaign URL and webhook of the call, each with why the event reaches it or does not.

        Decides by the same rules as recording the event does, from the present settings.
        """
        asked = _Asked(data=request.query_params.dict(), context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        occasion, inline = occasion_of(**{_NAMES[name]: value for name, value in asked.validated_data.items()})
        return self.shown({"results": audience(request.workspace_id, occasion, inline_webhooks=inline or ())})
