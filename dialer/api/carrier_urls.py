"""Routes of carriers, mounted at ``/carriers/``: one address per carrier, or per line where lines have accounts."""

from django.urls import path

from dialer.api.carrier_reports import take_messages, take_reports

urlpatterns = [
    path("<slug:carrier>/", take_reports, name="carrier-reports"),
    path("<slug:carrier>/messages/", take_messages, name="carrier-messages"),
    path("<slug:carrier>/<slug:line>/", take_reports, name="line-reports"),
    path("<slug:carrier>/<slug:line>/messages/", take_messages, name="line-messages"),
]
