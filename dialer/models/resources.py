"""What a campaign calls with: personas, lines and retry policies."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.workspaces.encryption import EncryptedTextField
from dialer.workspaces.models import Owned, PublicId


class Persona(Owned, PublicId):
    """Who does the talking: an AI agent, an IVR, a human extension."""

    public_prefix = "per"

    name = models.CharField(max_length=200)
    endpoint = models.CharField(
        max_length=500,
        blank=True,
        help_text="Where calls are connected to: a SIP address, a media-stream URL, a script",
    )
    has_flow = models.BooleanField(
        default=False,
        help_text="It asks questions one after another: a talk is complete when its analysis says so, not when it ends",
    )
    archived_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=Q(archived_at=None), name="persona_name_unique"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Line(Owned, PublicId):
    """A carrier with credentials, caller ids and limits."""

    public_prefix = "line"

    name = models.CharField(max_length=200)
    carrier = models.CharField(max_length=32, default="simulated")
    credentials = EncryptedTextField(null=True, blank=True, help_text="JSON; written, never shown")
    caller_ids = models.JSONField(default=list, help_text="Numbers that calls may show, the first by default")
    ring_timeout_seconds = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(5), MaxValueValidator(600)]
    )
    max_duration_seconds = models.PositiveIntegerField(
        default=3600, validators=[MinValueValidator(10), MaxValueValidator(14_400)]
    )
    calls_per_second = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.001)])
    max_concurrent_calls = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    is_default = models.BooleanField(default=False)
    inbound_campaign = models.ForeignKey(
        "dialer.Campaign",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Calls that come in over this line belong to it, where nothing else says to which they belong",
    )
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    outages_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    down_until = models.DateTimeField(null=True, editable=False)
    down_reason = models.CharField(max_length=200, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=Q(archived_at=None), name="line_name_unique"
            ),
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(is_default=True, archived_at=None), name="line_one_default"
            ),
            models.CheckConstraint(condition=Q(ring_timeout_seconds__gte=1), name="line_ring_timeout_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class CallerId(Owned):
    """A number, and the workspace whose lines may show it; written by ``dialer.setup.caller_ids``."""

    digits = models.CharField(primary_key=True, max_length=32)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(digits__regex="^[0-9]+$"), name="caller_id_has_digits_alone")]

    def __str__(self) -> str:
        return self.digits


class RetryPolicy(Owned, PublicId):
    """Delays in minutes and a limit for each outcome; ``callbacks`` applies them."""

    public_prefix = "pol"

    name = models.CharField(max_length=200)
    rules = models.JSONField(help_text='{"busy": {"delays": [60], "limit": 5}, …}')
    is_default = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "retry policies"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=Q(archived_at=None), name="retry_policy_name_unique"
            ),
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(is_default=True, archived_at=None), name="retry_policy_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name
