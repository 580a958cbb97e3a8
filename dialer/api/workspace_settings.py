"""The workspace's defaults: the three callback fields, window, zone, limits; and what laws propose for them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.api.resources import Pace
from dialer.api.shapes import LimitsField, ScheduleField
from dialer.rules.limit_presets import presets
from dialer.setup import workspace_settings
from dialer.setup.workspace_settings import STALE_AFTER_HOURS
from dialer.workspaces.api.fields import OneOfField, PublicIdField, TextField, WholeNumberField
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiViewSet
from dialer.workspaces.models import Workspace
from dialer.workspaces.values import LONGEST_NAME


class SettingsSerializer(Pace):
    id = PublicIdField(Workspace.public_prefix, read_only=True)
    name = TextField(required=False, max_length=LONGEST_NAME)
    time_zone = TextField(required=False, max_length=64, help_text="IANA name, such as Europe/Berlin")
    schedule = ScheduleField(required=False, help_text="Taken as a whole")
    contact_limits = LimitsField(required=False, help_text="Taken as a whole; empty: no limit")
    stale_after_hours = WholeNumberField(required=False, within=STALE_AFTER_HOURS)
    preset = OneOfField(
        list(presets()),
        required=False,
        write_only=True,
        help_text="A jurisdiction whose limits and window take the place of contact_limits and schedule's window",
    )


class SourceSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    url = serializers.URLField()


class PresetSerializer(serializers.Serializer[Any]):
    """Limits and hours that the law of a place asks for, and where it says so."""

    code = serializers.CharField(help_text="As `preset` of the settings takes it")
    name = serializers.CharField()
    jurisdiction = serializers.CharField(help_text="ISO 3166")
    applies_to = serializers.CharField()
    note = serializers.CharField()
    contact_limits = LimitsField()
    schedule = ScheduleField()
    sources = SourceSerializer(many=True)


class PresetsSerializer(serializers.Serializer[Any]):
    results = PresetSerializer(many=True)


class Settings(ApiViewSet):
    """The one row of settings that a workspace has."""

    queryset = Workspace.objects.all()
    serializer_class = SettingsSerializer
    admin_actions = ("partial_update",)

    @extend_schema(operation_id="settings_retrieve")
    def retrieve(self, request: ApiRequest) -> Response:
        return self.shown(self.get_queryset().get(pk=request.workspace_id))

    def partial_update(self, request: ApiRequest) -> Response:
        fields: dict[str, Any] = self.given(SettingsSerializer)
        return self.shown(workspace_settings.edit_workspace(**request.about, **fields))

    @extend_schema(operation_id="settings_presets", summary="List presets by jurisdiction", responses=PresetsSerializer)
    def presets(self, request: ApiRequest) -> Response:
        """What laws ask of hours and limits, with their sources; to begin with, and no legal advice."""
        return self.shown({"results": list(presets().values())}, PresetsSerializer)
