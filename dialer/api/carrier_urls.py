"""Routes of carriers, mounted at ``/carriers/``."""

from django.urls import path

from dialer.api.carrier_reports import take_messages, take_reports

urlpatterns = [
    path("<slug:carrier>/", take_reports, name="carrier-reports"),
    path("<slug:carrier>/messages/", take_messages, name="carrier-messages"),
]
