"""API keys by API: an ``admin`` key lists, makes and revokes the keys of its workspace."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from dialer.workspaces import api_keys
from dialer.workspaces.api.errors import Problem, answers, invalid
from dialer.workspaces.api.fields import InstantField, OneOfField, PublicIdField, TextField
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Strict
from dialer.workspaces.api.views import Lists, Reads
from dialer.workspaces.models import ApiKey
from dialer.workspaces.values import LONGEST_NAME

_LONGEST_NETWORK = 43
_LONGEST_REASON = 500


class NewKey(Strict):
    name = TextField(max_length=LONGEST_NAME)
    scope = OneOfField([scope.value for scope in ApiKey.Scope])
    expires_at = InstantField(
        required=False, allow_null=True, help_text="Not after the expiry of the key that makes it, if that has one"
    )
    allowed_networks = serializers.ListField(
        child=TextField(max_length=_LONGEST_NETWORK),
        required=False,
        max_length=api_keys.MOST_NETWORKS,
        help_text="Networks such as `203.0.113.0/24` that it may be used from, within those of the key that makes it; "
        "empty: anywhere",
    )


class KeyShown(serializers.Serializer[ApiKey]):
    id = PublicIdField(ApiKey.public_prefix)
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="The first characters, to tell keys apart")
    scope = serializers.ChoiceField([scope.value for scope in ApiKey.Scope])
    allowed_networks = serializers.ListField(child=serializers.CharField())
    expires_at = InstantField(allow_null=True)
    revoked_at = InstantField(allow_null=True)
    last_used_at = InstantField(allow_null=True)
    created_at = InstantField()


class KeyWithText(KeyShown):
    key = serializers.SerializerMethodField(help_text="What requests send; shown only now")

    def get_key(self, _: ApiKey) -> str:
        return str(self.context["plain"])


class Revocation(Strict):
    reason = TextField(required=False, default="", allow_blank=True, max_length=_LONGEST_REASON)


class ApiKeys(Lists, Reads):
    """The keys of the workspace."""

    queryset = ApiKey.objects.all()
    serializer_class = KeyShown
    orderings = ("-id", "id", "name", "-name")
    admin_actions = ("list", "retrieve", "create", "revoke")

    @extend_schema(request=NewKey, responses={201: KeyWithText})
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        """Make a key, which reaches no further than the key that makes it; its text is shown only in this answer."""
        given: dict[str, Any] = self.given(NewKey)
        key, plain = api_keys.issue(**request.about, **given, maker=request.key)
        context = {**self.get_serializer_context(), "plain": plain}
        return Response(KeyWithText(key, context=context).data, status=201)

    @extend_schema(request=Revocation, responses=KeyShown)
    @action(detail=True, methods=["post"])
    def revoke(self, request: ApiRequest, pk: str) -> Response:
        """Refuse requests with this key from now on; also the key of this very request may be revoked."""
        reason = self.given(Revocation)["reason"]
        api_keys.revoke(self.get_object(), actor=request.actor, reason=reason, now=request.now)
        return self.shown(self.get_object())


@answers(api_keys.InvalidKey)
def _invalid_key(error: api_keys.InvalidKey) -> Problem:
    return invalid(error.errors)
