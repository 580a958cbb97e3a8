"""Endpoints: where events are posted, and how many requests each may get."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import BaseValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.workspaces.encryption import EncryptedMappingField, EncryptedTextField
from dialer.workspaces.models import Owned, PublicId
from dialer.workspaces.scoping import OwnedQuerySet
from webhooks.rules.statuses import Profile, Purpose, ScopeType, SigningMethod

BOUNDS: Mapping[str, range] = {
    "timeout_seconds": range(1, 31),
    "max_retries": range(16),
    "backoff_ms": range(1, 60_001),
    "max_in_flight": range(1, 65),
    "batch_size": range(1, 1_001),
    "batch_wait_seconds": range(3_601),
}
"""The bounds of each setting, checked on input and by the database."""
ENCRYPTED = ("secret", "next_secret", "custom_headers")
"""Fields that a query defers unless it needs them, so that a lost key hides no page."""
ENCRYPTED_OF_ENDPOINT = tuple(f"endpoint__{name}" for name in ENCRYPTED)
LEAST_RATE_PER_SECOND = 0.001
MAX_RATE_PER_SECOND = 1_000


def _bounded(name: str) -> list[BaseValidator]:
    return [MinValueValidator(BOUNDS[name][0]), MaxValueValidator(BOUNDS[name][-1])]


def _within(name: str) -> Q:
    return Q((f"{name}__gte", BOUNDS[name][0]), (f"{name}__lte", BOUNDS[name][-1]))


def _most(name: str) -> int:
    return BOUNDS[name][-1]


class EndpointQuerySet(OwnedQuerySet["Endpoint"]):
    """Endpoints of a workspace."""

    def kept(self) -> "EndpointQuerySet":
        """Return subscriptions that were not deleted, without hidden endpoints."""
        return self.filter(deleted_at=None, purpose=Purpose.SUBSCRIPTION.value)


class Endpoint(Owned, PublicId):
    """A receiver: where events are posted, which ones, how they are signed, and how many requests it may get."""

    public_prefix = "wh"

    purpose = models.CharField(
        max_length=16,
        choices=[(p.value, p.value) for p in Purpose],
        default=Purpose.SUBSCRIPTION.value,
        editable=False,
    )
    fingerprint = models.CharField(  # noqa: DJ001 — subscriptions have none, and NULLs never collide
        max_length=64,
        null=True,
        editable=False,
        help_text="Keyed hash of an inline webhook: equal ones share a row",
    )
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

    timeout_seconds = models.FloatField(default=5, validators=_bounded("timeout_seconds"))
    max_retries = models.PositiveSmallIntegerField(default=3, validators=[MaxValueValidator(_most("max_retries"))])
    backoff_ms = models.PositiveIntegerField(default=500, validators=_bounded("backoff_ms"))
    max_in_flight = models.PositiveSmallIntegerField(default=8, validators=_bounded("max_in_flight"))
    rate_per_second = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_RATE_PER_SECOND), MaxValueValidator(MAX_RATE_PER_SECOND)],
    )
    retry_on = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True, help_text="Of 408, 425 and 429")
    auto_recover = models.BooleanField(
        default=True,
        db_default=True,
        help_text="When it answers again, deliveries of the last 24 hours that failed temporarily are sent once more",
    )
    ordered = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Events of a chain are sent one after the other, each when the one before is delivered or failed",
    )
    custom_headers = EncryptedMappingField(editable=False)
    batch_size = models.PositiveSmallIntegerField(
        default=100, validators=_bounded("batch_size"), help_text="Most items in an array"
    )
    batch_wait_seconds = models.FloatField(
        default=5,
        validators=_bounded("batch_wait_seconds"),
        help_text="How long the first item of an array waits for others",
    )

    delivered_count = models.PositiveBigIntegerField(default=0, editable=False)
    failed_count = models.PositiveBigIntegerField(default=0, editable=False)
    last_delivery_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=300, blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False, help_text="First failure since the last success")
    failure_run = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Failed attempts since the last success"
    )
    trips = models.PositiveSmallIntegerField(
        default=0, db_default=0, editable=False, help_text="Times in a row that its circuit opened; 0: closed"
    )
    open_until = models.DateTimeField(
        null=True, editable=False, help_text="Nothing is sent before; then one delivery at a time until one succeeds"
    )
    latency_ms = models.FloatField(
        null=True, editable=False, help_text="Moving average of the duration of its attempts; decides its lane"
    )
    next_free_at = models.DateTimeField(null=True, editable=False, help_text="When its rate allows the next delivery")

    paused_at = models.DateTimeField(null=True, editable=False, help_text="Deliveries wait until it is resumed")
    disabled_at = models.DateTimeField(
        null=True, editable=False, help_text="Switched off by Ringback after days without a delivery"
    )
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
                condition=Q(timeout_seconds__gt=0, timeout_seconds__lte=_most("timeout_seconds")),
                name="endpoint_timeout_bounded",
            ),
            models.CheckConstraint(
                condition=Q(
                    max_retries__lte=_most("max_retries"), backoff_ms__gte=1, backoff_ms__lte=_most("backoff_ms")
                ),
                name="endpoint_retries_bounded",
            ),
            models.CheckConstraint(condition=_within("max_in_flight"), name="endpoint_in_flight_bounded"),
            models.CheckConstraint(
                condition=Q(rate_per_second__isnull=True) | Q(rate_per_second__gt=0), name="endpoint_rate_positive"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(is_active=False), name="endpoint_deleted_is_inactive"
            ),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True) | Q(is_active=False), name="endpoint_disabled_is_inactive"
            ),
            models.CheckConstraint(
                condition=Q(trips=0, open_until__isnull=True) | Q(trips__gt=0, open_until__isnull=False),
                name="endpoint_circuit_whole",
            ),
            models.CheckConstraint(condition=Q(purpose__in=[p.value for p in Purpose]), name="endpoint_purpose_known"),
            models.CheckConstraint(
                condition=Q(purpose=Purpose.STATUS.value, profile=Profile.STATUS.value)
                | (~Q(purpose=Purpose.STATUS.value) & ~Q(profile=Profile.STATUS.value)),
                name="endpoint_status_is_no_choice",
            ),
            models.CheckConstraint(
                condition=Q(purpose=Purpose.INLINE.value, fingerprint__isnull=False)
                | (~Q(purpose=Purpose.INLINE.value) & Q(fingerprint__isnull=True)),
                name="endpoint_inline_has_fingerprint",
            ),
            models.CheckConstraint(
                condition=_within("batch_size") & _within("batch_wait_seconds"), name="endpoint_batch_bounded"
            ),
            models.CheckConstraint(
                condition=Q(ordered=False) | ~Q(profile=Profile.BATCH.value), name="endpoint_arrays_have_no_order"
            ),
            models.UniqueConstraint(
                fields=["workspace", "fingerprint"],
                condition=Q(fingerprint__isnull=False),
                name="endpoint_inline_once",
            ),
            models.UniqueConstraint(
                fields=["scope_id", "events"],
                condition=Q(purpose=Purpose.STATUS.value),
                name="endpoint_status_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["failing_since"],
                condition=Q(is_active=True, failing_since__isnull=False),
                name="endpoint_failing",
            ),
            # A workspace may have many hidden endpoints; this index finds its subscriptions without reading them.
            models.Index(
                fields=["workspace"], condition=Q(purpose=Purpose.SUBSCRIPTION.value), name="endpoint_subscribed"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def success_percent(self) -> float | None:
        """Return the percentage of settled deliveries that arrived; ``None`` before the first."""
        settled = self.delivered_count + self.failed_count
        return round(100 * self.delivered_count / settled, 1) if settled else None
