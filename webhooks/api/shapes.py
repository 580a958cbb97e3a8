"""Endpoints and deliveries as JSON: requests, in our spelling or the reference's, and answers."""

import json
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dialer.workspaces.api.fields import (
    InstantField,
    NumberField,
    ObjectField,
    OneOfField,
    PublicIdField,
    TextField,
    TruthField,
    WholeNumberField,
)
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.ids import MalformedId, parse_public_id, public_id
from dialer.workspaces.values import LONGEST_NAME
from webhooks import endpoints
from webhooks.endpoint_settings import LONGEST_DESCRIPTION, LONGEST_SECRET, SCOPE_PREFIXES
from webhooks.hidden_endpoints import INLINE_FIELDS
from webhooks.models import BOUNDS, Delivery, DeliveryAttempt, Endpoint, Event
from webhooks.models.endpoints import LEAST_RATE_PER_SECOND, MAX_RATE_PER_SECOND
from webhooks.rules.classify import RETRYABLE_STATUSES
from webhooks.rules.custom_headers import MASK, masked
from webhooks.rules.destination import MAX_URL
from webhooks.rules.signature import standard_form
from webhooks.rules.statuses import (
    ALL_EVENTS,
    CHOSEN_PROFILES,
    EVENT_TYPES,
    TEST_EVENT,
    BatchType,
    DeliveryStatus,
    Profile,
    ScopeType,
    SigningMethod,
)

_GLOBAL = "global"
"""The reference's word for the scope of a workspace."""


class EndpointChange(Strict):
    """The settings of an endpoint; a field that is left out stays as it is."""

    name = TextField(required=False, max_length=LONGEST_NAME)
    url = TextField(required=False, max_length=MAX_URL, help_text="http or https, without a user or password")
    events = serializers.ListField(
        child=OneOfField([ALL_EVENTS, *EVENT_TYPES, *BatchType]),
        required=False,
        allow_empty=False,
        help_text="`*` means all; with the profile `batch` one of its five types, or the events that they stand for",
    )
    scope_type = OneOfField([*(scope.value for scope in ScopeType), _GLOBAL], required=False)
    scope_id = TextField(required=False, allow_null=True, help_text="The persona (`per_…`) or campaign (`camp_…`)")
    persona_id = PublicIdField(
        SCOPE_PREFIXES[ScopeType.PERSONA], required=False, help_text="Another way to say `scope_id`"
    )
    campaign_id = PublicIdField(
        SCOPE_PREFIXES[ScopeType.CAMPAIGN], required=False, help_text="Another way to say `scope_id`"
    )
    profile = OneOfField([profile.value for profile in CHOSEN_PROFILES], required=False)
    description = TextField(required=False, allow_blank=True, max_length=LONGEST_DESCRIPTION)
    is_active = TruthField(required=False)
    signing_method = OneOfField([method.value for method in SigningMethod], required=False)
    secret = TextField(
        required=False,
        allow_null=True,
        max_length=LONGEST_SECRET,
        trim_whitespace=False,
        help_text="One is made if left out; shown in the answer to this request only",
    )
    timeout_seconds = NumberField(required=False, within=BOUNDS["timeout_seconds"])
    timeout_ms = WholeNumberField(
        required=False,
        min_value=BOUNDS["timeout_seconds"][0] * 1000,
        max_value=BOUNDS["timeout_seconds"][-1] * 1000,
        help_text="Another way to say `timeout_seconds`",
    )
    max_retries = WholeNumberField(required=False, within=BOUNDS["max_retries"])
    backoff_ms = WholeNumberField(required=False, within=BOUNDS["backoff_ms"])
    max_in_flight = WholeNumberField(required=False, within=BOUNDS["max_in_flight"])
    rate_per_second = NumberField(
        required=False, allow_null=True, min_value=LEAST_RATE_PER_SECOND, max_value=MAX_RATE_PER_SECOND
    )
    retry_on = serializers.ListField(
        child=WholeNumberField(min_value=min(RETRYABLE_STATUSES), max_value=max(RETRYABLE_STATUSES)),
        required=False,
        help_text=f"Retried in addition to 5xx: {', '.join(str(status) for status in sorted(RETRYABLE_STATUSES))}",
    )
    auto_recover = TruthField(
        required=False,
        help_text="When it answers again, deliveries of the last 24 hours that failed temporarily are sent once more",
    )
    ordered = TruthField(
        required=False,
        help_text="Events of a chain are sent one after the other, each when the one before is delivered or failed",
    )
    custom_headers = ObjectField(
        required=False,
        help_text=f"Names and values of additional headers, all of them; the value `{MASK}` keeps the stored one",
    )
    batch_size = WholeNumberField(
        required=False, within=BOUNDS["batch_size"], help_text="Maximum number of items in an array (100)"
    )
    batchSize = WholeNumberField(  # noqa: N815 — the reference's spelling
        required=False, within=BOUNDS["batch_size"], help_text="Another way to say `batch_size`"
    )
    batch_wait_seconds = NumberField(
        required=False,
        within=BOUNDS["batch_wait_seconds"],
        help_text="How long the first item of an array waits for others (5)",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Translate the reference's spellings to ours."""
        given = dict(attrs)
        if "timeout_ms" in given:
            _refuse_both(given, "timeout_ms", "timeout_seconds")
            given["timeout_seconds"] = given.pop("timeout_ms") / 1000
        if "batchSize" in given:
            _refuse_both(given, "batchSize", "batch_size")
            given["batch_size"] = given.pop("batchSize")
        if given.get("scope_type") == _GLOBAL:
            given["scope_type"] = ScopeType.WORKSPACE.value
        scopes = {"persona_id": ScopeType.PERSONA.value, "campaign_id": ScopeType.CAMPAIGN.value}
        for name, scope in scopes.items():
            if name in given:
                _refuse_both(given, name, "scope_id")
                if given.setdefault("scope_type", scope) != scope:
                    raise serializers.ValidationError({name: [f"contradicts the scope_type {given['scope_type']}"]})
                given["scope_id"] = given.pop(name)
        if isinstance(given.get("scope_id"), str):
            given["scope_id"] = _read_scope(given["scope_id"], given.get("scope_type"))
        return given


class NewEndpoint(EndpointChange):
    """A new endpoint; a field that is left out gets its default."""

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        for name in ("name", "url", "events"):
            fields[name].required = True
        return fields


class InlineWebhook(EndpointChange):
    """A webhook given with a call or a campaign; only for the schema."""

    def get_fields(self) -> dict[str, Any]:
        fields = {name: field for name, field in super().get_fields().items() if name in INLINE_FIELDS}
        for name in ("url", "events"):
            fields[name].required = True
        return fields


class Test(Strict):
    event = OneOfField(
        [*EVENT_TYPES, *BatchType],
        required=False,
        default=TEST_EVENT,
        help_text="Type of the sample event (`webhook.test`), or of an item for an endpoint that takes arrays",
    )


class Curl(serializers.Serializer[Any]):
    curl = serializers.CharField(
        help_text="A command for a shell; `$WEBHOOK_SECRET` stands for a secret, `$X_API_KEY` for a custom header"
    )


class Rotation(Strict):
    secret = TextField(
        required=False, max_length=LONGEST_SECRET, trim_whitespace=False, help_text="One is made if left out"
    )


class Replayed(serializers.Serializer[Any]):
    items = serializers.IntegerField(help_text="How many items are sent separately")


class EndpointFilters(Filters):
    is_active = OneOfField(["true", "false"], required=False)


class Stats(serializers.Serializer[Any]):
    total_deliveries = serializers.IntegerField(help_text="Settled, whether delivered or failed")
    failed_deliveries = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="Percent; null before the first delivery")


