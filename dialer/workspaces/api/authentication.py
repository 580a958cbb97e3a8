"""Authentication by API key, and permissions by the key's scope."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from dialer.workspaces import api_keys
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.models import ApiKey

_RANK = {ApiKey.Scope.READ.value: 0, ApiKey.Scope.WRITE.value: 1, ApiKey.Scope.ADMIN.value: 2}


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <key>`` or ``X-API-Key: <key>``; ``request.auth`` is then the :class:`ApiKey`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        plain = _plain_key(request)
        if plain is None:
            return None
        assert isinstance(request, ApiRequest)
        key = api_keys.authenticate(plain, now=request.now)
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
    """``read`` for safe methods, ``write`` for the others, ``admin`` for the actions that a view lists."""

    message = "The scope of this API key does not reach this far."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiKey):
            return False
        return reaches(request.auth, scope_needed(view, request.method or ""))


def scope_needed(view: APIView, method: str) -> str:
    """Return the scope that a key needs for this method of the view."""
    if getattr(view, "action", None) in getattr(view, "admin_actions", ()):
        return ApiKey.Scope.ADMIN.value
    return ApiKey.Scope.READ.value if method in SAFE_METHODS else ApiKey.Scope.WRITE.value


def reaches(key: ApiKey, scope: str) -> bool:
    return _RANK[key.scope] >= _RANK[scope]


class _Bearer(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = ["bearer", "apiKeyHeader"]

    def get_security_requirement(self, auto_schema: object) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]  # either of them; one object would mean both

    def get_security_definition(self, auto_schema: object) -> list[dict[str, Any]]:
        return [{"type": "http", "scheme": "bearer"}, {"type": "apiKey", "in": "header", "name": "X-API-Key"}]
