"""Routes of the callback queue, and those of the dialer's resources that need to know of it."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from callbacks.api.views import Callbacks, PolicyPreview, RequestCallback

_router = SimpleRouter()
_router.register("callbacks", Callbacks, basename="callback")

urlpatterns = [
    path("", include(_router.urls)),
    path("calls/<str:pk>/request-callback/", RequestCallback.as_view(), name="request-callback"),
    path("retry-policies/<str:pk>/preview/", PolicyPreview.as_view(), name="retry-policy-preview"),
]
