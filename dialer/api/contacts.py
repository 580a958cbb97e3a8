"""Contacts, one by one and as files."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from dialer.api.shapes import NameAsked, NumberAsked, PhoneField, Reason
from dialer.campaigns import imports
from dialer.contacts import contacts, finding, suppressions
from dialer.contacts.contacts import LONGEST_NAME, ContactFields, Effect
from dialer.models import Campaign, Contact, Import, Suppression
from dialer.rules.statuses import ImportStatus
from dialer.tasks.imports import import_contacts
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.fields import InstantField, ObjectField, OneOfField, PublicIdField, ReferenceField, TextField
from dialer.workspaces.api.idempotency import idempotent, idempotent_in_steps
from dialer.workspaces.api.periods import Period, made_within
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.api.streamed import CsvParser, StreamedBody
from dialer.workspaces.api.views import Lists, Reads
from dialer.workspaces.api_keys import reaches
from dialer.workspaces.downloads import csv_file
from dialer.workspaces.models import ApiKey


class _SuppressionOf(serializers.Serializer[Any]):
    id = PublicIdField(Suppression.public_prefix)
    reason = TextField()


class ContactSerializer(Strict):
    id = PublicIdField(Contact.public_prefix, read_only=True)
    external_id = TextField(required=False, allow_null=True, max_length=LONGEST_NAME)
    name = TextField(required=False, allow_blank=True, max_length=LONGEST_NAME)
    phone = PhoneField(help_text="+ and 7 to 15 digits; punctuation is removed")
    time_zone = TextField(
        required=False, allow_blank=True, max_length=64, help_text="IANA name; empty: derived from the number"
    )
    metadata = ObjectField(required=False)
    zones = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Zones in which the calling window must be open"
    )
    timezone_source = TextField(read_only=True)
    warnings = serializers.ListField(child=serializers.CharField(), read_only=True)
    status = TextField(read_only=True, help_text="`outcome_id` of the last analysis")
    suppressed = serializers.SerializerMethodField(help_text="Its number is on the do-not-call list")
    suppression = serializers.SerializerMethodField(help_text="The entry of the list, and its reason")
    created_at = InstantField(read_only=True)

    def get_suppressed(self, contact: Contact) -> bool:
        return contact.phone in self._suppressions()

    @extend_schema_field(_SuppressionOf(allow_null=True))
    def get_suppression(self, contact: Contact) -> dict[str, str] | None:
        entry = self._suppressions().get(contact.phone)
        return {"id": entry.public_id, "reason": entry.reason} if entry else None

    def _suppressions(self) -> Mapping[str, Suppression]:
        found: Mapping[str, Suppression] = self.context["suppressions"]
        return found


class ContactFilter(Period):
    phone = NumberAsked(required=False)
    name = NameAsked(required=False)
    external_id = TextField(required=False, max_length=LONGEST_NAME)
    status = TextField(required=False, max_length=64)


class ImportSerializer(serializers.Serializer[Any]):
    id = PublicIdField(Import.public_prefix)
    campaign_id = PublicIdField(Campaign.public_prefix, allow_null=True)
    file_name = TextField()
    status = serializers.ChoiceField(choices=[status.value for status in ImportStatus])
    progress = serializers.SerializerMethodField(help_text="Share of the file that was read, from 0 to 1")
    bytes_total = serializers.IntegerField()
    bytes_read = serializers.IntegerField()
    rows_read = serializers.IntegerField()
    rows_good = serializers.IntegerField()
    rows_duplicate = serializers.IntegerField(help_text="Rows that changed nothing")
    rows_bad = serializers.IntegerField(help_text="Rows that `problems.csv` lists")
    failure = TextField()
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)

    def get_progress(self, source: Import) -> float:
        if source.status == ImportStatus.DONE:
            return 1.0
        return round(source.bytes_read / source.bytes_total, 4) if source.bytes_total else 0.0


class ImportQuery(Strict):
    file_name = TextField(required=False, default="", allow_blank=True, max_length=255)
    campaign_id = ReferenceField(Campaign, required=False, help_text="Also adds the contacts to this campaign")


class ImportFilter(Filters):
    status = OneOfField(choices=[status.value for status in ImportStatus], required=False)


class Contacts(Lists, Reads):
    """People with a number and a time zone."""

    queryset = Contact.objects.filter(deleted_at=None)
    serializer_class = ContactSerializer
    filters = ContactFilter
    scope_to_write = ApiKey.Scope.CONTACTS
    suppressions: Mapping[str, Suppression]

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "suppressions": getattr(self, "suppressions", {})}

    def prepared(self, page: Sequence[Model]) -> Sequence[Any]:
        rows = cast("Sequence[Contact]", page)
        self.suppressions = suppressions.of_numbers(self.request.workspace_id, [row.phone for row in rows])
        return rows

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if "name" in asked:
            rows = finding.by_name(rows, asked.pop("name"))
        return made_within(rows, asked).filter(**asked)

    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        return self.contact(self.get_object())

    def contact(self, contact: Contact, *, status: int = 200) -> Response:
        self.prepared([contact])
        return self.shown(contact, status=status)

    @extend_schema(
        responses={200: ContactSerializer, 201: ContactSerializer},
        description="Creates a contact; if its `external_id` exists, changes that contact instead and answers 200.",
    )
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        fields = cast("ContactFields", self.given(ContactSerializer))
        contact, effect = contacts.create(**request.about, **fields)
        return self.contact(contact, status=201 if effect is Effect.CREATED else 200)

    def partial_update(self, request: ApiRequest, pk: str) -> Response:
        return self.contact(self.do(contacts.edit, ContactSerializer))

    @extend_schema(request=Reason, responses={204: None})
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """Forget a contact: cancels its callbacks, and erases name, numbers, talks and notes everywhere in a minute."""
        contacts.delete(self.named_id(), **request.about, **self.given(Reason))
        return Response(status=204)

    @extend_schema(
        operation_id="contacts_import",
        parameters=[ImportQuery],
        request={"text/csv": OpenApiTypes.BINARY},
        responses={202: ImportSerializer},
        filters=False,
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[CsvParser])
    @idempotent_in_steps
    def bring_in(self, request: ApiRequest) -> Response:
        """Import a CSV: `phone`, optionally `name`, `external_id`, `time_zone`; the rest is metadata."""
        query = ImportQuery(data=request.query_params.dict(), context=self.get_serializer_context())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        if "campaign_id" in asked and not reaches(request.key, ApiKey.Scope.WRITE):
            message = "`campaign_id` needs a key of scope `write`: contacts of a campaign are called."
            raise PermissionDenied(message)
        return self.shown(
            received(request, file_name=asked["file_name"], campaign=asked.get("campaign_id")),
            ImportSerializer,
            status=202,
        )


class Imports(Lists, Reads):
    """The progress of imports, and their bad rows."""

    queryset = Import.objects.all()
    serializer_class = ImportSerializer
    filters = ImportFilter

    @extend_schema(operation_id="imports_problems", responses={(200, "text/csv"): OpenApiTypes.STR})
    def problems(self, request: ApiRequest, pk: str) -> StreamingHttpResponse:
        """Stream the bad rows with line, column and reason; the corrected file can be imported as it is."""
        source: Import = self.get_object()
        problems = imports.download_problems(source, actor=request.actor, now=request.now)
        return csv_file(problems, name=f"{source.public_id}-problems")


def received(request: ApiRequest, *, file_name: str = "", campaign: Campaign | None = None) -> Import:
    """Store the file in the body and wake a worker; if the message is lost, the sweep finds the import."""
    body = request.data
    if not isinstance(body, StreamedBody):
        raise InvalidFields({"non_field_errors": ["the file is empty, or its length is not given"]})
    source = imports.receive(
        chunks=body, file_name=file_name, campaign_id=campaign.pk if campaign else None, **request.about
    )
    transaction.on_commit(lambda: import_contacts.delay(str(source.pk)), robust=True)
    return source
