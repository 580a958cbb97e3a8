"""The workspace's defaults (callback fields, window, zone, limits) and the legal presets for them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.api.resources import Pace
from dialer.api.shapes import LimitsField, ScheduleField
from dialer.rules.limit_presets import presets
from dialer.setup import workspace_settings
from dialer.setup.workspace_settings import STALE_AFTER_HOURS
from dialer.workspaces.api.fields import OneOfField, PublicIdField, TextField, TruthField, WholeNumberField
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiViewSet
from dialer.workspaces.models import KEEPS_DAYS, Workspace
from dialer.workspaces.values import LONGEST_NAME

_FOR_EVER = "null: for ever"


class SettingsSerializer(Pace):
    id = PublicIdField(Workspace.public_prefix, read_only=True)
    name = TextField(required=False, max_length=LONGEST_NAME)
    time_zone = TextField(required=False, max_length=64, help_text="IANA name, such as Europe/Berlin")
    schedule = ScheduleField(required=False, help_text="Replaced as a whole")
    contact_limits = LimitsField(required=False, help_text="Replaced as a whole; empty: no limit")
    stale_after_hours = WholeNumberField(required=False, within=STALE_AFTER_HOURS)
    requires_two_factor = TruthField(
        required=False, help_text="Whoever sees this workspace in the admin must sign in with a second factor"
    )
    keep_events_days = WholeNumberField(
        required=False, allow_null=True, within=KEEPS_DAYS["keep_events_days"], help_text=_FOR_EVER
    )
    keep_deliveries_days = WholeNumberField(
        required=False,
        within=KEEPS_DAYS["keep_deliveries_days"],
        help_text="Deliveries and their attempts; pending ones stay",
    )
    keep_imports_days = WholeNumberField(
        required=False, allow_null=True, within=KEEPS_DAYS["keep_imports_days"], help_text=_FOR_EVER
    )
    keep_transcripts_days = WholeNumberField(
        required=False,
        allow_null=True,
        within=KEEPS_DAYS["keep_transcripts_days"],
        help_text=f"Transcripts, recordings' addresses and analyses. {_FOR_EVER}",
    )
    preset = OneOfField(
        list(presets()),
        required=False,
        write_only=True,
        help_text="A jurisdiction whose limits and window replace contact_limits and the schedule's window",
    )


class SourceSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    url = serializers.URLField()


class PresetSerializer(serializers.Serializer[Any]):
    """The limits and hours that a jurisdiction requires, with their sources."""

    code = serializers.CharField(help_text="The value for `preset` in the settings")
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
    """The settings of the workspace."""

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
        """List the hours and limits that laws require, with their sources: a starting point, not legal advice."""
        return self.shown({"results": list(presets().values())}, PresetsSerializer)