class EndpointShown(serializers.Serializer[Any]):
    """An endpoint; secrets are never shown again."""

    id = PublicIdField(Endpoint.public_prefix)
    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    scope_type = serializers.ChoiceField([scope.value for scope in ScopeType])
    scope_id = serializers.SerializerMethodField()
    profile = serializers.ChoiceField([profile.value for profile in Profile])
    description = serializers.CharField()
    is_active = serializers.BooleanField()
    signing_method = serializers.ChoiceField([method.value for method in SigningMethod])
    timeout_seconds = serializers.FloatField()
    max_retries = serializers.IntegerField()
    backoff_ms = serializers.IntegerField()
    max_in_flight = serializers.IntegerField()
    rate_per_second = serializers.FloatField(allow_null=True)
    retry_on = serializers.ListField(child=serializers.IntegerField())
    auto_recover = serializers.BooleanField()
    ordered = serializers.BooleanField(help_text="Events of a chain are sent one after the other")
    custom_headers = serializers.SerializerMethodField(
        help_text="Names; the values are stored encrypted and never shown"
    )
    batch_size = serializers.IntegerField()
    batch_wait_seconds = serializers.FloatField()
    rotated_at = InstantField(allow_null=True, help_text="When the secret was rotated that waits to be promoted")
    wants_promotion = serializers.SerializerMethodField(help_text="True when it has waited for a day")
    stats = serializers.SerializerMethodField()
    last_delivery_at = InstantField(allow_null=True, help_text="When something was last delivered")
    last_error = serializers.CharField(help_text="Empty if there was none")
    last_error_at = InstantField(allow_null=True)
    failing_since = InstantField(allow_null=True, help_text="First failure since the last success")
    failures_in_a_row = serializers.IntegerField(source="failure_run")
    next_probe_at = InstantField(
        source="open_until",
        allow_null=True,
        help_text="Set while it keeps failing: nothing is sent before, then one delivery at a time until one succeeds",
    )
    paused_at = InstantField(allow_null=True, help_text="Deliveries wait since then")
    disabled_at = InstantField(allow_null=True, help_text="Switched off by Ringback after five days without a delivery")
    created_at = InstantField()

    def get_wants_promotion(self, row: Endpoint) -> bool:
        return endpoints.wants_promotion(row, now=self.context["request"].now)

    @extend_schema_field({"type": "string", "nullable": True})
    def get_scope_id(self, row: Endpoint) -> str | None:
        return None if row.scope_id is None else public_id(SCOPE_PREFIXES[row.scope_type], row.scope_id)

    def get_custom_headers(self, row: Endpoint) -> dict[str, str]:
        return masked(row.custom_headers)

    @extend_schema_field(Stats)
    def get_stats(self, row: Endpoint) -> dict[str, Any]:
        total = row.delivered_count + row.failed_count
        return {
            "total_deliveries": total,
            "failed_deliveries": row.failed_count,
            "success_rate": row.success_percent,
        }


