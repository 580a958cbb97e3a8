"""Campaigns, their contacts, and the paces of campaigns, lines and workspaces."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from dialer.models.contacts import Contact
from dialer.models.resources import Line, Persona, RetryPolicy
from dialer.rules.statuses import CAMPAIGN_OVER, CampaignStatus, ContactState
from dialer.workspaces.encryption import EncryptedTextField
from dialer.workspaces.models import Owned, PublicId, Workspace


class Campaign(Owned, PublicId):
    """Contacts, persona, policy, calling window and pacing, run as one."""

    public_prefix = "camp"

    name = models.CharField(max_length=200)
    status = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in CampaignStatus], default=CampaignStatus.DRAFT.value
    )
    persona = models.ForeignKey(Persona, on_delete=models.PROTECT, related_name="campaigns")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="campaigns")
    caller_id = models.CharField(max_length=32, blank=True)
    retry_policy = models.ForeignKey(
        RetryPolicy, on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns"
    )
    schedule = models.JSONField(default=dict, blank=True)
    contact_limits = models.JSONField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    start_at = models.DateTimeField(null=True, blank=True)
    start_at_local = models.CharField(
        max_length=19, blank=True, help_text="YYYY-MM-DDTHH:MM:SS on each contact's own clock"
    )
    end_at = models.DateTimeField(null=True, blank=True)
    calls_per_second = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.001)])
    max_concurrent_calls = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    priority = models.SmallIntegerField(default=0, validators=[MinValueValidator(-100), MaxValueValidator(100)])
    config_webhooks = models.JSONField(null=True, blank=True, help_text="Webhooks of its calls, as they were frozen")
    call_status_callback = models.CharField(max_length=2000, blank=True, help_text="URL told after every attempt")
    call_schedule_callback = models.CharField(
        max_length=2000, blank=True, help_text="URL told once per number, when its last attempt is over"
    )
    status_callback = models.CharField(max_length=2000, blank=True, help_text="URL told when the campaign has ended")
    status_callback_secret = EncryptedTextField(null=True, blank=True, help_text="Signs what the URLs are told")
    metadata = models.JSONField(default=dict, blank=True)
    completes_at_once = models.BooleanField(default=False, editable=False)
    pause_reason = models.CharField(max_length=64, blank=True, editable=False)
    end_reason = models.CharField(
        max_length=16, blank=True, editable=False, choices=[(s.value, s.value) for s in CAMPAIGN_OVER]
    )
    reports_revoked_at = models.DateTimeField(
        null=True, editable=False, help_text="Addresses of its report that were given out before do not work"
    )
    end_note = models.CharField(max_length=64, blank=True, editable=False, help_text="Why it was cancelled or failed")
    contact_added_at = models.DateTimeField(null=True, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    free_text = ("metadata", "pause_reason", "end_note")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in CampaignStatus]), name="campaign_status_known"
            ),
            models.CheckConstraint(
                condition=Q(end_reason__in=["", *(s.value for s in CAMPAIGN_OVER)]), name="campaign_end_reason_known"
            ),
            models.CheckConstraint(
                condition=Q(start_at=None) | Q(end_at=None) | Q(end_at__gt=F("start_at")),
                name="campaign_ends_after_start",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="campaign_newest"),
            models.Index(fields=["workspace"], condition=Q(status="running"), name="campaign_running"),
        ]

    def __str__(self) -> str:
        return self.name


class CampaignContact(Owned, PublicId):
    """A contact in a campaign; its id is also the id of its chain of calls."""

    public_prefix = "chn"

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="campaign_contacts", db_constraint=False, db_index=False
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, related_name="campaign_contacts", db_constraint=False, db_index=False
    )
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in ContactState], default=ContactState.WAITING.value
    )
    due_at = models.DateTimeField(null=True, help_text="When the first call may be made; only while waiting")
    end_reason = models.CharField(max_length=64, blank=True)
    result = models.CharField(max_length=16, blank=True, help_text="Best outcome so far")
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "contact"], name="campaign_contact_once"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in ContactState]), name="campaign_contact_state_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["campaign", "due_at", "id"], condition=Q(state="waiting"), name="campaign_contact_waiting"
            ),
            models.Index(fields=["campaign", "state", "contact"], name="campaign_contact_by_state"),
            models.Index(fields=["contact"], name="campaign_contact_by_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.contact} in {self.campaign}"


class Pace(models.Model):
    """When a campaign, a line or a workspace may next start a call; written only under the workspace's claim lock."""

    owner_id = models.UUIDField(primary_key=True)
    next_free_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.owner_id} from {self.next_free_at}"
