"""Routes below ``/api/v1/``."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from webhooks.api import errors
from webhooks.api.views import Deliveries, DeliveriesOfEndpoint, Endpoints

__all__ = ["errors", "urlpatterns"]

_router = SimpleRouter()
# Before the endpoints: "deliveries" is not the id of one.
_router.register("webhooks/deliveries", Deliveries, basename="delivery")
_router.register("webhooks", Endpoints, basename="webhook")

urlpatterns = [
    *_router.urls,
    path("webhooks/<str:webhook>/deliveries/", DeliveriesOfEndpoint.as_view({"get": "list"})),
]
