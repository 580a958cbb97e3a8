"""Routes of the callback queue, and routes of the dialer's resources that need it."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from callbacks.api.analytics import Analytics
from callbacks.api.bulk import BulkActions, BulkJob, StopBulkJob
from callbacks.api.calls import CallBack, MarkHandled, MarkReached, RequestCallback, WasAPerson
from callbacks.api.effective_settings import SettingsOfCall, SettingsOfCampaign
from callbacks.api.views import Callbacks, CampaignPreview, PolicyPreview

_router = SimpleRouter()
_router.register("callbacks", Callbacks, basename="callback")

urlpatterns = [
    path("analytics/", Analytics.as_view(), name="analytics"),
    path("callbacks/bulk/", BulkActions.as_view(), name="callback-bulk"),
    path("callbacks/bulk/<str:pk>/", BulkJob.as_view(), name="callback-bulk-job"),
    path("callbacks/bulk/<str:pk>/stop/", StopBulkJob.as_view(), name="callback-bulk-stop"),
    path("", include(_router.urls)),
    path("calls/<str:pk>/request-callback/", RequestCallback.as_view(), name="request-callback"),
    path("calls/<str:pk>/call-back/", CallBack.as_view(), name="call-back"),
    path("calls/<str:pk>/mark-reached/", MarkReached.as_view(), name="mark-reached"),
    path("calls/<str:pk>/mark-handled/", MarkHandled.as_view(), name="mark-handled"),
    path("calls/<str:pk>/was-a-person/", WasAPerson.as_view(), name="was-a-person"),
    path("calls/<str:pk>/effective-settings/", SettingsOfCall.as_view(), name="call-effective-settings"),
    path("campaigns/<str:pk>/effective-settings/", SettingsOfCampaign.as_view(), name="campaign-effective-settings"),
    path("campaigns/<str:pk>/preview/", CampaignPreview.as_view(), name="campaign-preview"),
    path("retry-policies/<str:pk>/preview/", PolicyPreview.as_view(), name="retry-policy-preview"),
]
