"""Campaigns again, with the way to their callbacks: the dialer knows of none."""

from django.contrib import admin
from django.urls import reverse

from dialer.admin.campaigns import CampaignAdmin
from dialer.models import Campaign

admin.site.unregister(Campaign)


@admin.register(Campaign)
class CampaignWithCallbacksAdmin(CampaignAdmin):
    def links(self, row: Campaign) -> list[tuple[str, str]]:
        listed = reverse("admin:callbacks_callback_changelist")
        return [("Callback queue", f"{listed}?queue=all_pending&campaign={row.public_id}"), *super().links(row)]