class EndpointWithSecret(EndpointShown):
    """An endpoint with a secret that was just made or given; shown only once."""

    secret = serializers.SerializerMethodField()
    standard_secret = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "nullable": True, "description": "Null if none was made or given"})
    def get_secret(self, _: Endpoint) -> str | None:
        secret: str | None = self.context["secret"]
        return secret

    @extend_schema_field(
        {"type": "string", "nullable": True, "description": "In the form of Standard Webhooks libraries (`whsec_…`)"}
    )
    def get_standard_secret(self, row: Endpoint) -> str | None:
        secret: str | None = self.context["secret"]
        return standard_form(secret) if secret and SigningMethod(row.signing_method).is_hmac else None


class DeliveryFilters(Filters):
    status = OneOfField([status.value for status in DeliveryStatus], required=False)
    event = OneOfField([*EVENT_TYPES, *BatchType], required=False, help_text="For batches the type of their items")
    event_id = PublicIdField(Event.public_prefix, required=False)
    call_id = PublicIdField("call", required=False)


class AllDeliveryFilters(DeliveryFilters):
    webhook_id = PublicIdField(Endpoint.public_prefix, required=False)


class DeliveryShown(serializers.Serializer[Any]):
    """One event, or a batch of them, for one endpoint."""

    id = PublicIdField(Delivery.public_prefix)
    webhook_id = PublicIdField(Endpoint.public_prefix, source="endpoint_id")
    event_id = PublicIdField(Event.public_prefix, allow_null=True, help_text="Null for a batch")
    event = serializers.CharField(source="event_type", help_text="The value of the event header")
    call_id = PublicIdField("call", source="event.call_id", allow_null=True, default=None)
    status = serializers.ChoiceField([status.value for status in DeliveryStatus])
    attempts = serializers.IntegerField(source="generation", help_text="Number of attempts started")
    waits_for = PublicIdField(
        Delivery.public_prefix,
        allow_null=True,
        default=None,
        help_text="The delivery of the same chain that has to be delivered, or to fail, before this one is sent",
    )
    due_at = InstantField(help_text="Time of the next attempt; if settled, of the last")
    last_attempt_at = InstantField(allow_null=True)
    last_status_code = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(help_text="`http_503`, `timeout`, …; empty if there was none")
    settled_at = InstantField(allow_null=True)
    created_at = InstantField()


class AttemptShown(serializers.Serializer[Any]):
    """One request and its answer; times are milliseconds from its start."""

    number = serializers.IntegerField()
    started_at = InstantField()
    url = serializers.CharField()
    address = serializers.CharField(allow_null=True, help_text="The address that was dialled; null if none was")
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    error_detail = serializers.CharField()
    dns_ms = serializers.FloatField(allow_null=True)
    connect_ms = serializers.FloatField(allow_null=True)
    tls_ms = serializers.FloatField(allow_null=True)
    first_byte_ms = serializers.FloatField(allow_null=True)
    total_ms = serializers.FloatField()
    answer = serializers.SerializerMethodField(help_text="The first 16 KiB of the body; invalid UTF-8 is replaced")

    def get_answer(self, row: DeliveryAttempt) -> str:
        return bytes(row.answer).decode(errors="replace")


class DeliveryInFull(DeliveryShown):
    """A delivery with its payload and its newest attempts, the newest first."""

    payload = serializers.SerializerMethodField(help_text="An array for a batch")
    attempts_made = AttemptShown(many=True)

    @extend_schema_field({"type": ["object", "array"], "additionalProperties": {}, "items": {}})
    def get_payload(self, row: Delivery) -> object:
        return json.loads(row.sent_body)


def _refuse_both(given: dict[str, Any], name: str, other: str) -> None:
    if other in given:
        raise serializers.ValidationError({name: [f"means the same as {other}; give one of them"]})


def _read_scope(text: str, scope: str | None) -> UUID:
    prefixes = [SCOPE_PREFIXES[scope]] if scope in SCOPE_PREFIXES else list(SCOPE_PREFIXES.values())
    for prefix in prefixes:
        try:
            return parse_public_id(prefix, text)
        except MalformedId:
            continue
    forms = " or ".join(f"{prefix}_…" for prefix in prefixes)
    raise serializers.ValidationError({"scope_id": [f"must be an id of the form {forms}"]})
