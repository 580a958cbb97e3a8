"""Routes below ``/api/v1/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from webhooks.api import errors
from webhooks.api.feed_views import Events
from webhooks.api.replay_views import Replays, StartReplay
from webhooks.api.views import Deliveries, DeliveriesOfEndpoint, Endpoints

__all__ = ["errors", "urlpatterns"]

_router = SimpleRouter()
# Before the endpoints' routes, so that "deliveries" and "replays" are not read as ids.
_router.register("webhooks/deliveries", Deliveries, basename="delivery")
_router.register("webhooks/replays", Replays, basename="replay")
_router.register("webhooks", Endpoints, basename="webhook")

urlpatterns = [
    *_router.urls,
    path("events/", Events.as_view()),
    path("webhooks/<str:webhook>/replay/", StartReplay.as_view()),
    path("webhooks/<str:webhook>/deliveries/", DeliveriesOfEndpoint.as_view({"get": "list"})),
]
