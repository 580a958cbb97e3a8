"""Serializer fields and bodies that several resources share: schedules, rules, limits, webhooks, reasons."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from dialer.api.components import reference
from dialer.contacts import finding
from dialer.contacts.finding import MOST_FOUND
from dialer.models import Contact
from dialer.rules import phone_number
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.fields import ObjectField, TextField
from dialer.workspaces.api.serializers import Strict
from dialer.workspaces.values import LONGEST_NAME
from webhooks.api.shapes import InlineWebhook

LONGEST_REASON = 500
LONGEST_PHONE = 64


class ShapedField(ObjectField):
    """Settings that the domain module checks; ``component`` names their shape in the schema."""

    component: ClassVar[str]
    has_other_spelling: ClassVar[bool] = True
    """Whether a request may spell it otherwise than an answer does; its component then ends with ``Request``."""


class ScheduleField(ShapedField):
    """A schedule in either spelling."""

    component = "Schedule"


class ZonedScheduleField(ScheduleField):
    """A schedule with a time zone, which requests may also call ``timezone``."""

    default_error_messages = {"twice": "has time_zone and timezone, which mean the same; give one of them"}

    def to_internal_value(self, data: object) -> dict[str, Any]:
        given = super().to_internal_value(data)
        if {"time_zone", "timezone"} <= given.keys():
            self.fail("twice")
        return {"time_zone" if name == "timezone" else name: value for name, value in given.items()}


class CampaignScheduleField(ZonedScheduleField):
    """A schedule with the start, the end and the time zone of a campaign."""

    component = "CampaignSchedule"


class PreviewScheduleField(ZonedScheduleField):
    """A schedule with the time zone of a campaign that does not exist."""

    component = "PreviewSchedule"


class RulesField(ShapedField):
    """Rules of a retry policy in either form."""

    component = "RetryRules"


class LimitsField(ShapedField):
    """Contact limits."""

    component = "ContactLimits"
    has_other_spelling = False

    def to_internal_value(self, data: object) -> Any:  # noqa: ANN401 — a list, which the domain module checks
        return data


class WebhookField(ObjectField):
    """A webhook given with a call or a campaign, in fields of an endpoint."""


class RetriesField(ShapedField):
    """The retries of a campaign, as other systems write them."""

    component = "CampaignRetries"
    has_other_spelling = False


class NumberAsked(TextField):
    """A number in a query. In an address a plus means a space, so a space in front of the digits is taken as a plus."""

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        if str(data).startswith(" ") and text[:1].isdecimal():
            text = f"+{text}"
        try:
            return phone_number.parse(text)
        except phone_number.NumberNotDialable as refused:
            raise serializers.ValidationError(str(refused)) from refused


class NameAsked(TextField):
    """The beginnings of words of a contact's name."""

    def __init__(self, **kwargs: Any) -> None:
        help_text = "Beginnings of words of the contact's name, in any order"
        super().__init__(max_length=LONGEST_NAME, help_text=help_text, **kwargs)

    def to_internal_value(self, data: object) -> str:
        text = super().to_internal_value(data)
        if not finding.words_in(text):
            message = "must have a letter or a digit"
            raise serializers.ValidationError(message)
        return text


def contacts_found(workspace_id: UUID, field: str, wanted: str) -> Sequence[UUID]:
    """Return the contacts with a number, or a name, to find their rows; raises ``InvalidFields`` if there are too many.

    A query of its own: with a join, the planner would walk the rows in order and look at the contact of each.
    """
    mine = Contact.objects.in_workspace(workspace_id)
    matching = finding.by_name(mine, wanted) if field == "name" else mine.filter(phone=wanted)
    found = list(matching.values_list("pk", flat=True)[: MOST_FOUND + 1])
    if len(found) > MOST_FOUND:
        raise InvalidFields({field: [f"fits more than {MOST_FOUND:,} contacts"]})
    return found


class PhoneField(TextField):
    """A number to be stored; the domain module reads it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": LONGEST_PHONE, **kwargs})


class Reason(Strict):
    """Why a person acts; kept in the audit entry."""

    reason = TextField(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)


class _Shaped(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = ShapedField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        suffix = "Request" if direction == "request" and self.target.has_other_spelling else ""
        return reference(auto_schema, f"{self.target.component}{suffix}")


class _Webhook(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = WebhookField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:  # noqa: ANN401 — the library's alias
        shape: dict[str, Any] = auto_schema.resolve_serializer(InlineWebhook, direction).ref
        return shape


class _Phone(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = PhoneField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        shape = {"type": "string", "examples": ["+493012345678"]}
        return {**shape, "pattern": phone_number.FORM} if direction == "request" else shape
