"""The feed of events, for receivers that were down or prefer to poll."""

from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from dialer.workspaces.api.fields import InstantField, OneOfField, PublicIdField
from dialer.workspaces.api.pagination import DEFAULT_LIMIT, MAX_LIMIT, read_limit
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters
from dialer.workspaces.api.views import ApiView
from dialer.workspaces.ids import public_id
from webhooks import feed
from webhooks.endpoint_settings import SCOPE_PREFIXES
from webhooks.models import Event
from webhooks.rules.statuses import EVENT_TYPES, ScopeType


class FeedFilters(Filters):
    after = PublicIdField(
        Event.public_prefix, required=False, help_text="Continue after this event, the last one that you have seen"
    )
    type = OneOfField(EVENT_TYPES, required=False)
    campaign_id = PublicIdField(SCOPE_PREFIXES[ScopeType.CAMPAIGN], required=False)
    call_id = PublicIdField("call", required=False)
    since = InstantField(required=False, help_text="Recorded at that time or later")


class EventShown(serializers.Serializer[Any]):
    """One event; ``body`` equals, byte for byte, what endpoints of the profile `envelope` receive."""

    id = PublicIdField(Event.public_prefix)
    type = serializers.ChoiceField(EVENT_TYPES)
    occurred_at = InstantField()
    recorded_at = InstantField()
    body = serializers.SerializerMethodField(help_text="The envelope as text, byte for byte as it is sent")

    def get_body(self, row: feed.Told) -> str:
        return bytes(row.body).decode()


class FeedPage(serializers.Serializer[Any]):
    """A page of the feed; the last page has a ``next`` too, for new events later."""

    results = EventShown(many=True)
    has_more = serializers.BooleanField(help_text="False: you have seen everything; ask `next` again later")
    next = serializers.URLField()


class Events(ApiView):
    """All events of the workspace."""

    queryset = Event.objects.all()
    serializer_class = FeedPage
    filters = FeedFilters

    @extend_schema(
        operation_id="events_list",
        summary="Read events",
        parameters=[
            FeedFilters,
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
                description="Events per page",
            ),
        ],
        responses=FeedPage,
    )
    def get(self, request: ApiRequest) -> Response:
        """List events in an order in which no event is ever added before one that was shown.

        The feed holds all events, subscribed to or not, except tests. An event is shown as soon as no older
        transaction is still writing. To continue, keep the last event's id or follow `next`.
        """
        query = request.query_params
        limit = read_limit(query.get("limit"))
        read = FeedFilters(data={name: value for name, value in query.items() if name != "limit"})
        read.is_valid(raise_exception=True)
        asked = dict(read.validated_data)
        after = asked.pop("after", None)
        page = feed.read(request.workspace_id, feed.Interest(**asked), after=after, limit=limit)
        said = query.dict()
        if page.events:
            said["after"] = public_id(Event.public_prefix, page.events[-1].id)
        link = request.build_absolute_uri(request.path) + (f"?{urlencode(said)}" if said else "")
        return self.shown({"results": page.events, "has_more": page.has_more, "next": link})
