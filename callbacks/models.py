"""The callback queue."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from callbacks.rules.statuses import CallbackStatus, CallbackType
from dialer.models import Call, Campaign, Contact, Persona
from dialer.workspaces.models import Owned, Workspace

_PENDING = Q(status=CallbackStatus.PENDING.value)


class Callback(Owned):
    """A promise to call a contact at a time; its queued call is made in the same transaction."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=20, choices=[(t.value, t.value) for t in CallbackType])
    status = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in CallbackStatus], default=CallbackStatus.PENDING.value
    )
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="callbacks", db_index=False)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="callbacks", db_index=False
    )
    call = models.OneToOneField(
        Call, on_delete=models.PROTECT, related_name="callback", help_text="The call it promises"
    )
    origin_call = models.ForeignKey(
        Call,
        on_delete=models.PROTECT,
        null=True,
        related_name="follow_ups",
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
    assigned_persona = models.ForeignKey(Persona, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
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
            models.Index(fields=["workspace", "-id"], name="callback_newest"),
            models.Index(fields=["origin_call"], name="callback_origin"),
            models.Index(
                fields=["workspace", "-dialled_at"], condition=Q(dialled_at__isnull=False), name="callback_dialled"
            ),
            models.Index(fields=["contact", "-id"], name="callback_newest_of_contact"),
            # What the sweep for late promises reads, oldest first. Retries, which are nearly all rows, are not in it,
            # so their way through the queue writes nothing here; nor are promises that were told.
            models.Index(
                fields=["scheduled_at"],
                condition=_PENDING & ~Q(type=CallbackType.AUTO_RETRY.value) & Q(late_event_at=None),
                name="callback_late_to_tell",
            ),
        ]

    def __str__(self) -> str:
        return f"callback {self.pk}"
