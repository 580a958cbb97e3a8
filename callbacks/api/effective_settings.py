"""Routes that show the settings in force for a campaign or a call, and the level of each."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from callbacks.effective_settings import of_call, of_campaign
from dialer.models import Call, Campaign
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiView


class _Setting(serializers.Serializer[Any]):
    value = serializers.JSONField(help_text="In the form in which the level has it; `null`: not set")
    level = serializers.ChoiceField(("call", "campaign", "line", "policy", "workspace", "default"))


class EffectiveSettingsShown(serializers.Serializer[Any]):
    """Each setting in force, with the level that it comes from."""

    auto_callback = _Setting()
    max_callback_attempts = _Setting(help_text="Level `policy`: the limit of each outcome in `retry_rules`")
    callback_retry_schedule = _Setting(help_text="Level `policy`: the delays of each outcome in `retry_rules`")
    retry_rules = _Setting(help_text="Which outcomes are retried, with delays in minutes and the limit")
    calling_hours = _Setting()
    days = _Setting(help_text="`null`: every day that `calling_hours` has")
    holidays = _Setting()
    time_zone = _Setting(help_text="For contacts whose own zone is not known")
    contact_limits = _Setting(many=True, help_text="All of them apply")
    calls_per_second = _Setting(help_text="The smallest of campaign, line and workspace")
    max_concurrent_calls = _Setting(help_text="The smallest of campaign, line and workspace")
    stale_after_hours = _Setting()


class SettingsOfCampaign(ApiView):
    """The settings in force for a campaign."""

    queryset = Campaign.objects.select_related("workspace", "line", "retry_policy")
    serializer_class = EffectiveSettingsShown

    @extend_schema(
        operation_id="campaigns_effective_settings",
        summary="Show the settings in force",
        responses=EffectiveSettingsShown,
    )
    def get(self, request: ApiRequest, pk: str) -> Response:
        """Show what holds for its calls, as the campaign, its policy, its line and the workspace are now."""
        return self.shown(of_campaign(self.get_object()))


class SettingsOfCall(ApiView):
    """The settings in force for a call."""

    queryset = Call.objects.select_related("workspace", "line", "campaign__retry_policy")
    serializer_class = EffectiveSettingsShown

    @extend_schema(
        operation_id="calls_effective_settings", summary="Show the settings in force", responses=EffectiveSettingsShown
    )
    def get(self, request: ApiRequest, pk: str) -> Response:
        """Show what holds for the call and its retries, as its campaign and the workspace are now."""
        return self.shown(of_call(self.get_object()))
