"""A small API on the foundation alone, so that what every route shares is tested without any of them."""

from typing import Any

from django.urls import include, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from dialer.models import Campaign, Persona
from dialer.workspaces.api.fields import (
    InstantField,
    LocalTimeField,
    NumberField,
    ObjectField,
    PublicIdField,
    ReferenceField,
    TextField,
    TruthField,
    WholeNumberField,
)
from dialer.workspaces.api.idempotency import idempotent, idempotent_in_steps
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters, Strict
from dialer.workspaces.api.views import Lists, NoSuchRoute, Reads
from dialer.workspaces.transitions import TransitionConflict


class _Shown(serializers.Serializer[Any]):
    id = PublicIdField("per")
    name = serializers.CharField()
    created_at = InstantField()


class _Part(Strict):
    count = WholeNumberField(required=False)
    counts = serializers.ListField(child=WholeNumberField(), required=False)


class _Written(Strict):
    name = TextField(max_length=20)
    part = _Part(required=False)
    is_on = TruthField(required=False)
    ratio = NumberField(required=False)
    at = InstantField(required=False)
    local = LocalTimeField(required=False)
    campaign_id = ReferenceField(Campaign, required=False)
    metadata = ObjectField(required=False)


class _Asked(Filters):
    name = TextField(required=False)


class Probes(Lists, Reads):
    queryset = Persona.objects.all()
    serializer_class = _Shown
    filters = _Asked
    orderings = ("-id", "id", "name", "created_at")
    admin_actions = ("destroy",)

    @extend_schema(request=_Written, responses={201: _Shown})
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        given = self.given(_Written)
        persona = Persona.objects.create(workspace_id=request.workspace_id, name=given["name"])
        if given["name"] == "breaks":
            message = "as it was made to"
            raise RuntimeError(message)
        return self.shown(persona, status=201)

    def destroy(self, request: ApiRequest, pk: str) -> Response:
        self.get_object()
        raise TransitionConflict(what="the probe", from_="here", to="there")

    @extend_schema(request=_Written, responses={201: _Shown})
    @action(detail=False, methods=["post"])
    @idempotent_in_steps
    def stepwise(self, request: ApiRequest) -> Response:
        given = self.given(_Written)
        return self.shown(Persona.objects.create(workspace_id=request.workspace_id, name=given["name"]), status=201)


_router = SimpleRouter()
_router.register("probes", Probes, basename="probe")

urlpatterns = [
    path("api/v1/", include(_router.urls)),
    path("api/v1/<path:rest>", NoSuchRoute.as_view()),
]
