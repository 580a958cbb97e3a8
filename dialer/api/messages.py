"""Text messages: send, list, read."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.api.calls import CalledContact
from dialer.api.shapes import NumberAsked
from dialer.messages import messages
from dialer.messages.messages import LONGEST_BODY
from dialer.models import Call, Campaign, Contact, Line, Message
from dialer.rules.statuses import Direction, MessageStatus
from dialer.tasks import send_messages
from dialer.workspaces.api.fields import (
    InstantField,
    ObjectField,
    OneOfField,
    PublicIdField,
    ReferenceField,
    TextField,
)
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.periods import Period, made_within
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Strict
from dialer.workspaces.api.views import Lists, Reads
from dialer.workspaces.models import ApiKey

_STATUSES = [status.value for status in MessageStatus]
_DIRECTIONS = [direction.value for direction in Direction]


class MessageSerializer(serializers.Serializer[Any]):
    id = PublicIdField(Message.public_prefix)
    direction = serializers.ChoiceField(choices=_DIRECTIONS)
    contact_id = PublicIdField(Contact.public_prefix)
    campaign_id = PublicIdField(Campaign.public_prefix, allow_null=True)
    line_id = PublicIdField(Line.public_prefix)
    number = TextField(help_text="The contact's")
    caller_id = TextField(help_text="Ours")
    body = TextField()
    segments = serializers.IntegerField(allow_null=True, help_text="Number of short messages that the carrier sent")
    status = serializers.ChoiceField(choices=_STATUSES)
    failure = TextField(help_text="Why it failed, waits, or has an unknown fate")
    metadata = ObjectField()
    created_at = InstantField()
    sent_at = InstantField(allow_null=True, help_text="When the carrier accepted it")
    settled_at = InstantField(allow_null=True, help_text="When it was delivered, failed, or was received")


class NewMessage(Strict):
    """Exactly one of ``contact_id``, ``contact`` and ``call_id`` names the recipient."""

    contact_id = ReferenceField(Contact, only={"deleted_at": None}, required=False)
    contact = CalledContact(required=False, help_text="The newest contact with that number, else a new one")
    call_id = ReferenceField(
        Call, required=False, help_text="Write to the contact of this call, over its line and for its campaign"
    )
    campaign_id = ReferenceField(Campaign, required=False)
    line_id = PublicIdField(Line.public_prefix, required=False, help_text="Default: the campaign's, else the default")
    body = TextField(max_length=LONGEST_BODY)
    metadata = ObjectField(required=False, default=dict)


class MessageFilter(Period):
    number = NumberAsked(required=False, help_text="The contact's")
    direction = OneOfField(choices=_DIRECTIONS, required=False)
    status = OneOfField(choices=_STATUSES, required=False)
    contact_id = PublicIdField(Contact.public_prefix, required=False)
    campaign_id = PublicIdField(Campaign.public_prefix, required=False)
    line_id = PublicIdField(Line.public_prefix, required=False)


class Messages(Lists, Reads):
    """Text messages sent and received."""

    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    filters = MessageFilter
    scope_to_write = ApiKey.Scope.CALLS

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return made_within(rows, asked).filter(**asked)

    @extend_schema(
        request=NewMessage,
        responses={201: MessageSerializer},
        description="Queues a message, which is sent within moments and at most once. Suppressed numbers are refused.",
    )
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        given = self.given(NewMessage)
        for name in ("contact_id", "call_id", "campaign_id"):
            given[name] = given[name].pk if given.get(name) else None
        message = messages.create(**request.about, **given)
        # Only speeds it up: if the message is lost, the one that beat sends finds the row.
        transaction.on_commit(send_messages.delay, robust=True)
        return self.shown(message, status=201)
