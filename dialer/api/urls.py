"""Routes of the dialer below ``/api/v1/``."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from dialer.api import errors as errors  # noqa: PLC0414 — registers the dialer's exceptions
from dialer.api.audience import Audience
from dialer.api.calls import Calls, InboundCalls
from dialer.api.campaign_contacts import CampaignContacts
from dialer.api.campaigns import Campaigns
from dialer.api.contacts import Contacts, Imports
from dialer.api.messages import Messages
from dialer.api.resources import Lines, Personas, RetryPolicies
from dialer.api.suppressions import Suppressions
from dialer.api.workspace_settings import Settings
from dialer.workspaces.api.audit import Audit
from dialer.workspaces.api.keys import ApiKeys

router = SimpleRouter()
router.register("contacts", Contacts)
router.register("imports", Imports)
router.register("calls", Calls)
router.register("inbound-calls", InboundCalls, basename="inbound-call")
router.register("campaigns", Campaigns)
router.register("messages", Messages)
router.register("personas", Personas)
router.register("lines", Lines)
router.register("retry-policies", RetryPolicies)
router.register("suppressions", Suppressions)
router.register("api-keys", ApiKeys)
router.register("audit", Audit, basename="audit")

urlpatterns = [
    path("settings/", Settings.as_view({"get": "retrieve", "patch": "partial_update"}), name="settings"),
    path("settings/presets/", Settings.as_view({"get": "presets"}), name="settings-presets"),
    path("campaigns/<pk>/report.csv", Campaigns.as_view({"get": "report"}), name="campaign-report-csv"),
    path("campaigns/<pk>/contacts/", CampaignContacts.as_view({"get": "list", "post": "create"})),
    path("webhooks/audience/", Audience.as_view()),  # before the webhooks routes, which would read "audience" as an id
    path("imports/<pk>/problems.csv", Imports.as_view({"get": "problems"}), name="import-problems"),
    path("", include(router.urls)),
]
