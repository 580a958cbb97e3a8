"""The request as views see it: with its key, its actor, and one reading of the clock."""

from datetime import datetime
from functools import cached_property
from typing import BinaryIO, cast
from uuid import UUID

from rest_framework.request import Request

from dialer.workspaces import api_keys
from dialer.workspaces.api.chunked import is_chunked
from dialer.workspaces.audit import About, Actor
from dialer.workspaces.client import Client, client_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import ApiKey


class ApiRequest(Request):
    """A request of the API; ``key`` and the properties that depend on it exist after authentication."""

    @cached_property
    def now(self) -> datetime:
        return database_now()

    @cached_property
    def client(self) -> Client:
        return client_of(self._request)

    @property
    def key_expires_at(self) -> datetime | None:
        """When the key expires; ``None`` if it does not, or if no key was accepted."""
        accepted = self.__dict__.get("_auth")
        return accepted.expires_at if isinstance(accepted, ApiKey) else None

    @property
    def key(self) -> ApiKey:
        assert isinstance(self.auth, ApiKey)
        return self.auth

    @property
    def workspace_id(self) -> UUID:
        return self.key.workspace_id

    @property
    def actor(self) -> Actor:
        return api_keys.actor_of(self.key, self.client)

    @property
    def about(self) -> About:
        """The arguments common to all verbs: ``noun.verb(self.named_id(), **request.about)``."""
        return {"workspace_id": self.workspace_id, "actor": self.actor, "now": self.now}

    def _load_stream(self) -> None:
        # DRF looks at Content-Length alone, which a chunked body has not.
        super()._load_stream()  # type: ignore[misc]
        if is_chunked(self._request):
            self._stream = cast("BinaryIO", self._request)
