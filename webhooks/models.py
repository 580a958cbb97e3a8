"""What is told to whom: events, the endpoints that hear them, deliveries, and every attempt.

Events and pending deliveries are written in the transaction of the fact (:mod:`webhooks.outbox`); from then on the
delivery's row is the promise, and :mod:`webhooks.delivery` keeps it.
"""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.workspaces.encryption import EncryptedTextField
from dialer.workspaces.models import Owned, PublicId, Workspace
from dialer.workspaces.scoping import OwnedQuerySet
from webhooks.rules.statuses import DeliveryStatus, Profile, ScopeType, SigningMethod

MAX_TIMEOUT_SECONDS = 30
MAX_RETRIES = 15
MAX_BACKOFF_MS = 60_000
MAX_IN_FLIGHT = 64
MAX_RATE_PER_SECOND = 1000

_PENDING = Q(status=DeliveryStatus.PENDING.value)


class Event(Owned, PublicId):
    """A fact, frozen as the bytes that receivers get; never changed."""

    public_prefix = "evt"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", editable=False, db_index=False)
    type = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    body = models.BinaryField(help_text="The envelope, byte for byte as it is signed and sent")
    chain_id = models.UUIDField(null=True)
    sequence = models.PositiveIntegerField(null=True, help_text="Counts up per chain, without gaps")
    campaign_id = models.UUIDField(null=True)
    persona_id = models.UUIDField(null=True)
    call_id = models.UUIDField(null=True)
    unique_key = models.CharField(max_length=200, null=True)  # noqa: DJ001 — most events have none, and NULLs never collide
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "unique_key"], condition=Q(unique_key__isnull=False), name="event_once"
            ),
            models.UniqueConstraint(
                fields=["chain_id", "sequence"], condition=Q(chain_id__isnull=False), name="event_in_chain"
            ),
            models.CheckConstraint(
                condition=Q(chain_id__isnull=True, sequence__isnull=True) | Q(chain_id__isnull=False, sequence__gte=1),
                name="event_sequence_with_chain",
            ),
        ]
        indexes = [models.Index(fields=["workspace", "-id"], name="event_newest")]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"


class ChainSequence(models.Model):
    """The last number given out in a chain; locked by whoever records an event of it."""

    chain_id = models.UUIDField(primary_key=True)
    last = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.chain_id}: {self.last}"


class EndpointQuerySet(OwnedQuerySet["Endpoint"]):
    """Endpoints of a workspace."""

    def kept(self) -> "EndpointQuerySet":
        """Leave out those that were deleted and only explain old deliveries."""
        return self.filter(deleted_at=None)


