"""The callback queue."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from callbacks.rules.statuses import BulkStatus, CallbackStatus, CallbackType
from dialer.models import Call, Campaign, Contact, Persona
from dialer.workspaces.models import Owned, PublicId, Workspace

_PENDING = Q(status=CallbackStatus.PENDING.value)


class Callback(Owned):
    """A promise to call a contact at a time; its queued call is inserted in the same transaction."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    type = models.CharField(max_length=20, choices=[(t.value, t.value) for t in CallbackType])
    status = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in CallbackStatus], default=CallbackStatus.PENDING.value
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, related_name="callbacks", db_constraint=False, db_index=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="callbacks", db_constraint=False, db_index=False
    )
    call = models.OneToOneField(
        Call,
        on_delete=models.PROTECT,
        related_name="callback",
        db_constraint=False,
        help_text="The call it promises",
    )
    origin_call = models.ForeignKey(
        Call,
        on_delete=models.PROTECT,
        null=True,
        related_name="follow_ups",
        db_constraint=False,
        db_index=False,
        help_text="The call it follows",
    )
    original_outcome = models.CharField(max_length=16, blank=True)
    number = models.PositiveIntegerField(null=True, help_text="Retry number … of …; retries only")
    limit = models.PositiveIntegerField(null=True)
    scheduled_at = models.DateTimeField(help_text="The promise")
    local_time = models.CharField(max_length=32, blank=True, help_text="As the contact said it")
    time_zone = models.CharField(max_length=64, blank=True)
    timezone_source = models.CharField(max_length=16, blank=True)
    adjusted_from = models.DateTimeField(null=True)
    adjusted_reason = models.CharField(max_length=32, blank=True)
    notes = models.TextField(blank=True)
    assigned_persona = models.ForeignKey(
        Persona, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    explanation = models.JSONField(default=list)
    dialled_at = models.DateTimeField(null=True)
    completed_by = models.CharField(max_length=32, blank=True)
    late_event_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        permissions = [("force_callback", "Can force a callback past the window, a limit or a pause")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in CallbackStatus]), name="callback_status_known"
            ),
            models.CheckConstraint(condition=Q(type__in=[t.value for t in CallbackType]), name="callback_type_known"),
            models.UniqueConstraint(
                fields=["contact", "campaign"],
                condition=_PENDING,
                nulls_distinct=False,
                name="callback_one_pending_per_contact_and_campaign",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "scheduled_at", "id"], condition=_PENDING, name="callback_queue"),
            models.Index(fields=["campaign"], condition=_PENDING, name="callback_pending_of_campaign"),
            models.Index(fields=["workspace", "scheduled_at", "id"], name="callback_by_time"),
            # Promises are few among retries, which never write it.
            models.Index(
                fields=["workspace", "scheduled_at"],
                condition=~Q(type=CallbackType.AUTO_RETRY.value),
                name="callback_promises_by_time",
            ),
            models.Index(fields=["workspace", "-id"], name="callback_newest"),
            models.Index(
                fields=["workspace", "-dialled_at"], condition=Q(dialled_at__isnull=False), name="callback_dialled"
            ),
            models.Index(fields=["contact", "-id"], name="callback_newest_of_contact"),
            # For the sweep for late promises, oldest first. Retries, which are nearly all rows, are not in it,
            # so their way through the queue writes nothing here; nor are promises that were told.
            models.Index(
                fields=["scheduled_at"],
                condition=_PENDING & ~Q(type=CallbackType.AUTO_RETRY.value) & Q(late_event_at=None),
                name="callback_late_to_tell",
            ),
        ]

    @property
    def public_id(self) -> str:
        """The number, as the API shows it; there is no prefix."""
        return str(self.pk)

    def __str__(self) -> str:
        return f"callback {self.pk}"


class BulkAction(Owned, PublicId):
    """One action on all callbacks that match a filter: a job that any worker can continue."""

    public_prefix = "bulk"

    action = models.CharField(max_length=16)
    fields = models.JSONField(default=dict, help_text="What the action was given")
    asked = models.JSONField(default=dict, help_text="How the callbacks were chosen")
    dry_run = models.BooleanField(default=False)
    status = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in BulkStatus], default=BulkStatus.RUNNING.value
    )
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=dict, help_text="How many were refused, by reason")
    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    free_text = ("fields", "asked")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[s.value for s in BulkStatus]), name="bulk_status_known")
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="bulk_newest"),
            models.Index(fields=["id"], condition=Q(status=BulkStatus.RUNNING.value), name="bulk_running"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.public_id}"


class BulkRow(models.Model):
    """One callback that a bulk action is to change; ``outcome`` is empty until it was processed."""

    bulk = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="rows", db_index=False)
    callback = models.ForeignKey(Callback, on_delete=models.CASCADE, related_name="+", db_index=False)
    outcome = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bulk", "callback"], name="bulk_row_once")]
        indexes = [
            models.Index(fields=["bulk", "id"], condition=Q(outcome=""), name="bulk_row_left"),
            models.Index(fields=["bulk", "outcome"], name="bulk_row_outcomes"),
            models.Index(fields=["callback"], name="bulk_row_of_callback"),
        ]

    def __str__(self) -> str:
        return f"{self.callback_id} {self.outcome}".strip()
