"""Personas, lines and retry policies: create, change, archive. Lists leave out archived rows unless asked for them."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.response import Response

from dialer import carriers
from dialer.api.shapes import RulesField
from dialer.carriers.addresses import report_url
from dialer.models import Campaign, Line, Persona, RetryPolicy
from dialer.setup import caller_ids, lines, personas, retry_policies
from dialer.setup.lines import MAX_DURATIONS, RING_TIMEOUTS
from dialer.setup.paces import LEAST_CALLS_PER_SECOND, MOST_CALLS_PER_SECOND, MOST_CONCURRENT_CALLS
from dialer.setup.personas import LONGEST_ENDPOINT
from dialer.workspaces.api.fields import (
    InstantField,
    NumberField,
    ObjectField,
    PublicIdField,
    TextField,
    TruthField,
    WholeNumberField,
)
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.api.views import Lists, Reads
from dialer.workspaces.models import ApiKey
from dialer.workspaces.values import LONGEST_NAME


class ArchivedFilter(Filters):
    archived = serializers.BooleanField(required=False, help_text="List archived rows instead of the others")


class Pace(Strict):
    """How fast and how many calls may start; ``null`` means no limit."""

    calls_per_second = NumberField(
        required=False, allow_null=True, min_value=LEAST_CALLS_PER_SECOND, max_value=MOST_CALLS_PER_SECOND
    )
    max_concurrent_calls = WholeNumberField(
        required=False, allow_null=True, min_value=1, max_value=MOST_CONCURRENT_CALLS
    )


class PersonaSerializer(Strict):
    id = PublicIdField(Persona.public_prefix, read_only=True)
    name = TextField(max_length=LONGEST_NAME)
    endpoint = TextField(
        required=False,
        allow_blank=True,
        max_length=LONGEST_ENDPOINT,
        help_text="Where calls are connected to: a SIP address, a media-stream URL, a script",
    )
    has_flow = TruthField(
        required=False, help_text="A talk counts as complete when its analysis says `flow_completed`, not when it ends"
    )
    archived_at = InstantField(read_only=True, allow_null=True)
    created_at = InstantField(read_only=True)


class Health(serializers.Serializer[Any]):
    """Whether the carrier of a line took calls when it was last asked; only for the schema."""

    status = serializers.ChoiceField(["up", "down"])
    reason = TextField()
    until = InstantField(allow_null=True, help_text="No calls are placed over the line before; null while it is up")


class LineSerializer(Pace):
    id = PublicIdField(Line.public_prefix, read_only=True)
    name = TextField(max_length=LONGEST_NAME)
    carrier = TextField(required=False, max_length=32)
    credentials = ObjectField(
        required=False,
        allow_null=True,
        write_only=True,
        help_text="What the carrier requires of this line; never shown again. Addresses are "
        "settings of the installation; a line of the carrier `simulated` has no credentials",
    )
    has_credentials = serializers.SerializerMethodField()
    report_url = serializers.SerializerMethodField(
        help_text="Where the account of this line reports calls, and below it at `messages/` texts; null for a carrier "
        "that reports for the whole installation"
    )
    caller_ids = serializers.ListField(
        child=TextField(max_length=caller_ids.LONGEST),
        required=False,
        max_length=caller_ids.MOST,
        help_text="Numbers that calls may show; the first is the default. A number belongs to one workspace: calls and "
        "texts to it arrive here, and no other workspace's lines may show it",
    )
    ring_timeout_seconds = WholeNumberField(required=False, within=RING_TIMEOUTS)
    max_duration_seconds = WholeNumberField(required=False, within=MAX_DURATIONS)
    is_default = TruthField(required=False)
    inbound_campaign_id = PublicIdField(
        Campaign.public_prefix,
        required=False,
        allow_null=True,
        help_text="The campaign of received calls that nothing else assigns to a campaign",
    )
    health = serializers.SerializerMethodField()
    archived_at = InstantField(read_only=True, allow_null=True)
    created_at = InstantField(read_only=True)

    def get_has_credentials(self, line: Line) -> bool:
        return line.credentials is not None

    def get_report_url(self, line: Line) -> str | None:
        has_account = line.carrier in settings.CARRIERS and carriers.has_account_per_line(line.carrier)
        return report_url(line) if has_account else None

    @extend_schema_field(Health)
    def get_health(self, line: Line) -> dict[str, Any]:
        until = line.down_until
        if until is None or until <= self.context["request"].now:
            return {"status": "up", "reason": "", "until": None}
        return {"status": "down", "reason": line.down_reason, "until": InstantField().to_representation(until)}


class RetryPolicySerializer(Strict):
    id = PublicIdField(RetryPolicy.public_prefix, read_only=True)
    name = TextField(max_length=LONGEST_NAME)
    rules = RulesField()
    is_default = TruthField(required=False)
    archived_at = InstantField(read_only=True, allow_null=True)
    created_at = InstantField(read_only=True)


class _Archivable(Lists, Reads):
    """Rows that are created, changed, and archived rather than deleted, by the functions of their module."""

    serializer_class: type[Strict]
    filters = ArchivedFilter
    orderings = ("-id", "id", "name", "-name")
    making: ClassVar[Callable[..., Any]]
    editing: ClassVar[Callable[..., Any]]
    archiving: ClassVar[Callable[..., Any]]

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return rows.filter(archived_at__isnull=not asked.get("archived", False))

    @idempotent
    def create(self, request: ApiRequest) -> Response:
        return self.shown(type(self).making(**request.about, **self.given(self.serializer_class)), status=201)

    def partial_update(self, request: ApiRequest, pk: str) -> Response:
        fields = self.given(self.serializer_class)
        return self.shown(type(self).editing(self.named_id(), **request.about, **fields))

    @extend_schema(description="Archives it: campaigns that use it keep it, new ones cannot choose it.")
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        type(self).archiving(self.named_id(), **request.about)
        return Response(status=204)


class Personas(_Archivable):
    """Who does the talking."""

    queryset = Persona.objects.all()
    serializer_class = PersonaSerializer
    making = staticmethod(personas.create_persona)
    editing = staticmethod(personas.edit_persona)
    archiving = staticmethod(personas.archive_persona)


class Lines(_Archivable):
    """Carriers with credentials, caller ids and limits."""

    queryset = Line.objects.all()
    serializer_class = LineSerializer
    scope_to_write = ApiKey.Scope.ADMIN
    making = staticmethod(lines.create_line)
    editing = staticmethod(lines.edit_line)
    archiving = staticmethod(lines.archive_line)


@extend_schema_view(destroy=extend_schema(description="Archives it; the default policy cannot be archived."))
class RetryPolicies(_Archivable):
    """Delays in minutes and a limit for each outcome."""

    queryset = RetryPolicy.objects.all()
    serializer_class = RetryPolicySerializer
    making = staticmethod(retry_policies.create_policy)
    editing = staticmethod(retry_policies.edit_policy)
    archiving = staticmethod(retry_policies.archive_policy)
