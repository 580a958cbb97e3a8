"""What the pages of webhooks have in common: how the refusals of their verbs are said, and rows within a page."""

from typing import Any, ClassVar

from django.http import HttpRequest
from unfold.admin import TabularInline

from dialer.workspaces.admin import base
from dialer.workspaces.admin.base import its_own_words
from webhooks.batches import NotABatch
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.endpoints import EndpointInactive, NoSample, NothingToPromote, NothingToSign
from webhooks.replay import NoSuchTime

REFUSALS: base.Refusals = {
    NothingToSign: lambda _: "the endpoint signs nothing, so it has no secret",
    NothingToPromote: lambda _: "there is no rotated secret that waits: rotate first",
    NoSample: lambda _: "the endpoint wants arrays, and there are none of such events",
    NoSuchTime: lambda _: "the time must begin before it ends, and before now",
    NotABatch: lambda _: "the delivery is of one event: redeliver it",
    EndpointInactive: its_own_words,
    InvalidEndpoint: its_own_words,
}


class ReadOnlyAdmin(base.ReadOnlyAdmin):
    refusals: ClassVar[Any] = REFUSALS


class ReadOnlyInline(TabularInline):  # type: ignore[misc] # unfold has no types
    """Rows of a row, to be looked at."""

    per_page = 20
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False
