"""What the pages of webhooks share: the texts of refusals, and read-only rows within a page."""

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
    NothingToPromote: lambda _: "no rotated secret waits to be promoted: rotate first",
    NoSample: lambda refused: f"the event {refused}",
    NoSuchTime: lambda _: "the start must be before the end, and before now",
    NotABatch: lambda _: "the delivery holds a single event: redeliver it",
    EndpointInactive: its_own_words,
    InvalidEndpoint: its_own_words,
}


class ReadOnlyAdmin(base.ReadOnlyAdmin):
    refusals: ClassVar[Any] = REFUSALS


class ReadOnlyInline(TabularInline):  # type: ignore[misc] # unfold has no types
    """Related rows on a page, read-only."""

    per_page = 20
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False
