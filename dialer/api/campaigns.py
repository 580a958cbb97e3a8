"""Campaigns: create, fill, start, pause, resume, cancel, statistics and report."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from dialer.api.campaign_contacts import AddedSerializer
from dialer.api.destinations import destinations_checked
from dialer.api.resources import Pace
from dialer.api.shapes import CampaignScheduleField, LimitsField, Reason, RetriesField, WebhookField
from dialer.campaigns import lifecycle
from dialer.campaigns import report as campaign_report
from dialer.campaigns import stats as campaign_stats
from dialer.campaigns.lifecycle import Created, Touched
from dialer.campaigns.membership import MOST_AT_ONCE
from dialer.campaigns.settings import LONGEST_CALLER_ID, LONGEST_SECRET, LONGEST_URL, PRIORITIES, CampaignFields
from dialer.models import Campaign, Line, Persona, RetryPolicy
from dialer.rules.statuses import CAMPAIGN_OVER, CampaignStatus
from dialer.workspaces.api.fields import (
    InstantField,
    ObjectField,
    OneOfField,
    PublicIdField,
    TextField,
    TruthField,
    WholeNumberField,
)
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Nothing, Strict
from dialer.workspaces.api.views import Lists, Reads
from dialer.workspaces.downloads import csv_file
from dialer.workspaces.values import LONGEST_NAME
from webhooks.hidden_endpoints import MOST_INLINE


class Config(Strict):
    webhooks = serializers.ListField(
        child=WebhookField(),
        required=False,
        allow_null=True,
        max_length=MOST_INLINE,
        help_text="For `call.*` they replace the subscriptions; other events that they list are sent to them as well "
        "as to the subscriptions",
    )


class StatusUrlField(TextField):
    """A URL that is frozen when the campaign starts."""

    def __init__(self, *, help_text: str) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, max_length=LONGEST_URL, help_text=help_text)


class CampaignChange(Strict):
    """The fields of a campaign that may change; ``schedule`` is replaced as a whole."""

    name = TextField(max_length=LONGEST_NAME)
    persona_id = PublicIdField(Persona.public_prefix)
    line_id = PublicIdField(Line.public_prefix, required=False, help_text="Default: the default line")
    retry_policy_id = PublicIdField(
        RetryPolicy.public_prefix, required=False, allow_null=True, help_text="Default: the default policy"
    )
    retries = RetriesField(
        required=False, help_text="In place of a policy: the campaign uses one with these rules, made if there is none"
    )
    schedule = CampaignScheduleField(required=False)
    contact_limits = LimitsField(required=False, allow_null=True, help_text="`null`: those of the workspace")
    pacing = Pace(required=False)
    priority = WholeNumberField(required=False, within=PRIORITIES)
    config = Config(required=False)
    call_status_callback = StatusUrlField(help_text="URL told after every attempt")
    call_schedule_callback = StatusUrlField(help_text="URL told once per number, when its last attempt is over")
    status_callback = StatusUrlField(help_text="URL told when the campaign has ended, with the address of its report")
    status_callback_secret = TextField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=LONGEST_SECRET,
        trim_whitespace=False,
        help_text="Signs the requests to the three URLs (`hmac_sha256`); never shown. Without it they are not signed",
    )
    metadata = ObjectField(required=False)

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        fields["from"] = TextField(
            source="caller_id", required=False, allow_blank=True, max_length=LONGEST_CALLER_ID, help_text="Caller id"
        )
        return fields


class NewCampaign(CampaignChange):
    contact_ids = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, default=list, max_length=MOST_AT_ONCE
    )
    auto_start = TruthField(required=False, default=False)


class PacingSerializer(serializers.Serializer[Any]):
    calls_per_second = serializers.FloatField(allow_null=True)
    max_concurrent_calls = serializers.IntegerField(allow_null=True)


class ShownWebhook(serializers.Serializer[Any]):
    """A webhook of a call or campaign; its secret is never shown."""

    url = TextField()
    events = serializers.ListField(child=serializers.CharField())
    profile = TextField()
    signing_method = TextField()


class ShownConfig(serializers.Serializer[Any]):
    webhooks = ShownWebhook(many=True, allow_null=True, source="config_webhooks")


class CampaignSerializer(serializers.Serializer[Any]):
    id = PublicIdField(Campaign.public_prefix)
    name = TextField()
    status = serializers.ChoiceField(choices=[status.value for status in CampaignStatus])
    persona_id = PublicIdField(Persona.public_prefix)
    line_id = PublicIdField(Line.public_prefix)
    retry_policy_id = PublicIdField(RetryPolicy.public_prefix, allow_null=True)
    schedule = CampaignScheduleField()
    contact_limits = LimitsField(allow_null=True)
    pacing = PacingSerializer(source="*")
    priority = serializers.IntegerField()
    config = ShownConfig(source="*")
    call_status_callback = TextField()
    call_schedule_callback = TextField()
    status_callback = TextField()
    metadata = ObjectField()
    pause_reason = TextField()
    end_reason = serializers.ChoiceField(choices=["", *(status.value for status in CAMPAIGN_OVER)])
    end_note = TextField(help_text="Why it was cancelled or failed")
    started_at = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)
    created_at = InstantField()

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        fields["from"] = TextField(source="caller_id")
        return fields

    def to_representation(self, instance: Campaign) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        written = InstantField().to_representation
        shown["schedule"] = {
            **instance.schedule,
            "time_zone": instance.time_zone,
            "start_at": written(instance.start_at) if instance.start_at else None,
            "start_at_local": instance.start_at_local or None,
            "end_at": written(instance.end_at) if instance.end_at else None,
        }
        return shown


class CreatedCampaign(CampaignSerializer):
    contacts = AddedSerializer()

    def to_representation(self, instance: Created) -> dict[str, Any]:  # type: ignore[override] # its parent shows a campaign
        return {**CampaignSerializer(instance.campaign).data, "contacts": AddedSerializer(instance.contacts).data}


class TouchedSerializer(serializers.Serializer[Any]):
    """Counts of what was under way when the verb ran."""

    callbacks = serializers.IntegerField()
    promises = serializers.IntegerField(help_text="Callbacks that a contact requested or an operator made")
    waiting = serializers.IntegerField(help_text="Contacts not called yet")
    live = serializers.IntegerField(help_text="Live calls, which always finish")
    overdue = serializers.IntegerField(help_text="Overdue retries that `resume` called, moved or cancelled")
    stale = serializers.IntegerField(help_text="Retries too late to be called, which `resume` left to an operator")


class TouchedCampaign(CampaignSerializer):
    touched = TouchedSerializer()

    def to_representation(self, instance: Touched) -> dict[str, Any]:  # type: ignore[override] # its parent shows a campaign
        return {**CampaignSerializer(instance.campaign).data, "touched": TouchedSerializer(instance).data}


class Resume(Reason):
    overdue = OneOfField(
        choices=["call", "reschedule", "cancel"],
        required=False,
        default="call",
        help_text="What to do with retries that fell due during the pause; promises are always called",
    )


class CampaignStatsSerializer(serializers.Serializer[Any]):
    """Contacts by their best result; with ``open`` they add up to ``total_contacts``."""

    total_contacts = serializers.IntegerField()
    completed = serializers.IntegerField()
    no_answer = serializers.IntegerField()
    busy = serializers.IntegerField()
    failed = serializers.IntegerField()
    voicemail = serializers.IntegerField()
    suppressed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    open = serializers.IntegerField(help_text="Not finished yet")
    connect_rate_percent = serializers.FloatField()
    completion_rate_percent = serializers.FloatField()
    average_call_duration_seconds = serializers.IntegerField()


class CampaignFilter(Filters):
    status = OneOfField(choices=[status.value for status in CampaignStatus], required=False)


class Campaigns(Lists, Reads):
    """Contacts, persona, policy, calling window and pacing, run as one."""

    queryset = Campaign.objects.all()
    serializer_class = CampaignSerializer
    filters = CampaignFilter
    orderings = ("-id", "id", "name", "-name")

    @extend_schema(request=NewCampaign, responses={201: CreatedCampaign})
    @destinations_checked
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        given = self.given(NewCampaign)
        created = lifecycle.create(
            **request.about,
            contacts=given.pop("contact_ids"),
            auto_start=given.pop("auto_start"),
            **_fields(given),
        )
        return self.shown(created, CreatedCampaign, status=201)

    @extend_schema(request=CampaignChange)
    @destinations_checked
    def partial_update(self, request: ApiRequest, pk: str) -> Response:
        fields = _fields(self.given(CampaignChange))
        return self.shown(lifecycle.edit(self.named_id(), **request.about, **fields))

    @extend_schema(request=Nothing)
    @action(detail=True, methods=["post"])
    def start(self, request: ApiRequest, pk: str) -> Response:
        return self.shown(self.do(lifecycle.start))

    @extend_schema(request=Reason, responses=TouchedCampaign)
    @action(detail=True, methods=["post"])
    def pause(self, request: ApiRequest, pk: str) -> Response:
        """Start no more calls: live calls finish, callbacks are held."""
        return self.shown(self.do(lifecycle.pause, Reason), TouchedCampaign)

    @extend_schema(request=Resume, responses=TouchedCampaign)
    @action(detail=True, methods=["post"])
    def resume(self, request: ApiRequest, pk: str) -> Response:
        return self.shown(self.do(lifecycle.resume, Resume), TouchedCampaign)

    @extend_schema(request=Reason, responses=TouchedCampaign)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str) -> Response:
        """Stop for good: queued calls are cancelled, live calls finish, and no callback follows them."""
        return self.shown(self.do(lifecycle.cancel, Reason), TouchedCampaign)

    @extend_schema(request=Reason)
    @action(detail=True, methods=["post"], url_path="revoke-report-addresses")
    def revoke_report_addresses(self, request: ApiRequest, pk: str) -> Response:
        """End the addresses of its report that were given out so far, as in `status_callback`."""
        return self.shown(self.do(campaign_report.revoke_addresses, Reason))

    @extend_schema(responses=CampaignStatsSerializer)
    @action(detail=True, methods=["get"])
    def stats(self, request: ApiRequest, pk: str) -> Response:
        stats = campaign_stats.stats(self.get_object().pk)
        return self.shown({**asdict(stats), **stats.performance()}, CampaignStatsSerializer)

    @extend_schema(operation_id="campaigns_report", responses={(200, "text/csv"): OpenApiTypes.STR})
    def report(self, request: ApiRequest, pk: str) -> StreamingHttpResponse:
        """Stream a CSV with a row per contact and all its attempts; times are in the campaign's time zone."""
        campaign: Campaign = self.get_object()
        report = campaign_report.download(campaign, actor=request.actor, now=request.now)
        return csv_file(report, name=f"{campaign.public_id}-report")


def _fields(given: dict[str, Any]) -> CampaignFields:
    """Return the fields under the names that ``campaigns.settings`` uses."""
    pacing: Mapping[str, Any] = given.pop("pacing", {})
    config: Mapping[str, Any] = given.pop("config", {})
    if "webhooks" in config:
        given["config_webhooks"] = config["webhooks"]
    return cast("CampaignFields", {**given, **pacing})
