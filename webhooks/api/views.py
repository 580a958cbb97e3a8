"""Routes of webhooks: each validates its request, calls one verb, and answers with the result."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from dialer.workspaces.api.idempotency import idempotent, idempotent_in_steps
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Nothing
from dialer.workspaces.api.views import Lists, Reads, public_id_in_path
from dialer.workspaces.api_keys import reaches
from dialer.workspaces.models import ApiKey
from webhooks import batches, endpoints
from webhooks.api.shapes import (
    AllDeliveryFilters,
    Curl,
    DeliveryFilters,
    DeliveryInFull,
    DeliveryShown,
    EndpointChange,
    EndpointFilters,
    EndpointShown,
    EndpointWithSecret,
    NewEndpoint,
    Replayed,
    Rotation,
    Test,
)
from webhooks.curl import as_curl
from webhooks.destinations import url_error
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.endpoints import WithSecret
from webhooks.models import Delivery, Endpoint
from webhooks.rules.statuses import BatchType

_ATTEMPTS_SHOWN = 100
_SIGNING = {"secret", "signing_method"}
_RENAMED = {"call_id": "event__call_id", "webhook_id": "endpoint_id"}


def _asked_for(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    event = asked.pop("event", None)
    if event in {*BatchType}:
        rows = rows.filter(batch_type=event)
    elif event is not None:
        rows = rows.filter(event__type=event)
    return rows.filter(**{_RENAMED.get(name, name): value for name, value in asked.items()})


@contextmanager
def _scope_as_given(request: ApiRequest) -> Iterator[None]:
    """Name a wrong scope by the field that the client gave."""
    try:
        yield
    except InvalidEndpoint as refused:
        given = next((name for name in ("persona_id", "campaign_id") if name in request.data), "scope_id")
        errors = {given if name == "scope_id" else name: reasons for name, reasons in refused.errors.items()}
        raise InvalidEndpoint(errors) from refused


class Endpoints(Lists, Reads):
    """Receivers of events."""

    queryset = Endpoint.objects.kept()
    serializer_class = EndpointShown
    filters = EndpointFilters
    orderings = ("-id", "id", "name", "-name")
    admin_actions = ("rotate_secret", "promote_secret")
    scope_to_write = ApiKey.Scope.WEBHOOKS

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return rows.filter(is_active=asked["is_active"] == "true") if "is_active" in asked else rows

    @extend_schema(request=NewEndpoint, responses={201: EndpointWithSecret})
    @idempotent_in_steps  # DNS lookups must not happen in a transaction
    def create(self, request: ApiRequest) -> Response:
        given = self._given(NewEndpoint)
        is_active = given.pop("is_active", True)
        with _scope_as_given(request), transaction.atomic():
            made = endpoints.create(**request.about, **given)
            if not is_active:
                made = self._switched(made, is_on=False)
        return self._with_secret(made, status=201)

    @extend_schema(request=EndpointChange, responses=EndpointWithSecret)
    def partial_update(self, request: ApiRequest, pk: str) -> Response:
        """Change what is given; `is_active` switches the endpoint on and off. How it signs needs an `admin` key."""
        given = self._given(EndpointChange)
        if given.keys() & _SIGNING and not reaches(request.key, ApiKey.Scope.ADMIN):
            message = "`secret` and `signing_method` of an endpoint need an admin key."
            raise PermissionDenied(message)
        is_active = given.pop("is_active", None)
        with _scope_as_given(request), transaction.atomic():
            edited = endpoints.edit(self.named_id(), **request.about, **given)
            if is_active is not None and is_active != edited.endpoint.is_active:
                edited = self._switched(edited, is_on=is_active)
        return self._with_secret(edited)

    @extend_schema(responses={204: None})
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """Delete an endpoint; its deliveries stay readable."""
        endpoints.delete(self.named_id(), **request.about)
        return Response(status=204)

    @extend_schema(request=Test, responses={202: DeliveryShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def test(self, request: ApiRequest, pk: str) -> Response:
        """Send a sample event to this endpoint only, subscribed to or not; the answer is its delivery.

        The header `…-Test: true` and the envelope's `metadata` mark it as a test.
        """
        event = self.given(Test)["event"]
        sent = endpoints.send_test(self.named_id(), event_type=event, **request.about)
        return self.shown(sent, DeliveryShown, status=202)

    @extend_schema(request=Nothing, responses=EndpointShown)
    @action(detail=True, methods=["post"])
    @idempotent
    def pause(self, request: ApiRequest, pk: str) -> Response:
        """Hold pending and new deliveries until the endpoint is resumed."""
        return self.shown(self.do(endpoints.pause))

    @extend_schema(request=Nothing, responses=EndpointShown)
    @action(detail=True, methods=["post"])
    @idempotent
    def resume(self, request: ApiRequest, pk: str) -> Response:
        """Send the deliveries that were held, the oldest first."""
        return self.shown(self.do(endpoints.resume))

    @extend_schema(request=Rotation, responses=EndpointWithSecret)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    @idempotent
    def rotate_secret(self, request: ApiRequest, pk: str) -> Response:
        """Add a new secret: it signs at once in `webhook-signature`, and in all headers once promoted."""
        return self._with_secret(self.do(endpoints.rotate_secret, Rotation))

    @extend_schema(request=Nothing, responses=EndpointShown)
    @action(detail=True, methods=["post"], url_path="promote-secret")
    @idempotent
    def promote_secret(self, request: ApiRequest, pk: str) -> Response:
        """Replace the old secret with the rotated one everywhere, and delete the old one."""
        return self.shown(self.do(endpoints.promote_secret))

    def _given(self, shape: type[EndpointChange]) -> dict[str, Any]:
        given = self.given(shape)
        if "url" in given and (reason := url_error(given["url"])):
            raise InvalidEndpoint({"url": [reason]})
        return given

    def _switched(self, made: WithSecret, *, is_on: bool) -> WithSecret:
        switch = endpoints.activate if is_on else endpoints.deactivate
        return WithSecret(endpoint=switch(made.endpoint.id, **self.request.about), secret=made.secret)

    def _with_secret(self, made: WithSecret, *, status: int = 200) -> Response:
        context = {**self.get_serializer_context(), "secret": made.secret}
        return Response(EndpointWithSecret(made.endpoint, context=context).data, status=status)


class Deliveries(Lists):
    """The deliveries of the workspace."""

    queryset = Delivery.objects.with_waits().select_related("event").defer("body", "event__body")
    serializer_class = DeliveryShown
    filters = AllDeliveryFilters
    scope_to_write = ApiKey.Scope.WEBHOOKS

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return _asked_for(rows, asked)

    @extend_schema(responses=DeliveryInFull)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """Return one delivery with its payload and its newest attempts."""
        row = self.get_queryset().defer(None).get(pk=self.named_id())
        row.attempts_made = row.attempts.order_by("-id")[:_ATTEMPTS_SHOWN]
        return self.shown(row, DeliveryInFull)

    @extend_schema(responses=Curl)
    @action(detail=True, methods=["get"])
    def curl(self, request: ApiRequest, pk: str) -> Response:
        """Return the newest attempt as a shell command, signed as it was; it contains no secret."""
        return self.shown({"curl": as_curl(self.get_queryset().get(pk=self.named_id()).pk)}, Curl)

    @extend_schema(request=Nothing, responses={202: DeliveryShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def redeliver(self, request: ApiRequest, pk: str) -> Response:
        """Send a settled delivery once more: the same bytes under the same ids, with all its retries."""
        sent = self.do(endpoints.redeliver)
        return self.shown(self.get_queryset().get(pk=sent.pk), DeliveryShown, status=202)

    @extend_schema(operation_id="webhooks_replay_items", request=Nothing, responses={202: Replayed})
    @action(detail=True, methods=["post"], url_path="replay-items")
    @idempotent
    def replay_items(self, request: ApiRequest, pk: str) -> Response:
        """Send each item of an undelivered batch separately, as an array of one."""
        return self.shown({"items": self.do(batches.replay_items)}, Replayed, status=202)


class DeliveriesOfEndpoint(Lists):
    """The deliveries of one endpoint."""

    queryset = Deliveries.queryset
    serializer_class = DeliveryShown
    filters = DeliveryFilters
    named_in_path = {"webhook": Endpoint}

    @extend_schema(operation_id="webhooks_endpoint_deliveries_list")
    def list(self, request: ApiRequest, webhook: str) -> Response:  # type: ignore[override]
        return super().list(request)

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return _asked_for(rows.filter(endpoint_id=self._endpoint_id()), asked)

    def _endpoint_id(self) -> UUID:
        """Return the id of the path's endpoint in this workspace; deleted endpoints are still found."""
        mine = Endpoint.objects.in_workspace(self.request.workspace_id)
        found: UUID = mine.values_list("pk", flat=True).get(pk=public_id_in_path(Endpoint, self.kwargs["webhook"]))
        return found
