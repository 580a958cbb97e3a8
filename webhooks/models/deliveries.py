"""Deliveries, the items of batches, and delivery attempts."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Case, OuterRef, Q, Subquery, When

from dialer.workspaces.models import Owned, PublicId, Workspace
from dialer.workspaces.scoping import OwnedQuerySet
from webhooks.models.endpoints import Endpoint
from webhooks.models.events import Event
from webhooks.rules.statuses import BatchType, DeliveryStatus

_PENDING = Q(status=DeliveryStatus.PENDING.value)


class DeliveryQuerySet(OwnedQuerySet["Delivery"]):
    """Deliveries of a workspace."""

    def with_waits(self) -> Self:
        """Add ``waits_for``: the first pending delivery of the chain, if that comes before in a chain sent in order."""
        before = Delivery.objects.filter(
            _PENDING,
            endpoint=OuterRef("endpoint"),
            endpoint__ordered=True,
            chain_id=OuterRef("chain_id"),
            sequence__lt=OuterRef("sequence"),
        )
        first = Subquery(before.order_by("sequence").values("pk")[:1])
        return self.annotate(waits_for=Case(When(_PENDING, then=first)))


class Delivery(Owned, PublicId):
    """One event, or a batch of events, for one endpoint."""

    public_prefix = "dlv"

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", editable=False, db_constraint=False, db_index=False
    )
    event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        null=True,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
        help_text="None for a batch, whose items are rows of their own",
    )
    batch_type = models.CharField(
        max_length=16,
        blank=True,
        default="",
        choices=[(t.value, t.value) for t in BatchType],
        help_text="The item type of a batch; sent in place of the event's type",
    )
    body = models.BinaryField(null=True, help_text="The bytes to send, if not the event's envelope")
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False, db_index=False
    )
    chain_id = models.UUIDField(null=True, help_text="The event's chain, if its endpoint takes chains in order")
    sequence = models.PositiveIntegerField(null=True, help_text="Its place in the chain")
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
    is_recoverable = models.BooleanField(
        default=False, db_default=False, help_text="Failed temporarily and not recovered automatically yet"
    )
    recovered_at = models.DateTimeField(null=True, help_text="When it was recovered automatically")
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(batch_type="", event__isnull=False) | (~Q(batch_type="") & Q(body__isnull=False)),
                name="delivery_says_something",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in DeliveryStatus]), name="delivery_status_known"
            ),
            models.CheckConstraint(
                condition=(_PENDING & Q(settled_at__isnull=True))
                | (~_PENDING & Q(settled_at__isnull=False, lease_until__isnull=True)),
                name="delivery_settled_or_pending",
            ),
            models.CheckConstraint(
                condition=Q(chain_id__isnull=True, sequence__isnull=True)
                | Q(chain_id__isnull=False, sequence__isnull=False),
                name="delivery_place_in_chain",
            ),
            models.CheckConstraint(
                condition=Q(is_recoverable=False) | Q(status=DeliveryStatus.FAILED.value),
                name="delivery_recoverable_failed",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "due_at", "id"], condition=_PENDING, name="delivery_due"),
            models.Index(
                fields=["endpoint", "lease_until"],
                condition=_PENDING & Q(lease_until__isnull=False),
                name="delivery_leased",
            ),
            models.Index(
                fields=["endpoint", "chain_id", "sequence"],
                condition=_PENDING & Q(chain_id__isnull=False),
                name="delivery_in_chain",
            ),
            models.Index(
                fields=["endpoint", "settled_at"], condition=Q(is_recoverable=True), name="delivery_recoverable"
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["workspace", "-id"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def event_type(self) -> str:
        """Return the value of the event header."""
        return self.batch_type or (self.event.type if self.event else "")

    @property
    def sent_body(self) -> bytes:
        """Return the bytes that every attempt sends."""
        if self.body is not None:
            return bytes(self.body)
        return bytes(self.event.body) if self.event else b""


class BatchItem(models.Model):
    """An event as a batch item for one endpoint; without a delivery it waits in the buffer of its type."""

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=16, choices=[(t.value, t.value) for t in BatchType])
    body = models.BinaryField(help_text="The item as JSON")
    ready_at = models.DateTimeField(help_text="Not put into a batch before this")
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, null=True, related_name="items", db_index=False, help_text="Its batch"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="batch_item_once"),
            models.CheckConstraint(condition=Q(type__in=[t.value for t in BatchType]), name="batch_item_type_known"),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "type", "ready_at", "id"],
                condition=Q(delivery__isnull=True),
                name="batch_item_buffered",
            ),
            models.Index(fields=["delivery"], condition=Q(delivery__isnull=False), name="batch_item_of_delivery"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class DeliveryAttemptQuerySet(OwnedQuerySet["DeliveryAttempt"]):
    """Attempts belong to the workspace of their delivery."""

    workspace_path = "delivery__workspace"


class DeliveryAttempt(models.Model):
    """One HTTP request and its answer; rows are only inserted, and dropped by day (:mod:`webhooks.retention`).

    The table is partitioned by ``started_at``, so its keys include that column, and no foreign key refers to its rows.
    """

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(
        Delivery, on_delete=models.DO_NOTHING, related_name="attempts", db_index=False, db_constraint=False
    )
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
        constraints = [models.UniqueConstraint(fields=["delivery", "number", "started_at"], name="attempt_once")]

    def __str__(self) -> str:
        return f"attempt {self.number}"
