"""The contacts of a campaign: add them, and see how far each has come."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.api.contacts import ImportSerializer, received
from dialer.campaigns import membership
from dialer.campaigns.membership import MOST_AT_ONCE
from dialer.campaigns.progress import Kind, progress_of
from dialer.models import Call, Campaign, CampaignContact, Contact
from dialer.rules.statuses import ContactState, Outcome
from dialer.rules.waits import Waits
from dialer.workspaces.api.fields import InstantField, OneOfField, PublicIdField, TextField
from dialer.workspaces.api.idempotency import idempotent_in_steps
from dialer.workspaces.api.parser import StrictJSONParser
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.api.streamed import CsvParser, StreamedBody
from dialer.workspaces.api.views import Lists, public_id_in_path

_OUTCOMES = ["", *(outcome.value for outcome in Outcome)]


class Entries(Strict):
    contacts = serializers.ListField(
        child=serializers.JSONField(),
        min_length=1,
        max_length=MOST_AT_ONCE,
        help_text="Ids of contacts, and objects with `phone` and optionally `external_id`, `name`, `time_zone`, "
        "`metadata`",
    )


class RefusedEntry(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    field = TextField()
    reason = TextField()


class AddedSerializer(serializers.Serializer[Any]):
    """Counts of entries; ``submitted`` is the sum of the others."""

    submitted = serializers.IntegerField()
    added = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Already in the campaign")
    refused = RefusedEntry(many=True)


class WaitingShown(serializers.Serializer[Any]):
    code = serializers.ChoiceField([reason.value for reason in Waits])
    text = serializers.CharField()
    next_possible_at = InstantField(allow_null=True, help_text="`null` if it waits for a person")


class _NextCall(serializers.Serializer[Any]):
    call_id = PublicIdField(Call.public_prefix, allow_null=True, help_text="`null`: a first call, not claimed yet")
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    due_at = InstantField(allow_null=True, help_text="`null` until the first call has been scheduled")


class CampaignContactSerializer(serializers.Serializer[Any]):
    """A contact of the campaign. ``waiting`` says why its next call, which is due, is not being dialled."""

    id = PublicIdField(CampaignContact.public_prefix, source="row.id", help_text="Also the `chain_id` of its calls")
    contact_id = PublicIdField(Contact.public_prefix, source="row.contact_id")
    external_id = TextField(source="row.contact.external_id", allow_null=True)
    name = TextField(source="row.contact.name")
    phone = TextField(source="row.contact.phone")
    state = serializers.ChoiceField([state.value for state in ContactState], source="row.state")
    end_reason = TextField(source="row.end_reason")
    result = serializers.ChoiceField(_OUTCOMES, source="row.result", help_text="Best outcome so far")
    attempts = serializers.IntegerField(help_text="Calls that were handed to a carrier")
    last_attempt_at = InstantField(allow_null=True)
    last_outcome = serializers.ChoiceField(_OUTCOMES, help_text="Of the last call that ended")
    next_call = _NextCall(allow_null=True)
    waiting = WaitingShown(allow_null=True)
    ended_at = InstantField(source="row.ended_at", allow_null=True)
    created_at = InstantField(source="row.created_at", help_text="When it was added")


class CampaignContactFilter(Filters):
    state = OneOfField([state.value for state in ContactState], required=False)


class CampaignContacts(Lists):
    """The contacts of a campaign."""

    queryset = CampaignContact.objects.select_related("contact")
    serializer_class = CampaignContactSerializer
    filters = CampaignContactFilter
    orderings = ("contact_id", "-contact_id")
    parser_classes = [StrictJSONParser, CsvParser]

    @cached_property
    def campaign(self) -> Campaign:
        """The campaign in the path."""
        rows = Campaign.objects.in_workspace(self.request.workspace_id)
        found: Campaign = rows.get(pk=public_id_in_path(Campaign, self.kwargs["pk"]))
        return found

    def list(self, request: ApiRequest, pk: str) -> Response:  # type: ignore[override]
        """Show how far the campaign has come with each contact, and why a due call is not being dialled."""
        return super().list(request)

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return rows.filter(campaign=self.campaign, **asked)

    def prepared(self, page: Sequence[Model]) -> Sequence[Any]:
        rows: Any = page
        return progress_of(self.campaign, rows, now=self.request.now)

    @extend_schema(
        request={"application/json": Entries, "text/csv": OpenApiTypes.BINARY},
        responses={200: AddedSerializer, 202: ImportSerializer},
    )
    @idempotent_in_steps
    def create(self, request: ApiRequest, pk: str) -> Response:
        """Add the valid contacts and name each invalid one by its index; a CSV is read as an import."""
        if isinstance(request.data, StreamedBody):
            return self.shown(received(request, campaign=self.campaign), ImportSerializer, status=202)
        campaign_id = public_id_in_path(Campaign, pk)
        added = membership.add(campaign_id, self.given(Entries)["contacts"], **request.about)
        return self.shown(added, AddedSerializer)
