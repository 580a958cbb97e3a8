"""Requests and answers of the callback queue's routes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from callbacks.models import Callback
from callbacks.queue_views import GRACE, MOST_COUNTED, QUEUES
from callbacks.rules.explanation import Code
from callbacks.rules.statuses import PROMISES, CallbackStatus, CallbackType
from dialer.api.campaign_contacts import WaitingShown
from dialer.api.shapes import LONGEST_REASON, NameAsked, NumberAsked, PreviewScheduleField, Reason, ScheduleField
from dialer.dialing.waiting import Waiting
from dialer.models import Campaign, Contact, Persona, RetryPolicy
from dialer.rules import phone_number
from dialer.rules.statuses import Outcome
from dialer.rules.waits import FORCEABLE
from dialer.workspaces.api.fields import (
    InstantField,
    LocalTimeField,
    OneOfField,
    PublicIdField,
    ReferenceField,
    TextField,
    TruthField,
)
from dialer.workspaces.api.periods import Period
from dialer.workspaces.api.serializers import Strict

LONGEST_NOTES = 2000
MOST_OUTCOMES = 60
LONGEST_ID = 18
FORM_OF_ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 10**LONGEST_ID - 1}


@extend_schema_field(FORM_OF_ID)
class CallbackIdField(serializers.IntegerField):
    """The id of a callback."""


class Time(Strict):
    """A time to call at: an instant, or a time on the contact's own clock."""

    scheduled_at = InstantField(required=False, help_text="With an offset; up to 30 days ahead")
    local_time = LocalTimeField(required=False, help_text="On the contact's own clock, in place of scheduled_at")
    notes = TextField(required=False, default="", allow_blank=True, max_length=LONGEST_NOTES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("scheduled_at" in attrs) == ("local_time" in attrs):
            raise serializers.ValidationError({"scheduled_at": ["give either scheduled_at or local_time"]})
        return attrs


class Forcing(Strict):
    """Checks that one call may pass; needs an ``admin`` key and a reason."""

    force = serializers.ListField(
        child=OneOfField(FORCEABLE), required=False, help_text="Checks to pass once; needs an admin key and a reason"
    )
    reason = TextField(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs.get("force") and not attrs["reason"]:
            raise serializers.ValidationError({"reason": ["is required with force"]})
        return attrs


class CallbackRequested(Time):
    """What a voice agent sends while it talks to the contact."""


class CallbackMade(Forcing, Time):
    """A promise made by hand, or for a contact who requested it."""

    contact_id = ReferenceField(Contact, only={"deleted_at": None})
    campaign_id = ReferenceField(Campaign, required=False, allow_null=True)
    persona_id = ReferenceField(Persona, only={"archived_at": None}, required=False, allow_null=True)
    type = OneOfField([kind.value for kind in PROMISES], default=CallbackType.MANUAL.value)
    replace = TruthField(default=False, help_text="Replace a pending retry, never a promise")


class CalledNow(Forcing):
    """An operator wants the call at once."""


class Rescheduled(Forcing):
    """An operator names another time."""

    scheduled_at = InstantField(help_text="With an offset; up to 30 days ahead")


class Acted(Reason):
    """An operator skips, cancels or completes."""


class Edited(Reason):
    """An operator writes notes or assigns a persona; a field that is left out stays."""

    notes = TextField(required=False, allow_blank=True, max_length=LONGEST_NOTES)
    persona_id = ReferenceField(
        Persona, only={"archived_at": None}, required=False, allow_null=True, help_text="null: none assigned"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & {"notes", "persona_id"}:
            raise serializers.ValidationError({"notes": ["give notes or persona_id"]})
        return attrs


class CalledBack(Forcing):
    """When to call again after a call of unknown outcome; at once if no time is given."""

    scheduled_at = InstantField(required=False, help_text="With an offset; up to 30 days ahead")
    local_time = LocalTimeField(required=False, help_text="On the contact's own clock, in place of scheduled_at")
    notes = TextField(required=False, default="", allow_blank=True, max_length=LONGEST_NOTES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "scheduled_at" in attrs and "local_time" in attrs:
            raise serializers.ValidationError({"scheduled_at": ["give either scheduled_at or local_time"]})
        return attrs


class CallbackFilters(Period):
    """Which callbacks a list shows; ``since`` and ``until`` limit ``scheduled_at``."""

    other_names = {"campaign": "campaign_id", "persona": "persona_id"}
    former_names = {"contact": "contact_id"}

    queue = OneOfField(QUEUES, required=False, help_text="Pending ones by urgency, in the workspace's time zone")
    status = OneOfField([status.value for status in CallbackStatus], required=False)
    type = OneOfField([kind.value for kind in CallbackType], required=False)
    outcome = OneOfField([outcome.value for outcome in Outcome], required=False, help_text="Of the call it follows")
    campaign_id = PublicIdField(Campaign.public_prefix, required=False)
    persona_id = PublicIdField(Persona.public_prefix, required=False)
    contact_id = PublicIdField(Contact.public_prefix, required=False)
    phone = NumberAsked(required=False, help_text="The contact's")
    name = NameAsked(required=False)


class CountShown(serializers.Serializer[int]):
    """How many callbacks a queue holds; counting stops at a limit."""

    count = serializers.IntegerField()
    is_more = serializers.BooleanField(help_text="There are more; they were not counted")

    def to_representation(self, instance: int) -> dict[str, Any]:
        return {"count": min(instance, MOST_COUNTED), "is_more": instance > MOST_COUNTED}


class CountsShown(serializers.Serializer[Mapping[str, int]]):
    """The queues with their counts."""

    overdue = CountShown()
    due_today = CountShown()
    this_week = CountShown()
    all_pending = CountShown()


class CampaignPreviewAsked(Strict):
    """What would happen to a contact of the campaign in the path."""

    other_names = {"timezone": "time_zone"}

    first_attempt_at = InstantField(help_text="When the first call starts; never moved")
    outcomes = serializers.ListField(
        child=OneOfField([outcome.value for outcome in Outcome]), min_length=1, max_length=MOST_OUTCOMES
    )
    phone = TextField(required=False, help_text="E.164; gives the time zones where time_zone does not")
    time_zone = TextField(required=False, max_length=64, help_text="The contact's own IANA zone")
    call = ScheduleField(required=False, default=dict)

    def validate_phone(self, value: str) -> str:
        try:
            return phone_number.parse(value)
        except ValueError as refused:
            raise serializers.ValidationError(str(refused)) from refused

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "phone" not in attrs and "time_zone" not in attrs:
            raise serializers.ValidationError({"phone": ["give phone or time_zone"]})
        return attrs


class PolicyPreviewAsked(CampaignPreviewAsked):
    """What would happen under the policy in the path."""

    schedule = PreviewScheduleField(required=False, default=dict)


class PreviewAsked(PolicyPreviewAsked):
    """What would happen."""

    retry_policy_id = ReferenceField(RetryPolicy, required=False, allow_null=True)


class StepShown(serializers.Serializer[Any]):
    """One step of an explanation."""

    code = serializers.ChoiceField([code.value for code in Code])
    text = serializers.CharField()
    level = serializers.CharField(allow_null=True, help_text="The level that decided: call, campaign, policy, …")
    at = InstantField(help_text="When it was decided")
    to = InstantField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        # ``from`` is a keyword of Python, so it cannot be declared as an attribute.
        return {**super().get_fields(), "from": InstantField(allow_null=True)}


class _PreviewedAttempt(serializers.Serializer[Any]):
    attempt_number = serializers.IntegerField()
    at = InstantField()
    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome], allow_null=True)
    explanation = StepShown(many=True)


class _StopShown(serializers.Serializer[Any]):
    reason = serializers.CharField()
    after_attempt = serializers.IntegerField()


class PreviewShown(serializers.Serializer[Any]):
    """The attempts, and why the chain stops; only for the schema, since the preview's dict is sent unchanged."""

    timezone = serializers.CharField()
    timezone_source = serializers.CharField()
    attempts = _PreviewedAttempt(many=True)
    stop = _StopShown(allow_null=True)


class _ContactShown(serializers.Serializer[Any]):
    id = PublicIdField(Contact.public_prefix)
    name = serializers.CharField()
    phone = serializers.CharField()


class _CampaignShown(serializers.Serializer[Any]):
    id = PublicIdField(Campaign.public_prefix)
    name = serializers.CharField()
    status = serializers.CharField()


class _PersonaShown(serializers.Serializer[Any]):
    id = PublicIdField(Persona.public_prefix)
    name = serializers.CharField()


class _RetryShown(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    limit = serializers.IntegerField()
    text = serializers.CharField(help_text="Retry 2 of 3")


class CallbackShown(serializers.Serializer[Callback]):
    """A row of the queue.

    The context holds ``now``, the workspace's ``time_zone``, and ``waiting``: why a due row is not being dialled.
    """

    id = CallbackIdField()
    type = serializers.ChoiceField([kind.value for kind in CallbackType])
    status = serializers.ChoiceField([status.value for status in CallbackStatus])
    contact = _ContactShown()
    campaign = _CampaignShown(allow_null=True)
    persona = _PersonaShown(source="call.persona")
    call_id = PublicIdField("call", help_text="The call that is promised")
    origin_call_id = PublicIdField("call", allow_null=True, help_text="The call that it follows")
    original_outcome = serializers.SerializerMethodField()
    retry = serializers.SerializerMethodField()
    scheduled_at = InstantField()
    scheduled_at_contact = serializers.SerializerMethodField(help_text="On the contact's clock")
    scheduled_at_workspace = serializers.SerializerMethodField(help_text="On the workspace's clock")
    local_time = serializers.SerializerMethodField(help_text="As the contact said it")
    time_zone = serializers.CharField()
    timezone_source = serializers.CharField()
    adjusted_from = InstantField(allow_null=True)
    adjusted_reason = serializers.SerializerMethodField()
    seconds_late = serializers.SerializerMethodField()
    is_overdue = serializers.SerializerMethodField(help_text="Late by more than a minute")
    waiting = serializers.SerializerMethodField(help_text="Why it is due and not being dialled")
    notes = serializers.CharField()
    explanation = StepShown(many=True)
    completed_by = serializers.SerializerMethodField()
    dialled_at = InstantField(allow_null=True)
    created_at = InstantField()
    updated_at = InstantField()

    @extend_schema_field({"type": "string", "nullable": True, "enum": [*(o.value for o in Outcome), None]})
    def get_original_outcome(self, callback: Callback) -> str | None:
        return callback.original_outcome or None

    @extend_schema_field(_RetryShown(allow_null=True))
    def get_retry(self, callback: Callback) -> dict[str, Any] | None:
        if callback.number is None:
            return None
        text = f"Retry {callback.number} of {callback.limit}"
        return {"number": callback.number, "limit": callback.limit, "text": text}

    @extend_schema_field({"type": "string", "format": "date-time"})
    def get_scheduled_at_contact(self, callback: Callback) -> str:
        return callback.scheduled_at.astimezone(ZoneInfo(callback.time_zone or "UTC")).isoformat()

    @extend_schema_field({"type": "string", "format": "date-time"})
    def get_scheduled_at_workspace(self, callback: Callback) -> str:
        return callback.scheduled_at.astimezone(ZoneInfo(self.context["time_zone"])).isoformat()

    @extend_schema_field({"type": "string", "nullable": True})
    def get_local_time(self, callback: Callback) -> str | None:
        return callback.local_time or None

    @extend_schema_field({"type": "string", "nullable": True})
    def get_adjusted_reason(self, callback: Callback) -> str | None:
        return callback.adjusted_reason or None

    def get_seconds_late(self, callback: Callback) -> int:
        return max(int(self._late(callback)), 0)

    def get_is_overdue(self, callback: Callback) -> bool:
        return self._late(callback) > GRACE.total_seconds()

    @extend_schema_field(WaitingShown(allow_null=True))
    def get_waiting(self, callback: Callback) -> dict[str, Any] | None:
        waiting: Mapping[int, Waiting] = self.context["waiting"]
        why = waiting.get(callback.pk)
        if why is None:
            return None
        at = InstantField().to_representation(why.next_possible_at) if why.next_possible_at else None
        return {"code": why.code, "text": why.text, "next_possible_at": at}

    @extend_schema_field({"type": "string", "nullable": True})
    def get_completed_by(self, callback: Callback) -> str | None:
        return callback.completed_by or None

    def _late(self, callback: Callback) -> float:
        if callback.status != CallbackStatus.PENDING:
            return 0
        now: datetime = self.context["now"]
        return (now - callback.scheduled_at.astimezone(UTC)).total_seconds()


class CallbackScheduled(CallbackShown):
    """A promise just made: the row, what it replaced, and what holds it."""

    superseded_id = serializers.SerializerMethodField(help_text="The callback that it replaced")
    held_by = serializers.SerializerMethodField(help_text="What currently keeps it from being dialled")

    @extend_schema_field(CallbackIdField(allow_null=True))
    def get_superseded_id(self, _: Callback) -> int | None:
        superseded: int | None = self.context["superseded_id"]
        return superseded

    @extend_schema_field({"type": "string", "nullable": True})
    def get_held_by(self, _: Callback) -> str | None:
        return self.context["held_by"] or None
