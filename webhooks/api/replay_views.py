"""Replays: started on an endpoint, read and stopped by their own id."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from dialer.workspaces.api.fields import InstantField, OneOfField, PublicIdField, TextField, TruthField
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.api.views import ApiView, Lists, Reads, public_id_in_path
from dialer.workspaces.models import ApiKey
from webhooks import replay
from webhooks.models import Endpoint, Replay
from webhooks.replay import MISSED, SETTLED, Wanted
from webhooks.rules.statuses import EVENT_TYPES, BatchType, DeliveryStatus, ReplayStatus
from webhooks.tasks import replay as go_on

_LONGEST_REASON = 200


class ReplayAsked(Strict):
    """Which deliveries of an endpoint are to be sent once more."""

    since = InstantField(help_text="Deliveries made since then")
    until = InstantField(required=False, help_text="Deliveries made before then; now, if left out or in the future")
    statuses = serializers.ListField(
        child=OneOfField([status.value for status in SETTLED]),
        required=False,
        allow_empty=False,
        help_text=f"Default: {' and '.join(MISSED)}, which is what was missed",
    )
    events = serializers.ListField(
        child=OneOfField([*EVENT_TYPES, *BatchType]),
        required=False,
        allow_empty=False,
        help_text="Only these types; for batches the type of their items",
    )
    dry_run = TruthField(required=False, default=False, help_text="Count, and send nothing")


class Stop(Strict):
    reason = TextField(required=False, allow_blank=True, max_length=_LONGEST_REASON)


class ReplayFilters(Filters):
    webhook_id = PublicIdField(Endpoint.public_prefix, required=False)
    status = OneOfField([status.value for status in ReplayStatus], required=False)


class ReplayShown(serializers.Serializer[Replay]):
    """A replay's request and progress."""

    id = PublicIdField(Replay.public_prefix)
    webhook_id = PublicIdField(Endpoint.public_prefix, source="endpoint_id")
    since = InstantField()
    until = InstantField()
    statuses = serializers.ListField(child=serializers.ChoiceField([status.value for status in SETTLED]))
    events = serializers.ListField(child=serializers.CharField(), help_text="Empty: every type")
    dry_run = serializers.BooleanField()
    status = serializers.ChoiceField([status.value for status in ReplayStatus])
    total = serializers.IntegerField(help_text="Deliveries found when it was started")
    found = serializers.SerializerMethodField(help_text="The same by status")
    replayed = serializers.IntegerField(help_text="How many are on their way again so far")
    stopped_because = serializers.CharField()
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_found(self, row: Replay) -> dict[str, int]:
        return {status.value: row.counts.get(status, 0) for status in SETTLED if status in row.statuses}


class StartReplay(ApiView):
    """The route that starts a replay."""

    queryset = Replay.objects.all()
    serializer_class = ReplayShown
    scope_to_write = ApiKey.Scope.WEBHOOKS
    named_in_path = {"webhook": Endpoint}

    @extend_schema(request=ReplayAsked, responses={202: ReplayShown})
    @idempotent
    def post(self, request: ApiRequest, webhook: str) -> Response:
        """Start a job that sends the endpoint's deliveries of a period once more, however many they are.

        They keep their bytes and ids, are signed afresh and get all their retries. Follow it at
        `webhooks/replays/{id}/`.
        """
        given = self.given(ReplayAsked)
        wanted = Wanted(
            since=given["since"],
            until=given.get("until"),
            statuses=[DeliveryStatus(status) for status in dict.fromkeys(given.get("statuses", MISSED))],
            events=list(dict.fromkeys(given.get("events", ()))),
        )
        started = replay.start(
            public_id_in_path(Endpoint, webhook),
            wanted,
            dry_run=given["dry_run"],
            **request.about,
        )
        # If this message is lost, beat's next one starts the job.
        transaction.on_commit(go_on.delay, robust=True)
        return self.shown(started, status=202)


class Replays(Lists, Reads):
    """The replays of the workspace and their progress."""

    queryset = Replay.objects.all()
    serializer_class = ReplayShown
    filters = ReplayFilters
    scope_to_write = ApiKey.Scope.WEBHOOKS

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if webhook_id := asked.pop("webhook_id", None):
            asked["endpoint_id"] = webhook_id
        return rows.filter(**asked)

    @extend_schema(request=Stop, responses=ReplayShown)
    @action(detail=True, methods=["post"])
    @idempotent
    def stop(self, request: ApiRequest, pk: str) -> Response:
        """Stop a replay; deliveries that it opened again are still sent."""
        return self.shown(replay.stop(self.named_id(), **request.about, **self.given(Stop)))