class Endpoint(Owned, PublicId):
    """A receiver: where events are posted, which ones, how they are signed, and how hard it may be pressed."""

    public_prefix = "wh"

    name = models.CharField(max_length=200)
    url = models.CharField(max_length=2000)
    events = ArrayField(models.CharField(max_length=64), help_text="Event types; * means all")
    scope_type = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in ScopeType], default=ScopeType.WORKSPACE.value
    )
    scope_id = models.UUIDField(null=True, blank=True, help_text="The persona or campaign it is limited to")
    profile = models.CharField(
        max_length=16, choices=[(p.value, p.value) for p in Profile], default=Profile.ENVELOPE.value
    )
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)

    signing_method = models.CharField(
        max_length=16, choices=[(m.value, m.value) for m in SigningMethod], default=SigningMethod.HMAC_SHA256.value
    )
    secret = EncryptedTextField(null=True, editable=False)
    next_secret = EncryptedTextField(null=True, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False, help_text="When next_secret was made")

    timeout_seconds = models.FloatField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(MAX_TIMEOUT_SECONDS)]
    )
    max_retries = models.PositiveSmallIntegerField(default=3, validators=[MaxValueValidator(MAX_RETRIES)])
    backoff_ms = models.PositiveIntegerField(
        default=500, validators=[MinValueValidator(1), MaxValueValidator(MAX_BACKOFF_MS)]
    )
    max_in_flight = models.PositiveSmallIntegerField(
        default=8, validators=[MinValueValidator(1), MaxValueValidator(MAX_IN_FLIGHT)]
    )
    rate_per_second = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0.001), MaxValueValidator(MAX_RATE_PER_SECOND)]
    )
    retry_on = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True, help_text="Of 408, 425 and 429")
    custom_headers = models.JSONField(default=dict, blank=True)

    delivered_count = models.PositiveBigIntegerField(default=0, editable=False)
    failed_count = models.PositiveBigIntegerField(default=0, editable=False)
    last_delivery_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=300, blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False, help_text="First of the unbroken run of failures")
    served_at = models.DateTimeField(
        null=True, editable=False, help_text="Last claimed from; the longest ago goes first"
    )
    next_free_at = models.DateTimeField(null=True, editable=False, help_text="When its rate allows the next delivery")

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = EndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scope_type=ScopeType.WORKSPACE.value, scope_id__isnull=True)
                | (~Q(scope_type=ScopeType.WORKSPACE.value) & Q(scope_id__isnull=False)),
                name="endpoint_scope_whole",
            ),
            models.CheckConstraint(
                condition=Q(scope_type__in=[s.value for s in ScopeType]), name="endpoint_scope_known"
            ),
            models.CheckConstraint(condition=Q(profile__in=[p.value for p in Profile]), name="endpoint_profile_known"),
            models.CheckConstraint(
                condition=Q(signing_method=SigningMethod.NONE.value)
                | Q(signing_method__in=[m.value for m in SigningMethod], secret__isnull=False),
                name="endpoint_can_sign",
            ),
            models.CheckConstraint(
                condition=Q(next_secret__isnull=True) | Q(rotated_at__isnull=False), name="endpoint_rotation_dated"
            ),
            models.CheckConstraint(
                condition=Q(timeout_seconds__gt=0, timeout_seconds__lte=MAX_TIMEOUT_SECONDS),
                name="endpoint_timeout_bounded",
            ),
            models.CheckConstraint(
                condition=Q(max_retries__lte=MAX_RETRIES, backoff_ms__gte=1, backoff_ms__lte=MAX_BACKOFF_MS),
                name="endpoint_retries_bounded",
            ),
            models.CheckConstraint(
                condition=Q(max_in_flight__gte=1, max_in_flight__lte=MAX_IN_FLIGHT), name="endpoint_in_flight_bounded"
            ),
            models.CheckConstraint(
                condition=Q(rate_per_second__isnull=True) | Q(rate_per_second__gt=0), name="endpoint_rate_positive"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(is_active=False), name="endpoint_deleted_is_inactive"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(Owned, PublicId):
    """One event on its way to one endpoint."""

    public_prefix = "dlv"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", editable=False, db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    status = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in DeliveryStatus], default=DeliveryStatus.PENDING.value
    )
    due_at = models.DateTimeField(help_text="Not sent before this")
    lease_until = models.DateTimeField(null=True, help_text="Being sent; past this it is due again")
    generation = models.PositiveIntegerField(
        default=0, help_text="Times it was claimed: the number of its newest attempt, which settling compares"
    )
    failures = models.PositiveIntegerField(default=0, help_text="Failed attempts since it last became pending")
    last_attempt_at = models.DateTimeField(null=True)
    last_status_code = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=32, blank=True, default="", help_text="Error class of the newest attempt")
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in DeliveryStatus]), name="delivery_status_known"
            ),
            models.CheckConstraint(
                condition=(_PENDING & Q(settled_at__isnull=True))
                | (~_PENDING & Q(settled_at__isnull=False, lease_until__isnull=True)),
                name="delivery_settled_or_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "due_at", "id"], condition=_PENDING, name="delivery_due"),
            models.Index(
                fields=["endpoint", "lease_until"],
                condition=_PENDING & Q(lease_until__isnull=False),
                name="delivery_leased",
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["workspace", "-id"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return self.public_id


class DeliveryAttemptQuerySet(OwnedQuerySet["DeliveryAttempt"]):
    """Attempts belong to the workspace of their delivery."""

    workspace_path = "delivery__workspace"


class DeliveryAttempt(models.Model):
    """One HTTP request and what came of it; only ever added."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField(help_text="The generation of the delivery that it was claimed with")
    started_at = models.DateTimeField()
    url = models.CharField(max_length=2000)
    address = models.GenericIPAddressField(null=True, help_text="What was dialled; null where nothing was")
    dns_ms = models.FloatField(null=True)
    connect_ms = models.FloatField(null=True)
    tls_ms = models.FloatField(null=True)
    first_byte_ms = models.FloatField(null=True)
    total_ms = models.FloatField()
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=32, blank=True, default="")
    error_detail = models.CharField(max_length=300, blank=True, default="")
    answer = models.BinaryField(default=b"", help_text="The first 16 KiB of the answer's body")

    objects: ClassVar[Any] = DeliveryAttemptQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once")]

    def __str__(self) -> str:
        return f"attempt {self.number}"
