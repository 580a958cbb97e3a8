"""Authentication by API key, and permissions by the key's scope."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from dialer.workspaces import api_keys
from dialer.workspaces.api.errors import Problem, answers
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.models import ApiKey


class AddressRefused(PermissionDenied):
    """The key may not be used from the client's address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <key>`` or ``X-API-Key: <key>``; ``request.auth`` is then the :class:`ApiKey`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        plain = _plain_key(request)
        if plain is None:
            return None
        assert isinstance(request, ApiRequest)
        try:
            key = api_keys.authenticate(plain, client=request.client, now=request.now)
        except api_keys.AddressNotAllowed as refused:
            raise AddressRefused(refused.address) from refused
        if key is None:
            message = "The API key is unknown, revoked or expired."
            raise AuthenticationFailed(message)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def _plain_key(request: Request) -> str | None:
    kind, _, plain = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and plain.strip():
        return plain.strip()
    return request.headers.get("X-API-Key") or None


class HasScope(BasePermission):
    """``read`` for safe methods, the view's ``scope_to_write`` for others, ``admin`` for the actions that it lists."""

    message = "The scope of this API key does not reach this far."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiKey):
            return False
        return api_keys.reaches(request.auth, scope_needed(view, request.method or ""))


def scope_needed(view: APIView, method: str) -> str:
    """Return the scope that a key needs for this method of the view."""
    if getattr(view, "action", None) in getattr(view, "admin_actions", ()):
        return ApiKey.Scope.ADMIN.value
    if method in SAFE_METHODS:
        return ApiKey.Scope.READ.value
    return str(getattr(view, "scope_to_write", ApiKey.Scope.WRITE.value))


@answers(AddressRefused)
def _address_refused(error: AddressRefused) -> Problem:
    return Problem(
        status=403,
        code="address_not_allowed",
        message="This API key may not be used from this address.",
        details={"address": error.address or None},
    )


class _Bearer(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = ["bearer", "apiKeyHeader"]

    def get_security_requirement(self, auto_schema: object) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]  # either of them; one object would mean both

    def get_security_definition(self, auto_schema: object) -> list[dict[str, Any]]:
        return [{"type": "http", "scheme": "bearer"}, {"type": "apiKey", "in": "header", "name": "X-API-Key"}]
