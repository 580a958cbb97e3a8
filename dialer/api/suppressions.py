"""Suppressions: numbers that must not be called."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from dialer.api.shapes import LONGEST_PHONE, NumberAsked, PhoneField, Reason
from dialer.calls.hashed_numbers import forms_of
from dialer.contacts import suppressions
from dialer.contacts.suppressions import Taken
from dialer.models import Suppression
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.fields import InstantField, PublicIdField, TextField
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.api.views import Lists, Reads
from dialer.workspaces.models import ApiKey

MOST_AT_ONCE = 1_000


class SuppressionSerializer(serializers.Serializer[Any]):
    id = PublicIdField(Suppression.public_prefix)
    phone = TextField(source="number", allow_null=True, help_text="null: forgotten with its contact, still suppressed")
    reason = TextField()
    source = TextField()  # type: ignore[assignment] # a field, not where it comes from
    created_at = InstantField()


class _Why(Strict):
    reason = TextField(required=False, default="manual", max_length=64)
    source = TextField(required=False, default="", allow_blank=True, max_length=200)  # type: ignore[assignment]


class NewSuppression(_Why):
    phone = PhoneField()


class NewSuppressions(_Why):
    phones = serializers.ListField(
        child=TextField(max_length=LONGEST_PHONE, allow_blank=True), min_length=1, max_length=MOST_AT_ONCE
    )


class RefusedNumber(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    reason = TextField()


class TakenSerializer(serializers.Serializer[Any]):
    """Counts of numbers; ``submitted`` is the sum of added, already and refused."""

    submitted = serializers.IntegerField()
    added = serializers.IntegerField()
    already = serializers.IntegerField(help_text="Suppressed before, or listed twice")
    withdrawn = serializers.IntegerField(help_text="Queued calls to these numbers that were withdrawn")
    refused = RefusedNumber(many=True)


class SuppressionFilter(Filters):
    phone = NumberAsked(required=False)
    reason = TextField(required=False, max_length=64)


class Suppressions(Lists, Reads):
    """Do-not-call entries, by number and workspace-wide."""

    queryset = Suppression.objects.all()
    serializer_class = SuppressionSerializer
    filters = SuppressionFilter
    admin_actions = ("destroy",)
    scope_to_write = ApiKey.Scope.CONTACTS

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        if "phone" in asked:
            rows = rows.filter(phone__in=forms_of([asked.pop("phone")]))
        return rows.filter(**asked)

    @extend_schema(
        request=NewSuppression,
        responses={200: SuppressionSerializer, 201: SuppressionSerializer},
        description="Suppresses a number and withdraws its queued calls; answers 200 if it was suppressed already.",
    )
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        given = self.given(NewSuppression)
        taken = self._take_in([given["phone"]], given)
        if taken.refused:
            raise InvalidFields({"phone": [taken.refused[0]]})
        if taken.done.added:
            return self.shown(taken.done.added[0], status=201)
        return self.shown(self.get_queryset().get(phone__in=forms_of(taken.done.already)))

    @extend_schema(
        operation_id="suppressions_import", request=NewSuppressions, responses={200: TakenSerializer}, filters=False
    )
    @action(detail=False, methods=["post"], url_path="import")
    @idempotent
    def bring_in(self, request: ApiRequest) -> Response:
        """Suppress many numbers; an invalid one does not stop the others and is named by its index."""
        given = self.given(NewSuppressions)
        taken = self._take_in(given["phones"], given)
        added = len(taken.done.added)
        return self.shown(
            {
                "submitted": len(given["phones"]),
                "added": added,
                "already": len(given["phones"]) - len(taken.refused) - added,
                "withdrawn": taken.done.withdrawn,
                "refused": [{"index": index, "reason": reason} for index, reason in taken.refused.items()],
            },
            TakenSerializer,
        )

    @extend_schema(request=Reason, responses={204: None})
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """Lift a suppression; withdrawn calls stay withdrawn."""
        reason = self.given(Reason)["reason"]
        suppressions.remove(self.get_object(), actor=request.actor, reason=reason, now=request.now)
        return Response(status=204)

    def _take_in(self, numbers: list[str], given: dict[str, Any]) -> Taken:
        return suppressions.take_in(
            self.request.workspace_id,
            numbers,
            reason=given["reason"],
            source=given["source"],
            actor=self.request.actor,
            now=self.request.now,
        )
