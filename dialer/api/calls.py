"""Routes of calls: create, list, read, cancel, and what the conversation reports about them."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from dialer.api.campaigns import Config, ShownConfig
from dialer.api.destinations import destinations_checked
from dialer.api.shapes import NameAsked, NumberAsked, PhoneField, Reason, ScheduleField, contacts_found
from dialer.calls import calls
from dialer.dialing import conversation, single_calls
from dialer.dialing.conversation import LONGEST_SUMMARY, LONGEST_TRANSCRIPT, LONGEST_URL
from dialer.models import Call, Campaign, CampaignContact, Contact, Line, Persona
from dialer.rules.statuses import CallStatus, Direction, Outcome
from dialer.tasks import hang_up
from dialer.workspaces.api.fields import (
    InstantField,
    NumberField,
    ObjectField,
    OneOfField,
    PublicIdField,
    ReferenceField,
    TextField,
    TruthField,
)
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.periods import ListsByTime, Period
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Nothing, Strict
from dialer.workspaces.api.views import Reads
from dialer.workspaces.models import ApiKey
from dialer.workspaces.values import LONGEST_NAME

_STATUSES = [status.value for status in CallStatus]


class CallSerializer(serializers.Serializer[Any]):
    id = PublicIdField(Call.public_prefix)
    conversation_id = TextField()
    chain_id = PublicIdField(CampaignContact.public_prefix)
    direction = serializers.ChoiceField(choices=[direction.value for direction in Direction])
    contact_id = PublicIdField(Contact.public_prefix)
    campaign_id = PublicIdField(Campaign.public_prefix, allow_null=True)
    persona_id = PublicIdField(Persona.public_prefix)
    line_id = PublicIdField(Line.public_prefix)
    number = TextField()
    caller_id = TextField()
    attempt_number = serializers.IntegerField()
    status = serializers.ChoiceField(choices=_STATUSES)
    outcome = serializers.ChoiceField(choices=["", *(outcome.value for outcome in Outcome)])
    ended_reason = TextField()
    hanging_up = serializers.BooleanField(
        source="is_hanging_up", help_text="It was cancelled while it was live: the carrier is asked to hang up"
    )
    due_at = InstantField(help_text="When the dispatcher looks at the call next")
    held_reason = TextField(help_text="Why it was last held, or withdrawn")
    queued_at = InstantField()
    dialing_at = InstantField(allow_null=True, help_text="When it was handed to the carrier")
    ringing_at = InstantField(allow_null=True)
    answered_at = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)
    handled_at = InstantField(allow_null=True, help_text="When a person handled its unknown outcome")
    duration_seconds = serializers.IntegerField(allow_null=True)
    recording_url = TextField(allow_null=True)
    call = ScheduleField(source="schedule", help_text="Settings of the call itself")
    config = ShownConfig(source="*")
    metadata = ObjectField()


class CallDetail(CallSerializer):
    transcript = TextField(allow_null=True)
    analysis = ObjectField(allow_null=True)


class NewCallSerializer(CallDetail):
    """A call that was just queued, with every shift of its time and the reason."""

    adjusted_from = InstantField(allow_null=True)
    adjusted_reason = TextField()

    def to_representation(self, instance: single_calls.Created) -> dict[str, Any]:
        moved = instance.adjusted_from
        return {
            **CallDetail(instance.call).data,
            "adjusted_from": InstantField().to_representation(moved) if moved else None,
            "adjusted_reason": instance.adjusted_reason,
        }


class CalledContact(Strict):
    name = TextField(required=False, default="", allow_blank=True, max_length=LONGEST_NAME)
    phone = PhoneField()


class NewCall(Strict):
    """Takes either ``contact_id`` or ``contact``: the newest contact with that number, else a new one."""

    contact_id = ReferenceField(Contact, only={"deleted_at": None}, required=False)
    contact = CalledContact(required=False)
    persona_id = PublicIdField(Persona.public_prefix, required=False, help_text="Default: the only one")
    line_id = PublicIdField(Line.public_prefix, required=False, help_text="Default: the default line")
    call = ScheduleField(required=False, default=dict, help_text="Settings of this call and of its retries")
    config = Config(required=False, default=dict)
    scheduled_at = InstantField(required=False, help_text="Default: now")
    metadata = ObjectField(required=False, default=dict)


class Recording(Strict):
    transcript = TextField(required=False, allow_blank=True, max_length=LONGEST_TRANSCRIPT, trim_whitespace=False)
    recording_url = TextField(required=False, max_length=LONGEST_URL)


class Analysis(Strict):
    summary = TextField(required=False, allow_blank=True, max_length=LONGEST_SUMMARY)
    outcome_id = TextField(required=False, max_length=64, help_text="Becomes the contact's status")
    score = NumberField(required=False, allow_null=True)
    structured_data = ObjectField(required=False)
    flow = serializers.JSONField(required=False)
    flow_completed = TruthField(required=False)
    last_step_name = TextField(required=False, allow_blank=True, max_length=LONGEST_NAME)
    requests = serializers.ListField(child=serializers.JSONField(), required=False)
    in_call_tools = serializers.ListField(child=serializers.JSONField(), required=False)
    post_call_actions = serializers.ListField(child=serializers.JSONField(), required=False)
    replace = TruthField(required=False, default=False, help_text="Replace the existing analysis")


class _FoundBy(Period):
    number = NumberAsked(required=False, help_text="Called, or the contact's if it is still queued")
    name = NameAsked(required=False)


class CallFilter(_FoundBy):
    status = OneOfField(
        choices=_STATUSES, required=False, help_text="Without it, withdrawn calls are left out: nobody was called"
    )
    outcome = OneOfField(choices=[outcome.value for outcome in Outcome], required=False)
    direction = OneOfField(choices=[direction.value for direction in Direction], required=False)
    campaign_id = PublicIdField(Campaign.public_prefix, required=False)
    contact_id = PublicIdField(Contact.public_prefix, required=False)
    persona_id = PublicIdField(Persona.public_prefix, required=False)
    chain_id = PublicIdField(CampaignContact.public_prefix, required=False)
    needs_a_person = OneOfField(
        choices=["true"], required=False, help_text="Calls that ended `unknown` and that nobody has handled"
    )


class InboundCallFilter(_FoundBy):
    outcome = OneOfField(choices=[outcome.value for outcome in Outcome], required=False)
    campaign_id = PublicIdField(Campaign.public_prefix, required=False)
    contact_id = PublicIdField(Contact.public_prefix, required=False)
    line_id = PublicIdField(Line.public_prefix, required=False)


class _ListsCalls(ListsByTime):
    """Lists of calls: by number and name of the contact, and by when they were handed over or rang us."""

    time_column = "dialing_at"
    orderings = ("-id", "id", "-dialing_at", "dialing_at")

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        rows = self.within(rows, asked)
        if "number" in asked:
            rows = rows.filter(self._to_number(asked.pop("number")))
        if "name" in asked:
            rows = rows.filter(contact_id__in=contacts_found(self.request.workspace_id, "name", asked.pop("name")))
        return rows.filter(**asked).defer("transcript", "analysis")

    def _to_number(self, number: str) -> Q:
        queued = Q(dialing_at=None, contact_id__in=contacts_found(self.request.workspace_id, "number", number))
        return Q(dialing_at__isnull=False, number=number) | queued


class Calls(_ListsCalls, Reads):
    """Attempts to reach a contact, and calls received."""

    queryset = Call.objects.all()
    serializer_class = CallSerializer
    filters = CallFilter
    scope_to_write = ApiKey.Scope.CALLS

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if asked.pop("needs_a_person", None):
            rows = rows.filter(outcome=Outcome.UNKNOWN.value, handled_at=None)
        if "status" not in asked:
            rows = rows.exclude(status=CallStatus.WITHDRAWN.value)  # nobody was called
        return super().filtered(rows, asked)

    @extend_schema(responses=CallDetail)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        call: Call = self.get_object()
        conversation.note_reading(call, actor=request.actor, now=request.now)
        return self.shown(call, CallDetail)

    @extend_schema(
        request=NewCall,
        responses={201: NewCallSerializer},
        description="Queues a call; outside the window it is moved to the next opening, and the answer says so.",
    )
    @destinations_checked
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        given = self.given(NewCall)
        contact: Contact | None = given.get("contact_id")
        created = single_calls.create(
            **request.about,
            contact_id=contact.pk if contact else None,
            contact=given.get("contact"),
            persona_id=given.get("persona_id"),
            line_id=given.get("line_id"),
            schedule=given["call"],
            scheduled_at=given.get("scheduled_at"),
            config_webhooks=given["config"].get("webhooks"),
            metadata=given["metadata"],
        )
        return self.shown(created, NewCallSerializer, status=201)

    @extend_schema(request=Reason, responses=CallDetail)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str) -> Response:
        """Stop a call: a queued one ends at once; for a live one, a worker asks the carrier to hang up."""
        call = calls.cancel(self.named_id(), **request.about, **self.given(Reason))
        if call.is_hanging_up:
            transaction.on_commit(hang_up.delay, robust=True)
        return self.shown(call, CallDetail)

    @extend_schema(operation_id="calls_add_recording", request=Recording, responses=CallDetail)
    @action(detail=True, methods=["post"], url_path="recording")
    def add_recording(self, request: ApiRequest, pk: str) -> Response:
        """Keep the transcript or the address of the recording."""
        return self.shown(self.do(conversation.add_recording, Recording), CallDetail)

    @extend_schema(request=Nothing, responses=CallDetail)
    @action(detail=True, methods=["post"], url_path="request-dnc")
    def request_dnc(self, request: ApiRequest, pk: str) -> Response:
        """Suppress the number at once because the contact asked in this call not to be called."""
        return self.shown(self.do(conversation.request_dnc), CallDetail)

    @extend_schema(request=Analysis, responses=CallDetail)
    @action(detail=True, methods=["post"])
    def analysis(self, request: ApiRequest, pk: str) -> Response:
        """Keep the analysis of a talk that is over; replaces an earlier one only with `replace`."""
        given = self.given(Analysis)
        replace = given.pop("replace")
        analyzed = conversation.add_analysis(self.named_id(), given, replace=replace, **request.about)
        return self.shown(analyzed, CallDetail)


class InboundCalls(_ListsCalls):
    """Received calls."""

    queryset = Call.objects.filter(direction=Direction.INBOUND.value)
    serializer_class = CallSerializer
    filters = InboundCallFilter
